"""Writes whitening.csv: filters of airbench's init_whiten (Jordan, 2024) in f64, for `architectures.rs`.

usage: python whitening.py > whitening.csv, with torch
"""

import sys

# Behind Python's own modules: statistics.py stands here too, and is not the one that torch imports.
sys.path[0:1] = []

import numpy
import torch

IMAGES, CHANNELS, SIDE, EPS = 20, 3, 6, 5e-4


def uniform(name, count):
    """As in architectures.py."""
    state = 0xCBF29CE484222325
    for byte in name.encode():
        state = (state ^ byte) * 0x100000001B3 % 2**64
    with numpy.errstate(over="ignore"):
        z = numpy.arange(1, count + 1, dtype=numpy.uint64) * numpy.uint64(0x9E3779B97F4A7C15)
        z += numpy.uint64(state)
        z = (z ^ (z >> numpy.uint64(30))) * numpy.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> numpy.uint64(27))) * numpy.uint64(0x94D049BB133111EB)
        z ^= z >> numpy.uint64(31)
    return (z >> numpy.uint64(40)).astype(numpy.float64) / 2**24


def main():
    count = IMAGES * CHANNELS * SIDE * SIDE
    images = torch.from_numpy(2 * uniform("whitened", count) - 1)
    images = images.float().double().reshape(IMAGES, CHANNELS, SIDE, SIDE)
    # Neighbours are alike.
    images[:, :, :, 1:] += 0.5 * images[:, :, :, :-1].clone()
    images = images.float().double()
    patches = images.unfold(2, 2, 1).unfold(3, 2, 1).transpose(1, 3).reshape(-1, CHANNELS * 4)
    values, vectors = torch.linalg.eigh(patches.T @ patches / len(patches))
    vectors = vectors.T
    # The sign of an eigenvector is free: its largest number is positive here.
    largest = vectors.gather(1, vectors.abs().argmax(1, keepdim=True))
    filters = vectors * largest.sign() / torch.sqrt(values[:, None] + EPS)
    for filter in torch.cat([filters, -filters]).tolist():
        print(",".join(f"{number:.9e}" for number in filter))


if __name__ == "__main__":
    main()
