"""Reads what ``wick`` writes: results as data frames, and trained weights into PyTorch modules.

>>> import candlewick
>>> sweep = candlewick.Results("results/quickstart")
>>> sweep.trials().groupby("model.defaults.norm")["test_accuracy"].mean()
>>> module.load_state_dict(sweep.trial(3).weights())

Frames are pandas' where it is installed, or polars' with ``engine="polars"``. Nothing else is needed to import this
module; weights need torch and safetensors.
"""

from ._program import WickError, program, wick
from ._results import Results, Trial
from ._weights import load_weights, weights

__all__ = ["Results", "Trial", "WickError", "load_weights", "program", "weights", "wick"]
