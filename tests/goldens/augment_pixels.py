"""Goldens of blurs and colour: python tests/goldens/augment_pixels.py"""

import albumentations as A
import numpy as np
from albumentations.augmentations.blur import functional as fblur

from augment import Cases, noise, scene

cases = Cases()
gray, rgb = noise(24, 31, 1), noise(24, 31, 3)
picture, narrow = scene(33, 40, 3), noise(9, 5, 3)
everything = (gray, rgb, picture, narrow)


def add(step, transform, images, drawn=None, within_one=1.0, **params):
    """A case for each image; `params` are what chance would have decided."""
    for image in images:
        if params:
            out = transform.apply(image, **params)
        else:
            out = A.Compose([transform])(image=image)["image"]
        cases.add(step, image, out, drawn=drawn, within_one=within_one)


# Blurs. OpenCV's rounding of halves depends on the width of its vectors, hence "within one".
for size in (3, 5, 7, 15, 21):
    add({"blur": [size, size]}, A.Blur((size, size), p=1), everything)
for size in (3, 5, 7, 9):
    add({"median-blur": [size, size]}, A.MedianBlur((size, size), p=1), everything)
for sigma, size in ((0.5, 0), (1.7, 0), (3.0, 0), (1.2, 7)):
    add(
        {"gaussian-blur": [size, size], "sigma-limit": [sigma, sigma]},
        A.GaussianBlur((size, size), (sigma, sigma), p=1),
        everything,
    )
for size, angle, direction in ((3, 0, 0), (7, 30, 0.5), (7, 200, -1), (15, 77, -0.3), (9, 0, 1)):
    add(
        {
            "motion-blur": [size, size],
            "angle-range": [angle, angle],
            "direction-range": [direction, direction],
            "allow-shifted": False,
        },
        A.MotionBlur((size, size), False, (angle, angle), (direction, direction), p=1),
        (gray, picture, narrow),
    )


class Shift:
    """A generator of random numbers whose numbers are known."""

    def __init__(self, *shift):
        self.shift = list(shift)

    def uniform(self, _low, _high):
        return self.shift.pop(0)


kernel = fblur.create_motion_kernel(9, 120.0, 0.2, True, Shift(0.6, -0.9))
add(
    {"motion-blur": 9},
    A.MotionBlur(9, p=1),
    (rgb,),
    drawn={"kernel": 9, "angle": 120.0, "direction": 0.2, "shift": [0.6, -0.9]},
    kernel=kernel / kernel.sum(),
)
for radius, alias in ((3, 0.1), (5, 0.5), (10, 0.3), (2, 0.0)):
    add(
        {"defocus": [radius, radius], "alias-blur": [alias, alias]},
        A.Defocus((radius, radius), (alias, alias), p=1),
        (gray, picture, narrow),
    )
for alpha, second in ((0.2, 0.5), (0.5, 1.0), (1.0, 0.3)):
    add(
        {"sharpen": [alpha, alpha], "lightness": [second, second]},
        A.Sharpen((alpha, alpha), (second, second), p=1),
        everything,
    )
    add(
        {"emboss": [alpha, alpha], "strength": [second, second]},
        A.Emboss((alpha, alpha), (second, second), p=1),
        everything,
    )
# COLOUR
cases.save("pixels")
