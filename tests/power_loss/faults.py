"""Lets calls of the system fail: the disk is full from some write on, or one read, write, sync, rename … fails.

usage: faults.py WICK [--only NAME…] [--faults NAME…] [--every N] [--workers N]

Each run of a scenario has one fault, made by strace: the N-th call of a kind in each thread, for all N that there are (or
each --every-th of them). Whatever happens: the run ends, nothing panics, exit code 0 means that everything is as after an
undisturbed run, and any other code comes with a message. The same command, run again without a fault, comes out as if
nothing had happened. With no strace, or where it may not trace, the program says "skipped".
"""

import argparse
import multiprocessing
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import simulate
import trace

# Name: calls, error, whether all later calls fail too.
FAULTS = {
    "disk full": ("write,pwrite64,writev,ftruncate,mkdir", "ENOSPC", "+"),
    "write fails": ("write,pwrite64,writev", "EIO", ""),
    "sync fails": ("fsync,fdatasync", "EIO", ""),
    "rename fails": ("rename,renameat,renameat2", "EIO", ""),
    "no more files": ("openat", "EMFILE", ""),
    "open fails": ("openat", "EIO", ""),
    "read fails": ("read,pread64", "EIO", ""),
    "unlink fails": ("unlink,unlinkat,rmdir", "EIO", ""),
    "no permission": ("mkdir,rename,openat", "EACCES", "+"),
}

SCENARIO = None


def check(task):
    """What is wrong with a run with this fault, and whether the fault was met at all."""
    name, number = task
    calls, error, more = FAULTS[name]
    folder = pathlib.Path(tempfile.mkdtemp(prefix="fault-"))
    try:
        for path, data in SCENARIO.before.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).mkdir(exist_ok=True) if data is None else (folder / path).write_bytes(data)
        command = simulate.command(SCENARIO.wick, SCENARIO.last)
        log = folder / "strace.log"
        inject = f"{calls}:error={error}:when={number}{more}"
        traced = ["strace", "-f", "-o", str(log), "-e", f"trace={calls}", "-e", f"inject={inject}", *command]
        try:
            done = subprocess.run(traced, cwd=folder, capture_output=True, timeout=60, check=False)
        except subprocess.TimeoutExpired:
            return task, "the run does not end", True
        was_met = "(INJECTED)" in log.read_text(errors="replace")
        errors = done.stderr.decode(errors="replace")
        if "panicked" in errors:
            return task, f"panic: {errors}", was_met
        if done.returncode not in (0, 1, 2, 3, 127):
            return task, f"exit code {done.returncode}: {errors}", was_met
        if done.returncode == 0:
            found = simulate.outcome(folder)
            differs = [it for it in SCENARIO.expected if found.get(it) != SCENARIO.expected[it]]
            if differs:
                return task, f"exit code 0, and {', '.join(differs)} differ: {errors}", was_met
        elif not errors.strip() and name not in ("disk full", "write fails"):
            return task, f"exit code {done.returncode} without a message", was_met
        contents = {
            path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None
            for path in sorted((folder / "results").rglob("*"))
        }
        if problem := SCENARIO.check(contents, set()):
            return task, f"then, without a fault: {problem}", was_met
        return task, None, was_met
    finally:
        shutil.rmtree(folder)


def main():
    global SCENARIO
    parser = argparse.ArgumentParser()
    parser.add_argument("wick", type=pathlib.Path)
    parser.add_argument("--only", nargs="+", choices=simulate.SCENARIOS, default=["sweep", "tree of stages", "images on the disk"])
    parser.add_argument("--faults", nargs="+", choices=FAULTS, default=list(FAULTS))
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    if not trace.is_allowed():
        print("skipped: there is no strace that may trace")
        return
    failures, start = 0, time.monotonic()
    for scenario in arguments.only:
        with tempfile.TemporaryDirectory() as place:
            SCENARIO = simulate.Scenario(arguments.wick.resolve(), scenario, place)
        with multiprocessing.get_context("fork").Pool(arguments.workers) as pool:
            for name in arguments.faults:
                number, runs, wrong, missed = 1, 0, 0, 0
                # Until no thread has so many calls.
                while missed < 4:
                    tasks = [(name, number + step * arguments.every) for step in range(8)]
                    number += 8 * arguments.every
                    missed = 0
                    for task, problem, was_met in pool.imap(check, tasks):
                        runs += was_met
                        missed += not was_met
                        if problem:
                            wrong += 1
                            if wrong <= 3:
                                print(f"{scenario}, {name}, call {task[1]}: {problem}", file=sys.stderr)
                failures += wrong
                told = f"{wrong} WRONG" if wrong else "all came out right"
                print(f"{scenario}, {name}: {runs} faults, {told}", flush=True)
    print(f"{time.monotonic() - start:.0f} s")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
