"""Cuts the power of sweeps: what the disk may hold then is put into a folder, the sweep goes on there, and must come out
as if nothing had happened.

usage: simulate.py WICK [--cuts N] [--seed S] [--only NAME…] [--workers N] [--keep FOLDER] [--lying-disk]

Each scenario is run once under strace, which says what the program does to files and when it waits for the disk. At every
moment of it the power may fail. Then the disk holds what was synced and any part of the rest: writes may be lost, torn at
sectors or done before earlier ones; names may be missing or new with old contents. Such disks are made, the systematic
ones first and then drawn ones, N in all. On each the same command is run again. It has to end with exit code 0, and

- every table, checkpoint and prediction is the same, byte for byte, as after an undisturbed run. A file of a trial that
  pruning has stopped, which nobody has read since, may be torn: then `wick verify` names it, and when it is removed, as
  that says, the next run makes it anew;
- no trial is trained again that was told to have ended before the cut.

With --lying-disk, the disk says at once that it holds what it was given: then trials that had ended are lost, which shows
that this program would notice if something were not synced.

A disk that fails is described, with what repeats it, and left in --keep; the program then ends with 1. With no strace, or
where it may not trace, the program says "skipped".
"""

import argparse
import collections
import json
import multiprocessing
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time

import disk
import trace

BASE = """
name = "cut"
seed = 7
[data]
source = "digits"
image = { size = [8, 8], channels = 1 }
subset = { per-class = 3 }
test = 0.02
validation = 0.02
batch-size = 16
[model]
layers = [{ conv = 2, kernel = 3 }, "flatten", { dense = "classes" }]
[train]
epochs = 3
optimizer = { sgd = { lr = 0.1, momentum = 0.9 } }
"""

# Name: (what is added to BASE, --set of each command; those before the last are run before the power may fail).
SCENARIOS = {
    "sweep": ('[sweep.grid]\n"train.optimizer.sgd.lr" = [0.03, 0.1]\n"model.defaults.norm" = ["none", "batch"]\n', [[]]),
    "checkpoints inside of epochs": ('[run]\ncheckpoint-every = { steps = 1 }\n', [["sweep.seeds=2"]]),
    "pruning": (
        '[sweep]\nprune = { asha = { first = 1, factor = 2 } }\n[sweep.grid]\n'
        '"train.optimizer.sgd.lr" = [0.001, 0.03, 0.1, 0.3]\n',
        [[]],
    ),
    "search": (
        '[sweep]\nsearch = { tpe = 4, round = 2, startup = 2, "train.optimizer.sgd.lr" = { log-uniform = [0.01, 1.0] } }\n',
        [[]],
    ),
    "tree of stages": (
        '[sweep.grid]\n"train.schedule" = [{ steps = { at = [1] } }, { steps = { at = [2] } }]\n'
        '"train.best" = ["val_loss", "val_accuracy"]\n',
        [[]],
    ),
    "images on the disk": ('[run]\ndata-memory = "2kB"\n[augment]\ntrain = [{ rotate = 15, p = 0.5 }]\n', [["sweep.seeds=2"]]),
    "more epochs": ("", [["train.epochs=2", "sweep.seeds=2"], ["sweep.seeds=2"]]),
    "frozen features": (
        "",
        [
            ["name=first"],
            ["model.weights={ experiment = \"first\", trial = \"best\" }", "transfer.case=small-similar", "sweep.seeds=2"],
        ],
    ),
}


def command(wick, sets):
    sets = [part for each in sets for part in ("--set", each)]
    return [str(wick), "run", "experiment.toml", "--json", "--workers", "1", "--threads", "1", *sets]


def outcome(folder):
    """Everything that may not depend on what happened."""
    root = pathlib.Path(folder) / "results/cut"
    kept = {"best.safetensors", "predictions.csv", "scores.csv", "confusion.csv", "epochs.csv", "plan.toml"}
    found = {}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if path.is_file() and (name in ("trials.csv", "metrics.csv", "decisions.csv", "experiment.toml") or path.name in kept):
            found[name] = path.read_bytes()
    return found


def events(said, kinds):
    """The trials of the events of some kinds."""
    lines = said.decode(errors="replace").splitlines()
    read = [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]
    return {event["digest"] for event in read if event["event"] in kinds and "digest" in event}


class Scenario:
    """A recorded sweep, and what it comes to."""

    def __init__(self, wick, name, place):
        added, commands = SCENARIOS[name]
        self.wick, self.name, self.last = wick, name, commands[-1]
        folder = pathlib.Path(place) / name.replace(" ", "-")
        folder.mkdir(parents=True)
        self.experiment = BASE + added
        (folder / "experiment.toml").write_text(self.experiment)
        for sets in commands[:-1]:
            subprocess.run(command(wick, sets), cwd=folder, check=True, capture_output=True)
        # What is there before is on the disk.
        self.before = {
            path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None
            for path in sorted(folder.rglob("*"))
        }
        done, self.trace = trace.record(command(wick, self.last), folder, f"{folder}.strace", self.before)
        if done.returncode != 0:
            sys.exit(f"{name}: {done.stderr.decode()}")
        self.expected = outcome(folder)
        pruned = [line.split(",")[1] for line in self.expected["trials.csv"].decode().splitlines() if ",pruned," in line]
        self.of_pruned = {name for name in self.expected for digest in pruned if name.startswith(f"trials/{digest}/")}
        self.ops = self.trace.ops
        shutil.rmtree(folder)

    def states(self, cuts, seed):
        """Disks that a power cut may leave: (cut, what tells it from others, contents, trials that were told to have ended)."""
        chance = random.Random(f"{seed} {self.name}")
        some = 0
        while cuts > 0:
            # Few cuts are spread over the whole run, too.
            for cut in chance.sample(range(1, len(self.ops) + 1), len(self.ops)):
                said = b"".join(op.data for op in self.ops[:cut] if op.kind == "said")
                ended = events(said, {"finished"})
                for kept, torn in disk.choices(self.ops, cut, chance, some):
                    yield cut, disk.after(self.ops, cut, kept, torn, self.trace.start), ended
                    cuts -= 1
                    if cuts <= 0:
                        return
            # Each round draws more of each moment.
            some = max(4, 2 * some)

    def check(self, contents, ended):
        """What is wrong with going on from a disk; none if it comes out right. The folder is left if asked for."""
        folder = pathlib.Path(tempfile.mkdtemp(prefix="cut-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None))
        try:
            for name, data in contents.items():
                path = folder / name
                if data is None:
                    path.mkdir(parents=True, exist_ok=True)
                else:
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(data)
            (folder / "experiment.toml").write_text(self.experiment)
            problem, differs = self.go_on(folder, ended)
            if not differs or not all(name in self.of_pruned for name in differs):
                return problem
            verify = [str(self.wick), "verify", "results/cut"]
            told = subprocess.run(verify, cwd=folder, capture_output=True, timeout=60, check=False).stdout.decode()
            if unnamed := [name for name in differs if f"results/cut/{name}" not in told]:
                return f"{problem}, and wick verify does not name {', '.join(unnamed)}: {told}"
            for name in differs:
                (folder / "results/cut" / name).unlink()
            return self.go_on(folder, set())[0]
        finally:
            shutil.rmtree(folder)

    def go_on(self, folder, ended):
        """Runs the command once more in a folder: what is wrong, and the files that are others than expected."""
        try:
            done = subprocess.run(command(self.wick, self.last), cwd=folder, capture_output=True, timeout=60, check=False)
        except subprocess.TimeoutExpired:
            return "the run does not end", []
        errors = done.stderr.decode(errors="replace")
        if done.returncode != 0 or "panicked" in errors:
            return f"exit code {done.returncode}: {errors}", []
        if again := ended & events(done.stdout, {"started", "epoch"}):
            return f"trials that had ended are trained again: {sorted(again)}: {errors}", []
        found = outcome(folder)
        differs = [name for name in self.expected if found.get(name) != self.expected[name]]
        added = [name for name in found if name not in self.expected]
        if added:
            return f"{', '.join(added)} came in addition: {errors}", []
        return (f"{', '.join(differs)} differ: {errors}", differs) if differs else (None, [])


SCENARIO = None


def work(task):
    cut, contents, ended = task
    return cut, contents, SCENARIO.check(contents, ended)


def main():
    global SCENARIO
    parser = argparse.ArgumentParser()
    parser.add_argument("wick", type=pathlib.Path)
    parser.add_argument("--cuts", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="+", choices=SCENARIOS, default=list(SCENARIOS))
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--keep", type=pathlib.Path)
    parser.add_argument("--lying-disk", action="store_true")
    arguments = parser.parse_args()
    if not trace.is_allowed():
        print("skipped: there is no strace that may trace")
        return
    failures, all_cuts, all_disks = 0, 0, 0
    start = time.monotonic()
    for name in arguments.only:
        with tempfile.TemporaryDirectory() as place:
            SCENARIO = Scenario(arguments.wick.resolve(), name, place)
        if arguments.lying_disk:
            SCENARIO.ops = [op for op in SCENARIO.ops if op.kind != "sync"]
        seen, cuts = set(), 0

        def new():
            nonlocal cuts
            for cut, contents, ended in SCENARIO.states(arguments.cuts // len(arguments.only), arguments.seed):
                cuts += 1
                key = disk.digest(contents) + repr(sorted(ended)).encode()
                if key not in seen:
                    seen.add(key)
                    yield cut, contents, ended

        wrong = collections.Counter()
        with multiprocessing.get_context("fork").Pool(arguments.workers) as pool:
            for cut, contents, problem in pool.imap_unordered(work, new(), chunksize=8):
                if problem is None:
                    continue
                wrong[problem.split(":")[0]] += 1
                if wrong[problem.split(":")[0]] <= 2:
                    print(f"{name}: power cut after operation {cut} of {len(SCENARIO.ops)}: {problem}", file=sys.stderr)
                    if arguments.keep:
                        folder = arguments.keep / f"{name.replace(' ', '-')}-{cut}-{sum(wrong.values())}"
                        for path, data in contents.items():
                            (folder / path).parent.mkdir(parents=True, exist_ok=True)
                            (folder / path).mkdir(exist_ok=True) if data is None else (folder / path).write_bytes(data)
                        (folder / "experiment.toml").write_text(SCENARIO.experiment)
        failures, all_cuts, all_disks = failures + sum(wrong.values()), all_cuts + cuts, all_disks + len(seen)
        told = f"{sum(wrong.values())} WRONG" if wrong else "all came out right"
        print(f"{name}: {len(SCENARIO.ops)} operations, {cuts:,} cuts, {len(seen):,} different disks: {told}", flush=True)
    print(f"{all_cuts:,} cuts, {all_disks:,} disks, {time.monotonic() - start:.0f} s")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
