"""Blurs and colour: the cases of the comparison with Albumentations."""

import albumentations as A

CASES = [
    ("blur", {"blur": [3, 5], "p": 1}, lambda: A.Blur((3, 5), p=1)),
    (
        "gaussian-blur",
        {"gaussian-blur": 0, "sigma-limit": [0.5, 3], "p": 1},
        lambda: A.GaussianBlur(0, (0.5, 3.0), p=1),
    ),
    ("median-blur", {"median-blur": [3, 7], "p": 1}, lambda: A.MedianBlur((3, 7), p=1)),
    ("motion-blur", {"motion-blur": [3, 7], "p": 1}, lambda: A.MotionBlur((3, 7), p=1)),
    ("defocus", {"defocus": [3, 10], "p": 1}, lambda: A.Defocus((3, 10), p=1)),
    (
        "sharpen",
        {"sharpen": [0.2, 0.5], "lightness": [0.5, 1], "p": 1},
        lambda: A.Sharpen((0.2, 0.5), (0.5, 1.0), p=1),
    ),
    (
        "emboss",
        {"emboss": [0.2, 0.5], "strength": [0.2, 0.7], "p": 1},
        lambda: A.Emboss((0.2, 0.5), (0.2, 0.7), p=1),
    ),
    (
        "brightness-contrast",
        {"brightness-contrast": [0.2, 0.2], "p": 1},
        lambda: A.RandomBrightnessContrast(0.2, 0.2, p=1),
    ),
    ("gamma", {"gamma": [80, 120], "p": 1}, lambda: A.RandomGamma((80, 120), p=1)),
    (
        "hue-saturation-value",
        {"hue-saturation-value": [20, 30, 20], "p": 1},
        lambda: A.HueSaturationValue(20, 30, 20, p=1),
    ),
    (
        "color-jitter",
        {"color-jitter": [0.2, 0.2, 0.2, 0.1], "p": 1},
        lambda: A.ColorJitter(0.2, 0.2, 0.2, 0.1, p=1),
    ),
    ("rgb-shift", {"rgb-shift": [20, 20, 20], "p": 1}, lambda: A.RGBShift(20, 20, 20, p=1)),
    ("channel-shuffle", {"channel-shuffle": True, "p": 1}, lambda: A.ChannelShuffle(p=1)),
    ("channel-dropout", {"channel-dropout": [1, 1], "p": 1}, lambda: A.ChannelDropout((1, 1), p=1)),
    ("to-gray", {"to-gray": True, "p": 1}, lambda: A.ToGray(p=1)),
    ("to-sepia", {"to-sepia": True, "p": 1}, lambda: A.ToSepia(p=1)),
    ("invert", {"invert": True, "p": 1}, lambda: A.InvertImg(p=1)),
    ("solarize", {"solarize": [0.3, 0.7], "p": 1}, lambda: A.Solarize((0.3, 0.7), p=1)),
    ("posterize", {"posterize": [2, 6], "p": 1}, lambda: A.Posterize((2, 6), p=1)),
    ("equalize", {"equalize": True, "p": 1}, lambda: A.Equalize(p=1)),
    ("clahe", {"clahe": 4, "p": 1}, lambda: A.CLAHE(4.0, p=1)),
    ("auto-contrast", {"auto-contrast": True, "p": 1}, lambda: A.AutoContrast(p=1)),
]
