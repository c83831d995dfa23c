#!/usr/bin/env python3
"""Writes multi_label.csv: losses of several labels for an image and their gradients, as PyTorch has them in 64 bits; and
multi_label_steps.csv: fifty steps of training on the network of recipe.toml.

    python tests/goldens/multi_label.py

Made with PyTorch 2.15.0. A gamma of 0 is BCEWithLogitsLoss with pos_weight; others are torchvision's sigmoid_focal_loss
with alpha=-1, written out, with the weight on what is missed.
"""

import csv
import runpy
from pathlib import Path

import torch
import torch.nn.functional as F

torch.manual_seed(3)


def loss(logits, targets, gamma, weights):
    if gamma == 0:
        return torch.nn.BCEWithLogitsLoss(pos_weight=weights)(logits, targets)
    p = torch.sigmoid(logits)
    weights = 1.0 if weights is None else weights
    present = weights * targets * (1 - p) ** gamma * -F.logsigmoid(logits)
    absent = (1 - targets) * p**gamma * -F.logsigmoid(-logits)
    return (present + absent).mean()


# The network and the batches of recipes.py.
recipes = runpy.run_path(str(Path(__file__).with_name("recipes.py")))
POSITIVE = torch.tensor([1.0 + 0.25 * k for k in range(10)], dtype=torch.float64)


def several(labels):
    """Class c has the label c, and 3 c + 1 if it is even; class 9 has none."""
    targets = torch.zeros(len(labels), 10, dtype=torch.float64)
    for row, label in zip(targets, labels.tolist()):
        if label != 9:
            row[label] = 1
        if label % 2 == 0:
            row[(3 * label + 1) % 10] = 1
    return targets


def steps():
    def minimised(x, labels):
        return loss(x, several(labels) * 0.9 + 0.05, 0.0, POSITIVE)
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    # The last one is of an evaluation by another loss.
    return list(recipes["train"](recipes["sgd"], loss=minimised))[:-1]


def words(values):
    return " ".join(repr(float(value)) for value in values.flatten())


def main():
    weighted = torch.tensor([0.5, 1.0, 2.0, 3.5], dtype=torch.float64)
    rows = []
    for gamma in [0.0, 0.5, 2.0]:
        for smoothing in [0.0, 0.1]:
            for weights in [None, weighted]:
                # Numbers that 32 bits hold exactly.
                logits = (3 * torch.randn(3, 4)).to(torch.float64).requires_grad_()
                targets = (torch.rand(3, 4) < 0.4).to(torch.float64)
                smoothed = targets * (1 - smoothing) + smoothing / 2
                value = loss(logits, smoothed, gamma, weights)
                value.backward()
                weights = [] if weights is None else weights
                rows.append([gamma, smoothing, words(torch.as_tensor(weights)), words(logits.detach()),
                             words(targets), repr(float(value.detach())), words(logits.grad)])
    with open(Path(__file__).with_suffix(".csv"), "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["gamma", "smoothing", "weights", "logits", "targets", "loss", "gradient"])
        writer.writerows(rows)
    with open(Path(__file__).with_name("multi_label_steps.csv"), "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["step", "loss"])
        writer.writerows((step, repr(loss)) for step, loss in enumerate(steps()))


if __name__ == "__main__":
    main()
