"""Noise, compression, dropout, weather and policies: what candlewick and its peers do alike.

Each case: a name, candlewick's step, and what makes the peer's transform.
"""

import albumentations as A

CASES = [
    ("gauss-noise", {"gauss-noise": [0.05, 0.2], "p": 1}, lambda: A.GaussNoise((0.05, 0.2), p=1)),
    (
        "gauss-noise, shared",
        {"gauss-noise": [0.05, 0.2], "per-channel": False, "p": 1},
        lambda: A.GaussNoise((0.05, 0.2), per_channel=False, p=1),
    ),
    (
        "iso-noise",
        {"iso-noise": [0.1, 0.5], "color-shift": [0.01, 0.05], "p": 1},
        lambda: A.ISONoise(p=1),
    ),
    (
        "multiplicative-noise",
        {"multiplicative-noise": [0.9, 1.1], "p": 1},
        lambda: A.MultiplicativeNoise((0.9, 1.1), p=1),
    ),
    (
        "multiplicative-noise, per channel",
        {"multiplicative-noise": [0.9, 1.1], "per-channel": True, "p": 1},
        lambda: A.MultiplicativeNoise((0.9, 1.1), per_channel=True, p=1),
    ),
    (
        "multiplicative-noise, elementwise",
        {"multiplicative-noise": [0.9, 1.1], "elementwise": True, "p": 1},
        lambda: A.MultiplicativeNoise((0.9, 1.1), elementwise=True, p=1),
    ),
    (
        "multiplicative-noise, both",
        {"multiplicative-noise": [0.9, 1.1], "per-channel": True, "elementwise": True, "p": 1},
        lambda: A.MultiplicativeNoise((0.9, 1.1), per_channel=True, elementwise=True, p=1),
    ),
    ("shot-noise", {"shot-noise": [0.1, 0.3], "p": 1}, lambda: A.ShotNoise((0.1, 0.3), p=1)),
    ("downscale", {"downscale": [0.25, 0.75], "p": 1}, lambda: A.Downscale((0.25, 0.75), p=1)),
    (
        "jpeg",
        {"jpeg": [50, 95], "p": 1},
        lambda: A.ImageCompression(quality_range=(50, 95), p=1),
    ),
    (
        "coarse-dropout",
        {"coarse-dropout": [1, 2], "p": 1},
        lambda: A.CoarseDropout((1, 2), p=1),
    ),
    (
        "coarse-dropout, random",
        {"coarse-dropout": [1, 2], "fill": "random", "p": 1},
        lambda: A.CoarseDropout((1, 2), fill="random", p=1),
    ),
    (
        "random-erasing",
        {"random-erasing": [0.02, 0.33], "p": 1},
        lambda: A.Erasing((0.02, 0.33), p=1),
    ),
    (
        "random-erasing, random",
        {"random-erasing": [0.02, 0.33], "fill": "random", "p": 1},
        lambda: A.Erasing((0.02, 0.33), fill="random", p=1),
    ),
    ("grid-dropout", {"grid-dropout": 0.5, "p": 1}, lambda: A.GridDropout(0.5, p=1)),
    ("fog", {"fog": [0.3, 1], "p": 1}, lambda: A.RandomFog(p=1)),
    ("rain", {"rain": "default", "p": 1}, lambda: A.RandomRain(p=1)),
    ("snow", {"snow": [0.1, 0.3], "p": 1}, lambda: A.RandomSnow(p=1)),
    (
        "snow, texture",
        {"snow": [0.1, 0.3], "method": "texture", "p": 1},
        lambda: A.RandomSnow(method="texture", p=1),
    ),
    ("shadow", {"shadow": [0.5, 0.5], "p": 1}, lambda: A.RandomShadow(p=1)),
    ("sun-flare", {"sun-flare": [6, 10], "p": 1}, lambda: A.RandomSunFlare(p=1)),
]
