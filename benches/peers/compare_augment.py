"""Runs candlewick's transforms and Albumentations' alternately and prints images/s and the ratio.

usage: compare_augment.py WICK [--pairs N] [--sizes 32 224] [--only NAME …]

One thread each, RGB bytes, the same kind of image; the fastest part of each run counts, and the median
over the pairs is shown. Run it with a Python that has albumentations==2.0.8.
"""

import argparse
import importlib
import pathlib
import statistics
import subprocess
import time

import albumentations as A
import cv2
import numpy as np

# The lecture's chain, as people write it.
CHAIN = (
    "rotate 30 p 0.5, blur 5 p 0.5",
    [{"rotate": 30, "p": 0.5}, {"blur": 5, "p": 0.5}],
    lambda: [A.Rotate(30, p=0.5), A.Blur(5, p=0.5)],
)
PARTS = 5


def cases(size):
    """Name, candlewick's chain and a function that makes Albumentations' for images of `size`."""
    yield CHAIN
    for path in sorted(pathlib.Path(__file__).parent.glob("augment_*.py")):
        module = importlib.import_module(path.stem)
        for name, step, peer in module.cases(size) if hasattr(module, "cases") else module.CASES:
            if peer is not None:
                yield name, step if isinstance(step, list) else [step], peer


def toml(value):
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {toml(inner)}" for key, inner in value.items()) + " }"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else repr(value)


def image(size):
    noise = np.random.default_rng(1).integers(0, 40, (size, size, 3))
    return (np.arange(size)[None, :, None] * 215 // size + noise).astype(np.uint8)


def peer_speed(transform, image, seconds):
    fastest = 0.0
    for _ in range(PARTS):
        start, images = time.perf_counter(), 0
        while time.perf_counter() - start < seconds / PARTS:
            for _ in range(8):
                transform(image=image)
            images += 8
        fastest = max(fastest, images / (time.perf_counter() - start))
    return fastest


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("wick")
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=0.4)
    parser.add_argument("--sizes", type=int, nargs="+", default=[32, 224])
    parser.add_argument("--only", nargs="+")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    heads = " | ".join(f"{size}×{size}: candlewick | Albumentations | ratio" for size in arguments.sizes)
    print(f"| transform | {heads} |")
    print("|---" * (1 + 3 * len(arguments.sizes)) + "|")
    for rows in zip(*(cases(size) for size in arguments.sizes)):
        cells = [rows[0][0]]
        if arguments.only and cells[0] not in arguments.only:
            continue
        for size, (_, chain, peer) in zip(arguments.sizes, rows):
            made = peer()
            compose, picture = A.Compose(made if isinstance(made, list) else [made]), image(size)
            ours, theirs = [], []
            for _ in range(arguments.pairs):
                command = [arguments.wick, "bench-augment", toml(chain), "--image-size", str(size)]
                command += ["--seconds", str(arguments.seconds)]
                run = subprocess.run(command, check=True, capture_output=True, text=True)
                ours.append(float(run.stdout.split()[0]))
                theirs.append(peer_speed(compose, picture, arguments.seconds))
            speed, rate = statistics.median(ours), statistics.median(theirs)
            cells += [f"{speed:,.0f}", f"{rate:,.0f}", f"{speed / rate:.1f}×"]
        print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
