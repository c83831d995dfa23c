"""Trains one network in one process with one thread, and in two such processes at once, alternately, and
prints how much more the two do.

usage: scaling.py WICK [--rounds N] [--networks plain demo vgg6 resnet18]

Each round compares two at once with the mean of one before and one after, since machines that others
share change their speed within minutes. Figures are medians over the rounds, with the smallest and the
largest ratio. Run it on a quiet machine with two cores.
"""

import argparse
import statistics
import subprocess

# Batch and steps: some seconds each.
NETWORKS = {"plain": (256, 200), "demo": (128, 30), "vgg6": (64, 20), "resnet18": (32, 5)}


def images_per_second(program, name, processes):
    """What each of so many processes at once does."""
    batch, steps = NETWORKS[name]
    command = [program, "bench-step", name, "--batch", str(batch), "--steps", str(steps), "--threads", "1"]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(processes)]
    # "1234.5 img/s, 110 MB at the peak"
    return [float(process.communicate()[0].split()[0]) for process in running]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("wick")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS))
    arguments = parser.parse_args()
    print("| network, batch | one, img/s | two together, img/s | ratio | of all rounds |")
    print("|---|---|---|---|---|")
    for name in arguments.networks:
        ones, twos, ratios = [], [], []
        for _ in range(arguments.rounds):
            before = images_per_second(arguments.wick, name, 1)
            twos.append(sum(images_per_second(arguments.wick, name, 2)))
            around = before + images_per_second(arguments.wick, name, 1)
            ones += around
            ratios.append(twos[-1] / statistics.mean(around))
        one, two, ratio = map(statistics.median, (ones, twos, ratios))
        spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
        network = f"{name}, {NETWORKS[name][0]}"
        print(f"| {network} | {one:,.0f} | {two:,.0f} | {ratio:.2f}× | {spread} |", flush=True)


if __name__ == "__main__":
    main()
