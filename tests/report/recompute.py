#!/usr/bin/env python3
"""Recomputes the numbers of report.html from trials.csv and metrics.csv, with scipy and nothing of candlewick.

    python tests/report/recompute.py results/quickstart [...]

Means, intervals, paired tests against the best, matched pairs, interactions and Holm's corrections have
to agree to 1e-9. Says what differs and exits with 1 if anything does.
"""

import csv
import itertools
import json
import math
import re
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
from scipy import stats


def read(folder):
    """The completed trials: settings, (seed, fold), value by measure."""
    best = {}
    with open(folder / "metrics.csv", newline="") as file:
        rows = {(row["trial"], row["epoch"]): row for row in csv.DictReader(file)}
    with open(folder / "trials.csv", newline="") as file:
        reader = csv.reader(file)
        header = next(reader)
        axes = header[2 : header.index("seed", 2) if header.count("seed") == 1 else len(header) - 19]
        trials = []
        for cells in reader:
            row = dict(zip(header, cells))
            if row["status"] != "completed":
                continue
            epoch = rows[row["trial"], row["best_epoch"]]
            values = {name: row[name] for name in header if name.startswith("test_")}
            values |= {name: value for name, value in epoch.items() if re.match("(train|val)_", name)}
            values = {name: float(value) for name, value in values.items() if value}
            trials.append((dict(zip(axes, cells[2:])), (row["seed"], row["fold"]), values))
    return axes, trials


def estimate(values):
    values = np.asarray(values)
    n = len(values)
    found = {"n": n, "mean": values.mean(), "deviation": None, "half_width": None}
    if n > 1:
        low, high = stats.t.interval(0.95, n - 1, values.mean(), stats.sem(values)) if values.std() else (0, 0)
        found |= {"deviation": values.std(ddof=1), "half_width": (high - low) / 2}
    return found


def paired(differences):
    differences = np.asarray(differences)
    found = estimate(differences)
    found["p"] = None
    if len(differences) > 1:
        if not differences.any():
            found["p"] = 1.0
        elif differences.std(ddof=1) > 1e-12 * abs(differences).max():
            found["p"] = stats.ttest_1samp(differences, 0).pvalue
    return found


def holm(ps):
    known = sorted((p, index) for index, p in enumerate(ps) if p is not None)
    corrected, least = [None] * len(ps), 0.0
    for rank, (p, index) in enumerate(known):
        least = max(least, min(1.0, p * (len(known) - rank)))
        corrected[index] = least
    return corrected


class Check:
    def __init__(self):
        self.wrong, self.count = [], 0

    def same(self, what, found, expected):
        if isinstance(expected, dict):
            for key, value in expected.items():
                self.same(f"{what}.{key}", found[key], value)
            return
        self.count += 1
        if found is None or expected is None:
            good = found is None and expected is None
        else:
            good = math.isclose(found, expected, rel_tol=1e-9, abs_tol=1e-9)
        if not good:
            self.wrong.append(f"{what}: {found} in the page, {expected} by scipy")


def level(settings, comparison, which):
    """Whether a trial has the level `from` or `to` of a comparison."""
    return all(settings[column] == value for column, value in zip(comparison["columns"], comparison[which]))


def blocks(trials, axes, measure, comparisons):
    """Trials that differ in the columns of the comparisons alone, by their levels there."""
    columns = [column for comparison in comparisons for column in comparison["columns"]]
    blocks = defaultdict(dict)
    for settings, run, values in trials:
        if measure not in values:
            continue
        where = []
        for comparison in comparisons:
            names = [which for which in ("from", "to") if level(settings, comparison, which)]
            where.append(names[0] if names else None)
        if None not in where:
            others = tuple(settings[axis] for axis in axes if axis not in columns)
            blocks[others, run][tuple(where)] = values[measure]
    return blocks.values()


def check(folder):
    page = (folder / "report.html").read_text()
    page = json.loads(re.search(r'id="numbers">(.*?)</script>', page, re.S).group(1))
    axes, trials = read(folder)
    measure = page["measure"]
    test = "test_" + measure.split("_", 1)[1]
    sign = 1 if "loss" in measure else -1
    check = Check()
    groups = defaultdict(dict)
    for settings, run, values in trials:
        groups[tuple(settings[axis] for axis in axes)][run] = values
    key = lambda setting: tuple(setting["values"][axis] for axis in axes)
    ranked = [setting for setting in page["settings"] if setting["estimate"]]
    # Settings on the same images stand together, and only these are ranked and compared.
    sets = [list(alike) for _, alike in itertools.groupby(ranked, lambda setting: setting["set"])]
    if len(sets) != len({setting["set"] for setting in ranked}):
        check.wrong.append("settings on the same images do not stand together")
    for alike in sets:
        means = [setting["estimate"]["mean"] for setting in alike]
        if means != sorted(means, key=lambda mean: sign * mean):
            check.wrong.append("the ranking is not in order")
    best_of = {alike[0]["set"]: alike[0] for alike in sets}
    others = [setting for setting in ranked if setting is not best_of[setting["set"]]]
    if {key(setting) for setting in ranked} != {name for name, runs in groups.items() if runs}:
        check.wrong.append("the settings are not those of trials.csv")
    expected = []
    for setting in ranked:
        name = " ".join(key(setting)) or "the setting"
        runs = groups[key(setting)]
        check.same(name, setting["estimate"], estimate([values[measure] for values in runs.values()]))
        if setting["test"]:
            check.same(f"{name}, test", setting["test"], estimate([values[test] for values in runs.values()]))
        if setting is not best_of[setting["set"]]:
            best = groups[key(best_of[setting["set"]])]
            shared = [best[run][measure] - runs[run][measure] for run in runs if run in best]
            expected.append(paired(shared) if shared else None)
            if shared:
                check.same(f"{name}, behind", setting["behind"], expected[-1])
    corrected = holm([found and found["p"] for found in expected])
    for setting, p in zip(others, corrected):
        check.same(f"{' '.join(key(setting))}, Holm", setting["p_holm"], p)
        verdict = "unknown" if p is None else "worse" if p < 0.05 else "tied"
        if setting["verdict"] != verdict:
            check.wrong.append(f"{key(setting)} is called {setting['verdict']}, not {verdict}")
    for kind in ("effects", "interactions"):
        expected = []
        for found in page[kind]:
            comparisons = found["factors"] if kind == "interactions" else [found["factor"]]
            differences = []
            for block in blocks(trials, axes, measure, comparisons):
                corners = list(itertools.product(("from", "to"), repeat=len(comparisons)))
                if all(corner in block for corner in corners):
                    value = sum(block[c] * (-1) ** c.count("from") for c in corners)
                    differences.append(value)
            expected.append(paired(differences))
            name = " × ".join("/".join(c["columns"]) + " " + "/".join(c["to"]) for c in comparisons)
            check.same(f"{kind}, {name}", found["paired"], expected[-1])
        for found, p in zip(page[kind], holm([found["p"] for found in expected])):
            check.same(f"{kind}, Holm", found["p_holm"], p)
    return check


def main():
    failed = False
    for folder in map(Path, sys.argv[1:]):
        found = check(folder)
        failed |= bool(found.wrong)
        print(f"{folder}: {found.count} numbers, {len(found.wrong)} differ")
        for line in found.wrong[:20]:
            print(f"  {line}")
    sys.exit(failed)


main()
