#!/usr/bin/env python3
"""Writes results folders of every kind, as if they had run, and makes their reports.

    python tests/report/samples.py FOLDER [--wick target/release/wick] [--large]

Hostile names, 200 classes, 2,000 trials, one trial, one seed, nothing but failures. With --large also 10,000 trials of
20 epochs, whose report has to take less than 5 seconds and 20 MB; says how long all of them took.
"""

import argparse
import csv
import itertools
import random
import subprocess
import sys
import time
from pathlib import Path

SCORES = ("loss", "accuracy", "top_k", "precision", "recall", "f1")
SCRIPT = "</script><script>alert(1)</script>"
QUOTES = "a\"b'c\\d<img src=x onerror=alert(1)>&amp; {x} %n"


def scores(accuracy):
    return [1.2 * (1 - accuracy), accuracy, min(1, accuracy + 0.1), accuracy - 0.01, accuracy, accuracy - 0.005]


def toml(text):
    escapes = {"\\": "\\\\", '"': '\\"', "\n": "\\n"}
    return '"' + "".join(escapes.get(letter, letter) for letter in text) + '"'


def write(folder, axes, seeds=1, epochs=8, failed=None, name=None, description="", classes=None):
    """A folder with every combination of the values of `axes`."""
    random.seed(len(axes) + seeds)
    (folder / "trials").mkdir(parents=True, exist_ok=True)
    settings = list(itertools.product(*axes.values()))
    trials = [["trial", "digest", *axes, "seed", "fold", "status", "reason", "best_epoch",
               *(f"{part}_{score}" for part in ("val", "test") for score in SCORES), "parameters", "trainable", "flops"]]
    metrics = [["trial", "digest", "epoch", "steps", "lr", *(f"{part}_{score}" for part in ("train", "val") for score in SCORES)]]
    timings = [["trial", "digest", "epoch", "seconds"]]
    effect = {(axis, value): random.uniform(-0.06, 0.06) for axis, values in axes.items() for value in values}
    luck = [random.gauss(0, 0.01) for _ in range(seeds)]
    for number, (index, seed) in enumerate(itertools.product(range(len(settings)), range(seeds)), 1):
        digest = f"{number:016x}"
        best = 0.75 + sum(effect[it] for it in zip(axes, settings[index])) + luck[seed] + random.gauss(0, 0.004)
        size = 1000 * (1 + index % 17)
        row = [number, digest, *settings[index], 123 + seed, ""]
        if failed:
            trials.append(row + ["failed", failed, "", *[""] * 12, size, size, 5 * size])
            continue
        trials.append(row + ["completed", "", epochs, *scores(best), *scores(best - 0.01), size, size, 5 * size])
        for epoch in range(1, epochs + 1):
            now = best - 0.4 / epoch + 0.4 / epochs
            metrics.append([number, digest, epoch, 10 * epoch, 0.01, *scores(now + 0.02), *scores(now)])
            timings.append([number, digest, epoch, round(0.5 + size / 50000, 6)])
    for table, rows in (("trials", trials), ("metrics", metrics), ("timings", timings)):
        with open(folder / f"{table}.csv", "w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(rows)
    head = f"name = {toml(name or folder.name)}\ndescription = {toml(description)}\n\n[train]\nepochs = {epochs}\n"
    (folder / "experiment.toml").write_text(head)
    (folder / "environment.toml").write_text('version = "0.1.0"\n')
    if classes and not failed:
        predictions(folder, [row[1] for row in trials[1:]], classes)


def predictions(folder, digests, classes):
    """What all trials predicted: mostly right, and now and then each class for each other one."""
    for digest in digests:
        trial = folder / "trials" / digest
        trial.mkdir(exist_ok=True)
        counts = [[40 if a == b else (a * 7 + b * 3) % 11 // 8 for b in range(len(classes))] for a in range(len(classes))]
        with open(trial / "confusion.csv", "w", newline="") as file:
            csv.writer(file).writerows([["class", *classes], *([name, *row] for name, row in zip(classes, counts))])
        with open(trial / "predictions.csv", "w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["image", "set", "class", "predicted", "probability", "class_probability"])
            for a, row in enumerate(counts):
                for b, count in enumerate(row):
                    for k in range(count):
                        sure = 0.5 + 0.49 * random.random()
                        writer.writerow([f"{classes[a]}/{k}-{b}.png", "test", classes[a], classes[b], sure, sure if a == b else 1 - sure])


def kinds(out, large):
    numbers = lambda count: [str(value) for value in range(count)]
    evil = [SCRIPT, QUOTES, "x" * 300, "../../etc/passwd", "日本語の名前", "‮right to left‬"]
    write(out / "hostile", {"data.<b>path</b>": evil[:3], "model.norm": ["none", "batch"]}, 2, name=SCRIPT,
          description=QUOTES, classes=evil)
    write(out / "classes-200", {"train.optimizer.adam.lr": ["0.1", "0.01"]}, 2, classes=[f"class {n}" for n in range(200)])
    write(out / "trials-2000", {"model.a": numbers(20), "model.b": numbers(20)}, 5, epochs=20)
    write(out / "one-trial", {}, classes=["cat", "dog"])
    write(out / "one-seed", {"train.lr": ["0.1", "0.2", "0.3"], "model.norm": ["none", "batch"]}, classes=["cat", "dog"])
    write(out / "all-failed", {"train.lr": ["0.1", "1e9"]}, 2, failed="the loss was NaN in epoch 1: <b>lower</b> the rate\n" + "y" * 200)
    if large:
        write(out / "trials-10000", {"model.a": numbers(20), "model.b": numbers(20), "model.c": numbers(5)}, 5, epochs=20)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--wick", default="target/release/wick")
    parser.add_argument("--large", action="store_true")
    arguments = parser.parse_args()
    kinds(arguments.folder, arguments.large)
    failed = False
    for folder in sorted(path for path in arguments.folder.iterdir() if path.is_dir()):
        begun = time.monotonic()
        ended = subprocess.run([arguments.wick, "report", folder], capture_output=True, text=True)
        seconds = time.monotonic() - begun
        page = folder / "report.html"
        if ended.returncode:
            sys.exit(f"{folder}: {ended.stderr}")
        size = page.stat().st_size / 1e6
        print(f"{page}: {seconds:.2f} s, {size:.2f} MB")
        failed |= seconds > 5 or size > 20
    sys.exit(failed and "a report takes more than 5 seconds or 20 MB")


if __name__ == "__main__":
    main()
