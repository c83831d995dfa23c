"""Trained weights as PyTorch's tensors, by name."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from ._program import wick

if TYPE_CHECKING:
    import torch


def weights(checkpoint: str | os.PathLike[str]) -> dict[str, torch.Tensor]:
    """The weights of a checkpoint, by the names that PyTorch's networks use.

    ``checkpoint`` is a ``best.safetensors``, the folder of a trial or a results folder, as for ``wick export --model``.
    ``wick`` reads it and checks its hash first. Presets have torchvision's names; the layers of other networks have
    those that ``wick check`` shows. Convolutions are [out, in / groups, height, width], dense layers [out, in].

    Raises WickError if the checkpoint is damaged or is none.
    """
    from safetensors.torch import load_file

    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "weights.safetensors"
        wick("export", "--model", checkpoint, "--to", "safetensors", "--out", out)
        loaded: dict[str, torch.Tensor] = load_file(out)
        return loaded


def load_weights(module: torch.nn.Module, checkpoint: str | os.PathLike[str]) -> torch.nn.Module:
    """Puts the weights of a checkpoint into ``module`` by name, and returns it.

    Every parameter and every buffer has to be there with its shape. ``num_batches_tracked`` of batch norms is not: it
    is used by no prediction.

    Raises RuntimeError with all names and shapes that differ, WickError if the checkpoint is damaged.
    """
    found = module.load_state_dict(weights(checkpoint), strict=False)
    missing = [name for name in found.missing_keys if not name.endswith(".num_batches_tracked")]
    problems = [f"the checkpoint lacks {name}" for name in missing]
    problems += [f"the module has no {name}" for name in found.unexpected_keys]
    if problems:
        raise RuntimeError(f"{os.fspath(checkpoint)} is of another network:\n  " + "\n  ".join(problems))
    return module
