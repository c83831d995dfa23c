"""PyTorch's side of the comparison: forward + backward + SGD step on random images of three channels.

usage: pytorch.py NETWORK --batch B --steps N --threads T [--image-size S] [--channels-last] [--compile] [--bf16]

Networks that are not written down here are torchvision's. --compile compiles the network with torch.compile, --bf16
computes the forward pass under autocast. Prints images per second over the fastest of five equal parts of the run,
and the peak memory. Set MALLOC_TRIM_THRESHOLD_ and MALLOC_MMAP_THRESHOLD_ high, so that the allocator keeps its pages.
"""

import argparse
import resource
import time

import torch
from torch import nn


class Block(nn.Module):
    """ResNet's basic block: two 3x3 convolutions and a shortcut."""

    def __init__(self, channels, filters, stride):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, filters, 3, stride, 1, bias=False),
            nn.BatchNorm2d(filters),
            nn.ReLU(inplace=True),
            nn.Conv2d(filters, filters, 3, 1, 1, bias=False),
            nn.BatchNorm2d(filters),
        )
        self.shortcut = nn.Identity()
        if stride != 1 or channels != filters:
            self.shortcut = nn.Sequential(
                nn.Conv2d(channels, filters, 1, stride, bias=False), nn.BatchNorm2d(filters)
            )

    def forward(self, x):
        return torch.relu_(self.body(x) + self.shortcut(x))


def network(name):
    def relu():
        return nn.ReLU(inplace=True)

    if name == "plain":
        layers = [nn.Conv2d(3, 6, 3), relu(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 3), relu()]
        layers += [nn.MaxPool2d(2), nn.Flatten(), nn.Linear(576, 120), relu()]
        layers += [nn.Linear(120, 84), relu(), nn.Linear(84, 10)]
    elif name == "demo":
        layers = []
        for channels, filters in [(3, 32), (32, 64), (64, 128)]:
            layers += [nn.Conv2d(channels, filters, 3, padding=1), relu(), nn.MaxPool2d(2)]
        layers += [nn.Flatten(), nn.Linear(2048, 256), relu(), nn.Linear(256, 128), relu()]
        layers += [nn.Linear(128, 10)]
    elif name == "vgg6":
        layers = []
        widths = [3, 32, 32, 64, 64, 128, 128]
        for index, (channels, filters) in enumerate(zip(widths, widths[1:])):
            layers += [nn.Conv2d(channels, filters, 3, padding=1, bias=False)]
            layers += [nn.BatchNorm2d(filters), relu()]
            if index % 2:
                layers.append(nn.MaxPool2d(2))
        layers += [nn.Flatten(), nn.Linear(2048, 256), relu(), nn.Linear(256, 10)]
    elif name == "resnet18":
        layers = [nn.Conv2d(3, 64, 3, padding=1, bias=False), nn.BatchNorm2d(64), relu()]
        channels = 64
        for filters, stride in [(64, 1), (128, 2), (256, 2), (512, 2)]:
            layers += [Block(channels, filters, stride), Block(filters, filters, 1)]
            channels = filters
        layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 10)]
    else:
        import torchvision

        return torchvision.models.get_model(name, num_classes=10)
    return nn.Sequential(*layers)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("network")
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--image-size", type=int, default=32)
    parser.add_argument("--channels-last", action="store_true")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--bf16", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(1)
    model = network(arguments.network)
    images = torch.randn(arguments.batch, 3, arguments.image_size, arguments.image_size)
    labels = torch.randint(0, 10, (arguments.batch,))
    if arguments.channels_last:
        model = model.to(memory_format=torch.channels_last)
        images = images.to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    loss_function = nn.CrossEntropyLoss()
    forward = torch.compile(model) if arguments.compile else model

    def step():
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=arguments.bf16):
            loss = loss_function(forward(images), labels)
        loss.backward()
        optimizer.step()

    for _ in range(3):
        step()
    part = max(1, arguments.steps // 5)
    fastest = float("inf")
    for _ in range(5):
        start = time.perf_counter()
        for _ in range(part):
            step()
        fastest = min(fastest, (time.perf_counter() - start) / part)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    print(f"{arguments.batch / fastest:.1f} img/s, {peak:.0f} MB at the peak")


if __name__ == "__main__":
    main()
