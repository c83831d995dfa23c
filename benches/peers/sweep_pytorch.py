"""The sweep of `sweep.toml` as a competent user writes it with PyTorch and Albumentations: two processes
with one thread each, channels_last, whole batches normalised at once.

usage: sweep_pytorch.py IMAGES LABELS

IMAGES and LABELS are Fashion-MNIST's test files in the IDX format, gzipped or not. Prints the seconds until
the first step was done, and each trial's validation accuracy.
"""

import gzip
import itertools
import multiprocessing
import sys
import time

STARTED = time.perf_counter()

import albumentations as A  # noqa: E402
import cv2  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
from torch import nn  # noqa: E402

EPOCHS, BATCH, CLASSES = 3, 128, 10


def read(path, header):
    opener = gzip.open if path.endswith(".gz") else open
    with opener(path, "rb") as file:
        return np.frombuffer(file.read(), np.uint8, offset=header)


def images(path):
    pixels = read(path, 16).reshape(-1, 28, 28)
    return np.stack([cv2.cvtColor(cv2.resize(image, (32, 32)), cv2.COLOR_GRAY2RGB) for image in pixels])


def network(dropout, norm):
    def block(before, after):
        layers = [nn.Conv2d(before, after, 3, padding=1)]
        layers += [nn.BatchNorm2d(after)] if norm else []
        layers += [nn.ReLU()]
        layers += [nn.Dropout(dropout)] if dropout else []
        return layers + [nn.MaxPool2d(2)]

    def dense(before, after):
        layers = [nn.Linear(before, after)]
        layers += [nn.BatchNorm1d(after)] if norm else []
        layers += [nn.ReLU()]
        return layers + ([nn.Dropout(dropout)] if dropout else [])

    return nn.Sequential(
        *block(3, 32), *block(32, 64), *block(64, 128), nn.Flatten(),
        *dense(2048, 256), *dense(256, 128), nn.Linear(128, CLASSES),
    )


def train(pixels, labels, lr, dropout, norm, first_step):
    torch.manual_seed(1)
    order = np.random.default_rng(1).permutation(len(pixels))
    training, validation = order[:8000], order[8000:]
    mean = torch.tensor(pixels[training].mean((0, 1, 2)) / 255, dtype=torch.float32).view(1, 3, 1, 1)
    std = torch.tensor(pixels[training].std((0, 1, 2)) / 255, dtype=torch.float32).view(1, 3, 1, 1)
    chain = A.Compose([A.Rotate(limit=30, p=0.5), A.Blur(blur_limit=5, p=0.5)])
    model = network(dropout, norm).to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    loss_of = nn.CrossEntropyLoss()

    def batch(chosen):
        tensor = torch.from_numpy(np.ascontiguousarray(chosen)).permute(0, 3, 1, 2).float().div_(255)
        return tensor.sub_(mean).div_(std).contiguous(memory_format=torch.channels_last)

    accuracy = 0.0
    for _ in range(EPOCHS):
        model.train()
        shuffled = np.random.permutation(training)
        for start in range(0, len(shuffled), BATCH):
            chosen = shuffled[start : start + BATCH]
            inputs = batch(np.stack([chain(image=pixels[i])["image"] for i in chosen]))
            optimizer.zero_grad(set_to_none=True)
            loss_of(model(inputs), torch.from_numpy(labels[chosen])).backward()
            optimizer.step()
            first_step()
        model.eval()
        with torch.no_grad():
            right = 0
            for start in range(0, len(validation), BATCH):
                chosen = validation[start : start + BATCH]
                right += (model(batch(pixels[chosen])).argmax(1).numpy() == labels[chosen]).sum()
        accuracy = right / len(validation)
    return accuracy


def work(queue, results, files, started):
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    pixels, labels = images(files[0]), read(files[1], 8).astype(np.int64)
    told = []

    def first_step():
        if not told:
            told.append(time.perf_counter())
            results.put(("first", time.perf_counter() - started))

    while (setting := queue.get()) is not None:
        results.put((setting, train(pixels, labels, *setting, first_step)))
    results.put(None)


def main():
    context = multiprocessing.get_context("fork")
    queue, results = context.Queue(), context.Queue()
    for setting in itertools.product([0.01, 0.03, 0.1], [0.0, 0.25], [False, True]):
        queue.put(setting)
    workers = [context.Process(target=work, args=(queue, results, sys.argv[1:3], STARTED)) for _ in range(2)]
    for worker in workers:
        queue.put(None)
        worker.start()
    ended, first = 0, []
    while ended < len(workers):
        result = results.get()
        if result is None:
            ended += 1
        elif result[0] == "first":
            first.append(result[1])
        else:
            print(f"lr, dropout, norm = {result[0]}: {result[1]:.4f}")
    print(f"first step after {min(first):.2f} s")


if __name__ == "__main__":
    main()
