#!/usr/bin/env python3
"""Writes statistics.json: what scipy says of samples that src/report/statistics.rs is tested against.

    python tests/goldens/statistics.py

Made with scipy 1.17.1 and numpy 2.4.6.
"""

import json
from pathlib import Path

import numpy as np
from scipy import integrate, stats


def sample(a, b):
    a, b = np.asarray(a), np.asarray(b)
    test = stats.ttest_rel(a, b)
    return {
        "a": a.tolist(),
        "b": b.tolist(),
        "mean": a.mean(),
        "deviation": a.std(ddof=1),
        "interval": stats.t.interval(0.95, len(a) - 1, a.mean(), stats.sem(a)),
        "difference": (a - b).mean(),
        "difference_interval": list(test.confidence_interval(0.95)),
        "p": test.pvalue,
    }


def holm(p):
    """Holm (1979), as in statsmodels.stats.multitest.multipletests(p, method="holm")."""
    order = np.argsort(p, kind="stable")
    steps = np.asarray(p)[order] * np.arange(len(p), 0, -1)
    corrected = np.empty(len(p))
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return corrected.tolist()


def maximum(k):
    density = lambda x: x * k * stats.norm.pdf(x) * stats.norm.cdf(x) ** (k - 1)
    return integrate.quad(density, -12, 12, epsabs=1e-13, epsrel=1e-13, limit=500)[0]


def main():
    random = np.random.default_rng(7)
    samples = []
    for n in [2, 3, 4, 5, 8, 10, 24, 100, 200]:
        for shift in [0.0, 0.01, 0.3]:
            base = random.normal(0.8, 0.05, n)
            a = base + random.normal(0, 0.01, n) + shift
            b = base + random.normal(0, 0.01, n)
            # Few digits, so that the file says exactly what was computed with.
            samples.append(sample(a.round(6), b.round(6)))
    ps = [random.uniform(0, 1, n).round(6) ** 3 for n in [1, 2, 5, 20]] + [np.array([0.01, 0.01, 0.04])]
    golden = {
        "samples": samples,
        "quantiles": [[f, stats.t.ppf(0.975, f)] for f in [1, 2, 3, 4, 5, 9, 10, 23, 29, 99, 500, 10000]],
        "holm": [{"p": p.tolist(), "corrected": holm(p)} for p in ps],
        "maxima": [[k, maximum(k)] for k in [1, 2, 3, 6, 24, 100, 2000, 10000]],
    }
    path = Path(__file__).with_name("statistics.json")
    path.write_text(json.dumps(golden, default=float) + "\n")


main()
