"""Goldens of blurs and colour: python tests/goldens/augment_pixels.py"""

import albumentations as A
import numpy as np
from albumentations.augmentations.blur import functional as fblur

from augment import Cases, noise, scene

cases = Cases()
gray, rgb = noise(24, 31, 1), noise(12, 32, 3)
picture, narrow = scene(21, 31, 3), noise(9, 5, 3)
everything = (gray, rgb, picture, narrow)


def add(step, transform, images, drawn=None, within_one=1.0, **params):
    """A case for each image; `params` are what chance would have decided."""
    for image in images:
        # Some of Albumentations' transforms change what they are given.
        given = image.copy()
        if params:
            out = transform.apply(given, **params)
        else:
            out = A.Compose([transform])(image=given)["image"]
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
# Tables.
bright = A.RandomBrightnessContrast
for options in ({}, {"brightness_by_max": False}, {"ensure_safe_range": True}):
    keys = {key.replace("_", "-"): value for key, value in options.items()}
    for brightness, contrast in ((0.2, 0.15), (-0.13, -0.2), (0.1, -1.4)):
        add(
            {"brightness-contrast": [[brightness] * 2, [contrast] * 2], **keys},
            bright((brightness, brightness), (contrast, contrast), **options, p=1),
            (gray, rgb),
        )
for gamma in (63, 117, 250):
    add({"gamma": [gamma, gamma]}, A.RandomGamma((gamma, gamma), p=1), (gray, rgb))
for threshold in (0.0, 0.3, 0.5, 1.0):
    transform = A.Solarize((threshold, threshold), p=1)
    add({"solarize": threshold}, transform, (gray, rgb), within_one=None)
for bits in (1, 4, 7):
    add({"posterize": bits}, A.Posterize(bits, p=1), (gray, rgb), within_one=None)
for shift in ((10.7, -20.3, 3.5), (-0.3, 0.2, 0.9)):
    add(
        {"rgb-shift": [[by, by] for by in shift]},
        A.RGBShift(*((by, by) for by in shift), p=1),
        (rgb, narrow),
        within_one=None,
    )

# Channels.
for order in ([2, 0, 1], [0, 2, 1], [2, 1, 0]):
    add(
        {"channel-shuffle": True},
        A.ChannelShuffle(p=1),
        (rgb, narrow),
        drawn={"channels": order},
        within_one=None,
        channels_shuffled=order,
    )
for dropped, fill in (([1], 0), ([0, 2], 77)):
    add(
        {"channel-dropout": [1, 2], "fill": fill},
        A.ChannelDropout((1, 2), fill, p=1),
        (rgb, narrow),
        drawn={"channels": dropped},
        within_one=None,
        channels_to_drop=dropped,
    )

# Colours.
colours = (rgb, picture, narrow)
for method in ("weighted_average", "from_lab", "desaturation", "average", "max"):
    step = {"to-gray": True, "method": method.replace("_", "-")}
    add(step, A.ToGray(method=method, p=1), colours)
add({"to-sepia": True}, A.ToSepia(p=1), colours)
for hue, saturation, value in ((13.4, -20.6, 10.7), (-19.5, 30.2, -15.5), (0, 0, 9.5), (170, 0, 0)):
    add(
        {"hue-saturation-value": [[hue, hue], [saturation, saturation], [value, value]]},
        A.HueSaturationValue((hue, hue), (saturation, saturation), (value, value), p=1),
        colours,
    )
# Where a row ends amid one of its vectors, OpenCV rounds colours and does not cut them. One gray level
# more becomes several if contrast follows, so rows are whole vectors here.
whole = (rgb, scene(11, 32, 3))
changes = ["brightness", "contrast", "saturation", "hue"]
for factors, order in (
    ((1.17, 0.85, 1.3, 0.07), [2, 0, 3, 1]),
    ((0.83, 1.2, 0.7, -0.3), [3, 2, 1, 0]),
    ((1.0, 0.0, 1.0, 0.0), [0, 1, 2, 3]),
    ((1.0, 1.0, 0.0, 0.5), [0, 1, 2, 3]),
):
    named = dict(zip(changes, factors))
    add(
        {"color-jitter": [[0, 2], [0, 2], [0, 2], 0.5]},
        A.ColorJitter((0, 2), (0, 2), (0, 2), 0.5, p=1),
        whole,
        drawn={**named, "order": [changes[i] for i in order]},
        within_one=1.0,
        **named,
        order=order,
    )

# Histograms.
flat = np.full((6, 7, 3), 90, np.uint8)
dark = (picture // 3 + 20).astype(np.uint8)
for mode in ("cv", "pil"):
    for by_channels in (True, False):
        add(
            {"equalize": True, "mode": mode, "by-channels": by_channels},
            A.Equalize(mode, by_channels, p=1),
            (gray, *colours, dark, flat),
        )
for method in ("cdf", "pil"):
    for cutoff in (0, 5, 40):
        add(
            {"auto-contrast": True, "cutoff": cutoff, "method": method},
            A.AutoContrast(cutoff, None, method, p=1),
            (gray, *colours, dark, flat),
        )
for limit, grid in ((4.0, (8, 8)), (1.0, (2, 3)), (2.5, (3, 1))):
    add(
        {"clahe": [limit, limit], "tile-grid-size": list(grid)},
        A.CLAHE((limit, limit), grid, p=1),
        (gray, rgb, picture, dark),
        within_one=0.999,
    )
cases.save("pixels")
