"""Training in PyTorch for the networks of plain.toml and normed.toml: a few steps from each of several starts,
then an evaluation. Everything is f64, from numbers that f32 holds.

    python3 -P training.py        (PyTorch 2.15, CPU)  writes training.csv

Weights and images come from a counter-based generator (SplitMix64) that the test has too, so that no
numbers but the losses need be kept: both sides start from the same bits.
"""

import csv
import pathlib

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

STARTS, STEPS, BATCH = 10, 5, 16


def uniform(key, count):
    """`count` numbers in [-1, 1): SplitMix64 with state `key`, its upper 24 bits."""
    with np.errstate(over="ignore"):
        z = np.uint64(key) + np.uint64(0x9E3779B97F4A7C15) * np.arange(1, count + 1, dtype=np.uint64)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return ((z >> np.uint64(40)).astype(np.float32) / np.float32(2**23)) - np.float32(1)


def start(model, number):
    """Weights uniform within ±1/√fan-in, biases within ±0.1, norms at 1 and 0."""
    for index, parameter in enumerate(p for p in model.parameters()):
        values = torch.from_numpy(uniform(1000 * (1 + number) + index, parameter.numel())).reshape(parameter.shape)
        if parameter.dim() > 1:
            fan_in = parameter[0].numel()
            values = values * np.float32(1 / np.sqrt(np.float32(fan_in)))
        else:
            values = values * np.float32(0.1)
        with torch.no_grad():
            parameter.copy_(values)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)


def batch(step):
    images = uniform(5_000_000 + step, BATCH * 3 * 32 * 32).reshape(BATCH, 3, 32, 32)
    # Something to learn: the class is written into the brightness of a corner.
    labels = np.arange(BATCH) * 7 % 10
    images[:, :, :8, :8] += labels[:, None, None, None].astype(np.float32) / np.float32(4)
    return torch.from_numpy(images).double(), torch.from_numpy(labels)


def plain(number):
    model = nn.Sequential(
        nn.Conv2d(3, 6, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(576, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    )
    start(model, number)
    return model, torch.optim.Adam(model.parameters(), lr=1e-3), 0.0, None


def normed(number):
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(),
        nn.MaxPool2d(3, 2),
        nn.Conv2d(8, 16, 3, padding=1, stride=2, bias=False), nn.BatchNorm2d(16), nn.LeakyReLU(0.1),
        nn.Conv2d(16, 16, 3, padding=2, dilation=2, groups=4), nn.GELU(),
        nn.AvgPool2d(3, 2, padding=1),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(), nn.Linear(64, 10),
    )
    start(model, number)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, nesterov=True, weight_decay=5e-4)
    return model, optimizer, 0.1, 1.0


def losses(make, number):
    model, optimizer, smoothing, clip = make(number)
    first = number * (STEPS + 1)
    for step in range(STEPS):
        images, labels = batch(first + step)
        optimizer.zero_grad()
        loss = F.cross_entropy(model(images), labels, label_smoothing=smoothing)
        loss.backward()
        if clip:
            nn.utils.clip_grad_norm_(model.parameters(), clip)
        optimizer.step()
        yield loss.item()
    model.eval()
    with torch.no_grad():
        images, labels = batch(first + STEPS)
        yield F.cross_entropy(model(images), labels).item()


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    with open(pathlib.Path(__file__).with_name("training.csv"), "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["network", "step", "loss"])
        for make in (plain, normed):
            all_losses = [loss for number in range(STARTS) for loss in losses(make, number)]
            for step, loss in enumerate(all_losses):
                writer.writerow([make.__name__, step, repr(loss)])
