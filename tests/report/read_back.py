#!/usr/bin/env python3
"""Reads exports with the tools that they are for, and compares every number with the tables of the results folder.

    python tests/report/read_back.py results/quickstart [...] [--wick target/release/wick]

Exports into a temporary folder, then reads event files with TensorBoard's own loader and HParams plugin, the mlruns
folder with MLflow's client, and the long form with pandas, polars and pyarrow. What is not installed is said and
left out. Says what differs and exits with 1 if anything does.
"""

import argparse
import csv
import importlib.util
import os
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

SCORES = ("loss", "accuracy", "top_k", "precision", "recall", "f1")


def has(*modules):
    missing = [name for name in modules if not importlib.util.find_spec(name)]
    if missing:
        print(f"  skipped: {', '.join(missing)} is not installed")
    return not missing


def single(number):
    """The nearest number of 32 bits, which is what an event file holds."""
    return struct.unpack("f", struct.pack("f", number))[0]


class Results:
    """The tables of a folder, read with Python's own csv."""

    def __init__(self, folder):
        with open(folder / "trials.csv", newline="") as file:
            reader = csv.reader(file)
            header = next(reader)
            end = len(header) - 1 - header[::-1].index("seed")
            self.axes = header[2:end]
            rows = list(reader)
        names = header[end:]
        self.trials = {}
        for row in rows:
            trial = dict(zip(names, row[end:])) | {"digest": row[1], "settings": dict(zip(self.axes, row[2:end]))}
            self.trials[int(row[0])] = trial
        # trial -> column -> epoch -> number
        self.numbers = {trial: {} for trial in self.trials}
        with open(folder / "metrics.csv", newline="") as file:
            for row in csv.DictReader(file):
                trial, epoch = int(row.pop("trial")), int(row.pop("epoch"))
                del row["digest"]
                for column, text in row.items():
                    if text:
                        self.numbers[trial].setdefault(column, {})[epoch] = float(text)

    def results(self, trial):
        """What a trial came to at its best epoch, by the names of the exports."""
        row = self.trials[trial]
        found = {f"best_val_{name}": row[f"val_{name}"] for name in SCORES}
        found |= {f"test_{name}": row[f"test_{name}"] for name in SCORES}
        found |= {name: row.get(name) for name in ("parameters", "flops")}
        return {name: float(text) for name, text in found.items() if text}


class Check:
    def __init__(self):
        self.count, self.wrong = 0, []

    def same(self, what, found, expected):
        self.count += 1
        if found != expected and not (found != found and expected != expected):
            self.wrong.append(f"{what}: {found!r} in the export, {expected!r} in the tables")


def tensorboard(results, folder, check):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
    from tensorboard.plugins.hparams import metadata, plugin_data_pb2

    runs = sorted(path for path in folder.iterdir() if path.is_dir())
    check.same("runs", len(runs), len(results.trials))
    statuses = {"completed": 1, "pruned": 1, "failed": 2, "unfinished": 3}
    for run in runs:
        trial = int(run.name.split("_")[0].removeprefix("trial-"))
        events = EventAccumulator(str(run), size_guidance={"scalars": 0})
        events.Reload()
        scalars = {tag: {int(it.step): it.value for it in events.Scalars(tag)} for tag in events.Tags()["scalars"]}
        for column, numbers in results.numbers[trial].items():
            part, _, score = column.partition("_")
            tag = f"{score}/{part}" if score else column
            check.same(f"{run.name} {tag} epochs", set(scalars[tag]), set(numbers))
            for epoch, number in numbers.items():
                check.same(f"{run.name} {tag} {epoch}", scalars[tag][epoch], single(number))
        for name, number in results.results(trial).items():
            check.same(f"{run.name} {name}", list(scalars[f"results/{name}"].values()), [single(number)])
        contents = events.PluginTagToContent("hparams")
        start = metadata.parse_session_start_info_plugin_data(contents[metadata.SESSION_START_INFO_TAG])
        settings = {axis: text for axis, text in results.trials[trial]["settings"].items() if text}
        check.same(f"{run.name} settings", set(start.hparams), set(settings))
        for axis, value in start.hparams.items():
            kind = value.WhichOneof("kind")
            found = getattr(value, kind)
            text = settings[axis]
            expected = {"number_value": float, "bool_value": lambda text: text == "true"}.get(kind, str)(text)
            check.same(f"{run.name} {axis}", found, expected)
        end = metadata.parse_session_end_info_plugin_data(contents[metadata.SESSION_END_INFO_TAG])
        check.same(f"{run.name} status", end.status, statuses[results.trials[trial]["status"]])
    # What the HParams tab itself makes of the folder.
    from tensorboard.backend.event_processing import data_provider
    from tensorboard.context import RequestContext
    from tensorboard.plugins.hparams import api_pb2, backend_context, list_session_groups

    multiplexer = EventMultiplexer(tensor_size_guidance={"scalars": 0})
    multiplexer.AddRunsFromDirectory(str(folder))
    multiplexer.Reload()
    context = type("Context", (), {
        "data_provider": data_provider.MultiplexerDataProvider(multiplexer, str(folder)),
        "sampling_hints": {},
        "flags": None,
    })()
    backend = backend_context.Context(context)
    asked = RequestContext()
    experiment = backend.experiment_from_metadata(asked, "", False, backend.hparams_metadata(asked, ""), [])
    check.same("settings of the HParams tab", sorted(it.name for it in experiment.hparam_infos), sorted(results.axes))
    ask = api_pb2.ListSessionGroupsRequest(start_index=0, slice_size=1_000_000)
    ask.allowed_statuses.extend([0, 1, 2, 3])
    handler = list_session_groups.Handler(asked, backend, "", ask)
    groups = handler.run().session_groups
    sessions = sum(len(group.sessions) for group in groups)
    check.same("sessions of the HParams tab", sessions, len(results.trials))
    settings = {tuple(trial["settings"].values()) for trial in results.trials.values()}
    check.same("session groups of the HParams tab", len(groups), len(settings))
    return len(runs)


def mlflow(results, folder, check):
    os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri=folder.as_uri())
    experiments = client.search_experiments()
    found = [it for it in experiments if it.name != "Default"]
    check.same("experiments", len(found), 1)
    runs = client.search_runs([found[0].experiment_id], max_results=50_000)
    check.same("runs", len(runs), len(results.trials))
    statuses = {"completed": "FINISHED", "pruned": "KILLED", "failed": "FAILED", "unfinished": "RUNNING"}
    for run in runs:
        trial = int(run.data.tags["candlewick.trial"])
        row = results.trials[trial]
        check.same(f"trial {trial}, status", run.info.status, statuses[row["status"]])
        check.same(f"trial {trial}, digest", run.data.tags["candlewick.digest"], row["digest"])
        check.same(f"trial {trial}, seed", run.data.params["seed"], row["seed"])
        for column, numbers in results.numbers[trial].items():
            history = client.get_metric_history(run.info.run_id, column)
            history = {it.step: it.value for it in history}
            check.same(f"trial {trial}, {column}, epochs", set(history), set(numbers))
            for epoch, number in numbers.items():
                check.same(f"trial {trial}, {column}, {epoch}", history[epoch], number)
        for name, number in results.results(trial).items():
            check.same(f"trial {trial}, {name}", run.data.metrics[name], number)
        for axis, text in row["settings"].items():
            name = "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else "_" for c in axis)
            if text:
                check.same(f"trial {trial}, {axis}", run.data.params[name], text)
    return len(runs)


def long(results, table, check):
    """Compares a table, given as a list of dictionaries."""
    seen = set()
    for row in table:
        trial, epoch, part, metric = row["trial"], row["epoch"], row["set"], row["metric"]
        seen.add((trial, epoch, part, metric))
        if metric == "seconds":
            continue
        if part == "test":
            expected = results.results(trial)[f"test_{metric}"]
        else:
            column = metric if metric in ("lr", "steps") else f"{part}_{metric}"
            expected = results.numbers[trial][column][epoch]
        check.same(f"trial {trial}, {part} {metric}, {epoch}", row["value"], expected)
    check.same("rows twice", len(table) - len(seen), 0)
    numbers = sum(len(epochs) for columns in results.numbers.values() for epochs in columns.values())
    tested = sum(name.startswith("test_") for trial in results.trials for name in results.results(trial))
    others = sum(row["metric"] == "seconds" for row in table)
    check.same("rows", len(table), numbers + tested + others)
    return len(table)


def report(what, found, check):
    state = f"{len(check.wrong)} differ" if check.wrong else "all the same"
    print(f"  {what}: {found}, {check.count} comparisons, {state}")
    for line in check.wrong[:20]:
        print(f"    {line}")
    return bool(check.wrong)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--wick", default="target/release/wick")
    arguments = parser.parse_args()
    failed = False
    for folder in arguments.folders:
        print(folder)
        results = Results(folder)
        with tempfile.TemporaryDirectory() as out:
            out = Path(out)
            for option in (("--tensorboard", "runs"), ("--mlflow", "mlruns"), ("--long", "long.csv"), ("--long", "long.parquet")):
                command = [arguments.wick, "report", folder, option[0], out / option[1]]
                subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            if has("tensorboard"):
                check = Check()
                failed |= report("TensorBoard", f"{tensorboard(results, out / 'runs', check)} runs", check)
            if has("mlflow"):
                check = Check()
                failed |= report("MLflow", f"{mlflow(results, out / 'mlruns', check)} runs", check)
            if has("pandas", "pyarrow"):
                import pandas

                for name, read in (("long.csv", pandas.read_csv), ("long.parquet", pandas.read_parquet)):
                    check = Check()
                    table = read(out / name).to_dict("records")
                    failed |= report(f"pandas, {name}", f"{long(results, table, check)} rows", check)
                import pyarrow.parquet

                check = Check()
                table = pyarrow.parquet.read_table(out / "long.parquet")
                failed |= report("pyarrow", f"{long(results, table.to_pylist(), check)} rows", check)
                print("    " + ", ".join(f"{field.name} {field.type}" for field in table.schema))
            if has("polars"):
                import polars

                check = Check()
                table = polars.read_parquet(out / "long.parquet")
                failed |= report("polars", f"{long(results, table.to_dicts(), check)} rows", check)
    sys.exit(failed)


if __name__ == "__main__":
    main()
