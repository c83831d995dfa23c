"""PyTorch's side of transfer learning: a linear head on a frozen SqueezeNet 1.1, trained as commonly written.

usage: transfer_pytorch.py WEIGHTS FOLDER --threads T [--epochs N] [--batch B] [--channels-last]

WEIGHTS is a safetensors file with torchvision's names, FOLDER has one folder of images per class, all
of one size. The images are read and normalised once, before the clock starts; every epoch passes them
through the frozen layers under no_grad and trains the head on what comes out. Prints JSON: the seconds
of every epoch, their median and minimum, images per second, the head's accuracy on the training images
and the peak memory. Set MALLOC_TRIM_THRESHOLD_ and MALLOC_MMAP_THRESHOLD_ high, so that the allocator
keeps its pages.
"""

import argparse
import json
import os
import resource
import statistics
import time

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import nn
from torchvision.models import squeezenet1_1

MEAN = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
DEVIATION = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)


def images_of(folder):
    """All images, normalised, and their classes: folders and files in order of their names."""
    images, labels = [], []
    classes = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir())
    for label, name in enumerate(classes):
        for file in sorted(os.listdir(os.path.join(folder, name))):
            pixels = np.array(Image.open(os.path.join(folder, name, file)).convert("RGB"))
            images.append((torch.from_numpy(pixels).permute(2, 0, 1) / 255 - MEAN) / DEVIATION)
            labels.append(label)
    return torch.stack(images), torch.tensor(labels), classes


def frozen_features(weights):
    """SqueezeNet's feature layers, up to the 512 maps of the last fire module."""
    network = squeezenet1_1()
    network.load_state_dict(load_file(weights))
    features = network.features.eval()
    for parameter in features.parameters():
        parameter.requires_grad = False
    return features


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("weights")
    parser.add_argument("folder")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--channels-last", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(1)
    images, labels, classes = images_of(arguments.folder)
    features = frozen_features(arguments.weights)
    if arguments.channels_last:
        images = images.to(memory_format=torch.channels_last)
        features = features.to(memory_format=torch.channels_last)
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, len(classes)))
    optimizer = torch.optim.Adam(head.parameters(), lr=1e-3)
    loss_function = nn.CrossEntropyLoss()
    seconds = []
    for _ in range(arguments.epochs + 1):
        start = time.perf_counter()
        right = 0
        for batch in torch.randperm(len(images)).split(arguments.batch):
            with torch.no_grad():
                maps = features(images[batch])
            logits = head(maps)
            loss = loss_function(logits, labels[batch])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            right += (logits.argmax(1) == labels[batch]).sum().item()
        seconds.append(time.perf_counter() - start)
    # The first epoch warms up.
    seconds = seconds[1:]
    print(
        json.dumps(
            {
                "network": "squeezenet1_1",
                "images": len(images),
                "batch": arguments.batch,
                "threads": arguments.threads,
                "channels_last": arguments.channels_last,
                "torch": torch.__version__,
                "seconds_per_epoch": round(statistics.median(seconds), 4),
                "fastest_epoch": round(min(seconds), 4),
                "epochs": [round(value, 4) for value in seconds],
                "images_per_second": round(len(images) / statistics.median(seconds), 1),
                "training_accuracy": round(right / len(images), 4),
                "peak_megabytes": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6),
            }
        )
    )


if __name__ == "__main__":
    main()
