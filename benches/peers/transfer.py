"""Trains a head on frozen SqueezeNet features with candlewick, which computes them once, and with PyTorch,
which passes every image through the frozen layers in every epoch; prints seconds for an epoch after the
first and their ratio, and what a sweep of 20 heads costs beside one.

usage: transfer.py WICK WEIGHTS IMAGES [--pairs N]

WEIGHTS is crates/weights/bundled/squeezenet1_1.safetensors, IMAGES a folder with the 551 drawings, one folder for each
class (data/prepare_openclipart.py makes it). Run it with a Python that has torch and torchvision, on a
quiet machine with two cores.
"""

import argparse
import csv
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).parent
KEEP_PAGES = {"MALLOC_TRIM_THRESHOLD_": "1000000000", "MALLOC_MMAP_THRESHOLD_": "1000000000"}


def pytorch(weights, images, threads):
    """Median seconds of an epoch, by the faster of the two memory formats."""
    found = []
    for layout in ([], ["--channels-last"]):
        command = [sys.executable, HERE / "transfer_pytorch.py", weights, images]
        command += ["--threads", str(threads), "--epochs", "4", *layout]
        said = subprocess.run(
            command, env={**os.environ, **KEEP_PAGES}, capture_output=True, text=True, check=True
        )
        report = json.loads(said.stdout)
        found.append(report["seconds_per_epoch"])
    return min(found)


def wick(program, sharing, *more):
    """Median seconds of an epoch after the first, and of the whole run; `sharing` shares out the cores."""
    with tempfile.TemporaryDirectory() as results:
        command = [program, "run", HERE / "transfer.toml", "--quiet", "--results", results, *sharing, *more]
        started = time.perf_counter()
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        whole = time.perf_counter() - started
        with open(pathlib.Path(results) / "peers-transfer" / "timings.csv") as table:
            rows = [row for row in csv.DictReader(table) if int(row["epoch"]) > 1]
        return statistics.median(float(row["seconds"]) for row in rows), whole


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("wick")
    parser.add_argument("weights")
    parser.add_argument("images")
    parser.add_argument("--pairs", type=int, default=3)
    arguments = parser.parse_args()
    rates = ",".join(f"{0.0002 * (1 + index):.4f}" for index in range(20))
    twenty = ["--set", f'sweep.grid."train.optimizer.adam.lr"=[{rates}]']

    def heads(sharing):
        """Seconds of an epoch, of one head and of twenty."""
        return *wick(arguments.wick, sharing), wick(arguments.wick, sharing, *twenty)[1]

    def medians(rows):
        return [statistics.median(column) for column in zip(*rows)]

    for threads in (1, 2):
        sharing = ["--workers", "1", "--threads", str(threads)]
        pairs = [
            (pytorch(arguments.weights, arguments.images, threads), *heads(sharing))
            for _ in range(arguments.pairs)
        ]
        theirs, ours, one, sweep = medians(pairs)
        print(
            f"{threads} threads: epoch after the first {1000 * ours:.1f} ms, PyTorch {1000 * theirs:.0f} ms, "
            f"{theirs / ours:.0f}x; one head {one:.2f} s, twenty {sweep:.2f} s, {sweep / one:.2f}x"
        )
    _, one, sweep = medians(heads([]) for _ in range(arguments.pairs))
    print(f"as cores are shared out by default: one head {one:.2f} s, twenty {sweep:.2f} s, {sweep / one:.2f}x")


if __name__ == "__main__":
    main()
