"""Runs the sweep of `sweep.toml` with candlewick and with PyTorch + Albumentations alternately, and prints
seconds, peak memory of all processes together and seconds until the first step.

usage: sweep.py WICK IMAGES LABELS [--pairs N]

IMAGES and LABELS are Fashion-MNIST's test files, which candlewick bundles: data/bundled/fashion-mnist. Run
it with a Python that has torch and albumentations, on a quiet machine with two cores.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).parent
KEEP_PAGES = {"MALLOC_TRIM_THRESHOLD_": "1000000000", "MALLOC_MMAP_THRESHOLD_": "1000000000"}


def family(process):
    """The process and all below it."""
    parents = {}
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
        except OSError:
            pass
    found = {process}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def memory(process):
    """Megabytes of the process and all below it; pages that they share count once."""
    total = 0
    for member in family(process):
        try:
            rollup = pathlib.Path(f"/proc/{member}/smaps_rollup").read_text()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
    return total / 1000


def measured(command, environment, first_step):
    """Seconds, peak megabytes, and what `first_step` makes of the lines with their times."""
    started = time.perf_counter()
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, **environment}
    )
    peak, ended = [0.0], threading.Event()

    def watch():
        while not ended.wait(0.2):
            peak[0] = max(peak[0], memory(process.pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    lines = [(time.perf_counter() - started, line) for line in process.stdout]
    code = process.wait()
    seconds = time.perf_counter() - started
    ended.set()
    watcher.join()
    assert code == 0, f"{command} ended with {code}"
    return seconds, peak[0], first_step(lines)


def first_batch(lines):
    """When the first epoch began, and a batch of its 63 later."""
    for at, line in lines:
        event = json.loads(line)
        if event["event"] == "epoch":
            return at - event["seconds"] * 62 / 63
    raise ValueError("no epoch")


def told(lines):
    return float(lines[-1][1].split()[-2])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("wick")
    parser.add_argument("images")
    parser.add_argument("labels")
    parser.add_argument("--pairs", type=int, default=3)
    arguments = parser.parse_args()
    ours, theirs = [], []
    for pair in range(arguments.pairs):
        with tempfile.TemporaryDirectory() as results:
            sweep = [str(HERE / "sweep.toml"), "--results", results]
            ours.append(measured([arguments.wick, "run", "--json", *sweep], {}, first_batch))
        peer = [sys.executable, str(HERE / "sweep_pytorch.py"), arguments.images, arguments.labels]
        theirs.append(measured(peer, KEEP_PAGES, told))
        print(f"pair {pair + 1}: {ours[-1][0]:.1f} s and {theirs[-1][0]:.1f} s", file=sys.stderr)
    ours, theirs = ([statistics.median(column) for column in zip(*runs)] for runs in (ours, theirs))
    print("| | candlewick | PyTorch + Albumentations | ratio |")
    print("|---|---|---|---|")
    names = ["12 trials, s", "peak memory, MB", "first step after, s"]
    for name, our, their in zip(names, ours, theirs):
        print(f"| {name} | {our:.2f} | {their:.2f} | {their / our:.2f}× |")


if __name__ == "__main__":
    main()
