"""How much more two processes that train a network with one thread each do together than one of them.

usage: scaling.py WICK [--minutes M] [--networks plain demo vgg6 resnet18]

Machines that others share change their speed within seconds. So both processes run for all of the time,
and by turns one of them, both, the other, and both may go on; the others are stopped. The same is done, in
between, with two processes that only count: what they do together is what the machine gives to two programs
that share neither caches nor memory. Figures are medians of all rounds; of ratios also what a tenth of them
is below and above. Run it on a quiet machine with two cores.
"""

import argparse
import atexit
import os
import signal
import statistics
import subprocess
import sys
import threading
import time

# Batch, and seconds of a turn: some steps each.
NETWORKS = {"plain": (256, 1), "demo": (128, 1), "vgg6": (64, 1.5), "resnet18": (32, 5)}

COUNTING = "while True:\n for _ in range(100_000): pass\n print(flush=True)"
COUNTING_TURN = 0.5


class Pair:
    """Two processes of a command that prints a line after each step, both stopped."""

    def __init__(self, command, batch, turn):
        self.batch, self.turn = batch, turn
        self.processes = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(2)]
        atexit.register(self.end)
        # When each step was done.
        self.steps = [[], []]
        for process, steps in zip(self.processes, self.steps):
            threading.Thread(target=self.read, args=(process, steps), daemon=True).start()
        while any(len(steps) < 2 for steps in self.steps):
            if any(process.poll() is not None for process in self.processes):
                sys.exit(f"{' '.join(command)} ended")
            time.sleep(0.1)
        self.let([])

    @staticmethod
    def read(process, steps):
        while lines := os.read(process.stdout.fileno(), 1 << 16):
            steps += [time.monotonic()] * lines.count(b"\n")

    def let(self, running):
        for index, process in enumerate(self.processes):
            process.send_signal(signal.SIGCONT if index in running else signal.SIGSTOP)

    def together(self, running):
        """Images per second of those that run in a turn, from the whole steps within."""
        for steps in self.steps:
            steps.clear()
        self.let(running)
        time.sleep(self.turn)
        done = [list(self.steps[index]) for index in running]
        if any(len(steps) < 2 for steps in done):
            sys.exit("a turn was too short for two steps: is the machine busy?")
        return sum(self.batch * (len(steps) - 1) / (steps[-1] - steps[0]) for steps in done)

    def round(self):
        """What one does, and what two do."""
        turns = [self.together(running) for running in ([0], [0, 1], [1], [0, 1])]
        self.let([])
        return (turns[0] + turns[2]) / 2, (turns[1] + turns[3]) / 2

    def end(self):
        for process in self.processes:
            process.kill()


def ratio(rounds):
    ratios = sorted(two / one for one, two in rounds)
    tenth = len(ratios) // 10
    return f"{statistics.median(ratios):.2f}×", f"{ratios[tenth]:.2f} to {ratios[-1 - tenth]:.2f}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("wick")
    parser.add_argument("--minutes", type=float, default=4, help="for each network")
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    arguments = parser.parse_args()
    print("| network, batch | one, img/s | two together, img/s | ratio | 10 to 90 % | two that count | 10 to 90 % |")
    print("|---|---|---|---|---|---|---|")
    for name in arguments.networks:
        batch, turn = NETWORKS[name]
        command = [arguments.wick, "bench-step", name, "--batch", str(batch), "--endless"]
        training = Pair(command, batch, turn)
        counting = Pair([sys.executable, "-c", COUNTING], 1, COUNTING_TURN)
        rounds, counted = [], []
        end = time.monotonic() + 60 * arguments.minutes
        while not rounds or time.monotonic() < end:
            rounds.append(training.round())
            counted.append(counting.round())
        training.end()
        counting.end()
        one, two = (statistics.median(figures) for figures in zip(*rounds))
        columns = [f"{name}, {batch}", f"{one:,.0f}", f"{two:,.0f}", *ratio(rounds), *ratio(counted)]
        print(f"| {' | '.join(columns)} |", flush=True)


if __name__ == "__main__":
    main()
