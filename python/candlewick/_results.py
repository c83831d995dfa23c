"""A results folder: its tables as data frames, its trials by number."""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Union

from ._program import wick
from ._weights import load_weights, weights

if TYPE_CHECKING:
    import pandas
    import polars
    import torch

    Frame = Union[pandas.DataFrame, polars.DataFrame]

Engine = Literal["pandas", "polars"]


class Results:
    """The results folder of an experiment.

    ``engine`` says whose data frames are given: pandas' unless told otherwise. ``wick verify`` first compares every file
    with its hash. ``verify=False`` reads a folder that is not whole, such as published tables without ``trials/``; then
    nobody notices a table that was edited.

    Raises FileNotFoundError if the folder has no ``trials.csv``, WickError if a file is damaged, missing or was edited.
    """

    def __init__(self, folder: str | os.PathLike[str], engine: Engine = "pandas", *, verify: bool = True) -> None:
        self.folder = Path(folder)
        self.engine = engine
        if engine not in ("pandas", "polars"):
            raise ValueError(f'engine is "{engine}"; it is "pandas" or "polars"')
        if not (self.folder / "trials.csv").is_file():
            raise FileNotFoundError(f"{self.folder} has no trials.csv; it is no results folder of wick run")
        if verify:
            self.verify()

    def __repr__(self) -> str:
        return f"Results({str(self.folder)!r})"

    def verify(self) -> None:
        """Holds every file of the folder against its hash, as ``wick verify`` does.

        Raises WickError that names what is damaged.
        """
        wick("verify", self.folder)

    def trials(self) -> Frame:
        """``trials.csv``: a row for each trial, with its settings and its results at the best epoch."""
        return self._frame(self.folder / "trials.csv", {"digest": str})

    def metrics(self) -> Frame:
        """``metrics.csv``: a row for each epoch of each trial."""
        return self._frame(self.folder / "metrics.csv", {})

    def trial(self, number: int) -> Trial:
        """The trial with this number; the first one is 1.

        Raises KeyError if there is none.
        """
        with open(self.folder / "trials.csv", encoding="utf-8", newline="") as table:
            for row in csv.DictReader(table):
                if row["trial"] == str(number):
                    return Trial(number, row["digest"], row["status"], self)
        raise KeyError(f"{self.folder} has no trial {number}")

    def _frame(self, path: Path, types: dict[str, Any]) -> Frame:
        if self.engine == "polars":
            import polars

            # Types come from the whole column: a rate may be 1 in its first thousand rows and 0.5 in the next.
            text = {name: polars.String for name in types}
            return polars.read_csv(path, infer_schema_length=None, schema_overrides=text)
        import pandas

        return pandas.read_csv(path, dtype=types, float_precision="round_trip")


@dataclass(frozen=True)
class Trial:
    """One trial of a results folder."""

    number: int
    digest: str
    status: str
    results: Results

    @property
    def folder(self) -> Path:
        """Where its checkpoints and predictions are."""
        return self.results.folder / "trials" / self.digest

    @property
    def checkpoint(self) -> Path:
        """The weights of its best epoch, with what is needed to use them."""
        return self.folder / "best.safetensors"

    def predictions(self) -> Frame:
        """A row for each image that it was judged on: name, class, what was said, and the probability of each class."""
        return self.results._frame(self.folder / "predictions.csv", {})

    def scores(self) -> Frame:
        """What its predictions come to, a row for each score."""
        return self.results._frame(self.folder / "scores.csv", {})

    def weights(self) -> dict[str, torch.Tensor]:
        """Its best weights, by name: see :func:`candlewick.weights`."""
        return weights(self.checkpoint)

    def load_into(self, module: torch.nn.Module) -> torch.nn.Module:
        """Puts its best weights into ``module``: see :func:`candlewick.load_weights`."""
        return load_weights(module, self.checkpoint)
