"""Runs candlewick and PyTorch alternately on the same networks and prints images/s and the ratio.

usage: compare.py WICK [--pairs N] [--threads 1 2] [--networks plain demo vgg6 resnet18] [--ways NCHW "bf16 NCHW" …]

WICK is the program, whose `bench-step` does candlewick's part. PyTorch runs with an allocator that
keeps its pages, in six ways: eager, torch.compile and bf16 autocast, each in both memory formats. One run of each way
finds those that are within a tenth of the fastest; these take turns with candlewick, and the best median counts.
Figures are medians over the pairs; the last two columns are the peak memory of both processes. Run it with a Python
that has torch, on a machine that has a C++ compiler.
"""

import argparse
import os
import pathlib
import statistics
import subprocess
import sys

NETWORKS = {"plain": (256, 60), "demo": (128, 10), "vgg6": (64, 10), "resnet18": (32, 5)}
WAYS = {
    f"{how}{layout}": [*flags, *layout_flags]
    for how, flags in {"": [], "compiled ": ["--compile"], "bf16 ": ["--bf16"]}.items()
    for layout, layout_flags in {"NCHW": [], "channels_last": ["--channels-last"]}.items()
}
HERE = pathlib.Path(__file__).parent


def run(command, environment=None):
    output = subprocess.run(
        command, check=True, capture_output=True, text=True, env={**os.environ, **(environment or {})}
    ).stdout.split()
    # "1234.5 img/s, 110 MB at the peak"
    return float(output[0]), float(output[2])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("wick")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS))
    parser.add_argument("--ways", nargs="+", choices=list(WAYS), default=list(WAYS))
    arguments = parser.parse_args()
    keep_pages = {"MALLOC_TRIM_THRESHOLD_": "1000000000", "MALLOC_MMAP_THRESHOLD_": "1000000000"}
    print("| network, batch | threads | candlewick img/s | PyTorch img/s | ratio | MB | MB |")
    print("|---|---|---|---|---|---|---|")
    for name in arguments.networks:
        batch, steps = NETWORKS[name]
        for threads in arguments.threads:
            rest = [name, "--batch", str(batch), "--steps", str(steps), "--threads", str(threads)]
            peer = [sys.executable, str(HERE / "pytorch.py"), *rest]
            once = {way: run([*peer, *WAYS[way]], keep_pages)[0] for way in arguments.ways}
            said = ", ".join(f"{way} {rate:,.0f}" for way, rate in once.items())
            print(f"{name}, {threads} threads, PyTorch once each: {said}", file=sys.stderr)
            theirs = {way: [] for way, rate in once.items() if rate >= 0.9 * max(once.values())}
            ours = []
            for _ in range(arguments.pairs):
                ours.append(run([arguments.wick, "bench-step", *rest]))
                for way, runs in theirs.items():
                    runs.append(run([*peer, *WAYS[way]], keep_pages))

            def median(runs):
                return [statistics.median(column) for column in zip(*runs)]

            speed, memory = median(ours)
            peers = {way: median(runs) for way, runs in theirs.items()}
            best = max(peers, key=lambda way: peers[way][0])
            rate, peer_memory = peers[best]
            print(
                f"| {name}, {batch} | {threads} | {speed:,.0f} | {rate:,.0f} ({best}) "
                f"| {speed / rate:.2f}× | {memory:.0f} | {peer_memory:.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
