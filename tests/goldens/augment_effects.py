"""Goldens of noise, compression, dropout, weather and policies: python tests/goldens/augment_effects.py

pip install torch torchvision, besides what augment.py names: the policies are torchvision's.
"""

import albumentations as A
import cv2
import numpy as np
import torch
from albumentations.augmentations.dropout.functional import filter_bboxes_by_holes
from torchvision.transforms import InterpolationMode
from torchvision.transforms.autoaugment import _apply_op

from augment import BOXES, Cases, noise, scene

cases = Cases()

for channels in (1, 3):
    image = noise(24, 31, channels)

    # Noise that is one number.
    for multiplier in (0.7, 1.3):
        out = A.MultiplicativeNoise((multiplier, multiplier), p=1)(image=image)["image"]
        cases.add({"multiplicative-noise": multiplier}, image, out)

    # Smaller and back.
    for scale in (0.25, 0.3, 0.77, 1.0):
        out = A.Downscale((scale, scale), p=1)(image=image)["image"]
        cases.add({"downscale": scale}, image, out)

    # Compression, exact; odd sizes end within a block, and chroma of two columns is not blended.
    for size in ((24, 31), (33, 50), (17, 16), (9, 4), (1, 1), (2, 7)):
        for quality in (5, 60, 95):
            picture = scene(*size, channels)
            out = A.ImageCompression(quality_range=(quality, quality), p=1)(image=picture)["image"]
            cases.add({"jpeg": quality}, picture, out)
    out = A.ImageCompression(quality_range=(80, 80), p=1)(image=image)["image"]
    cases.add({"jpeg": 80}, image, out)

    # Dropout with given holes; boxes shrink to what is left of them.
    holes = [[2, 3, 12, 24], [20, 0, 31, 7], [5, 5, 6, 6], [9, 9, 9, 12]]
    for kind, transform in (
        ("coarse-dropout", A.CoarseDropout),
        ("random-erasing", A.Erasing),
        ("grid-dropout", A.GridDropout),
    ):
        for fill in (0, 90, (10, 200, 77)):
            if channels == 1 and fill == (10, 200, 77):
                continue
            dropout = transform(fill=fill, p=1)
            out = dropout.apply(image, holes=np.array(holes), seed=1)
            # Not by way of parts of the image in 32 bits, which makes some boxes a pixel smaller.
            boxes = filter_bboxes_by_holes(np.array(BOXES), np.array(holes), image.shape[:2], 0, 0)
            cases.add(
                {
                    kind: 0.5 if kind == "grid-dropout" else [1, 1],
                    "fill": list(fill) if isinstance(fill, tuple) else fill,
                },
                image,
                out,
                drawn={"holes": holes, "key": 1},
                boxes=BOXES,
                boxes_out=boxes,
            )

# Operations of the policies, and policies as sequences of them. Boxes are followed through the
# matrix of the operation.
OPERATIONS = [
    ("identity", "Identity", None),
    ("shear-x", "ShearX", 0.21),
    ("shear-x", "ShearX", -0.66),
    ("shear-y", "ShearY", -0.13),
    ("translate-x", "TranslateX", -7.6),
    ("translate-y", "TranslateY", 5.2),
    ("rotate", "Rotate", 17.3),
    ("rotate", "Rotate", -121.0),
    ("brightness", "Brightness", 0.27),
    ("brightness", "Brightness", -0.9),
    ("color", "Color", 0.6),
    ("color", "Color", -0.33),
    ("contrast", "Contrast", 0.81),
    ("contrast", "Contrast", -0.4),
    ("sharpness", "Sharpness", 0.9),
    ("sharpness", "Sharpness", -0.7),
    ("posterize", "Posterize", 3),
    ("posterize", "Posterize", 8),
    ("solarize", "Solarize", 110.5),
    ("solarize", "Solarize", 255.0),
    ("auto-contrast", "AutoContrast", None),
    ("equalize", "Equalize", None),
    ("invert", "Invert", None),
]


def operate(image, name, magnitude):
    """One operation of torchvision on [height, width, channels]."""
    tensor = torch.from_numpy(image).permute(2, 0, 1)
    out = _apply_op(tensor, name, magnitude or 0.0, InterpolationMode.NEAREST, None)
    return out.permute(1, 2, 0).contiguous().numpy()


for channels in (1, 3):
    # Equalize and auto-contrast need something to do.
    image = (noise(24, 31, channels, seed=3) * 0.6 + 30).astype(np.uint8)
    for kind, name, magnitude in OPERATIONS:
        cases.add(
            {"trivial-augment": True},
            image,
            operate(image, name, magnitude),
            drawn=kind if magnitude is None else {kind: magnitude},
            within_one=None if kind in ("posterize", "solarize", "invert", "identity") else 0.99,
        )
image = scene(24, 31, 3)
for transform in ({"rand-augment": [3, 9]}, {"auto-augment": "cifar10"}):
    out = image
    for name, magnitude in (("Rotate", 9.0), ("Solarize", 178.5), ("Equalize", None)):
        out = operate(out, name, magnitude)
    drawn = [{"rotate": 9.0}, {"solarize": 178.5}, "equalize"]
    cases.add(transform, image, out, drawn=drawn, within_one=0.99)

# Weather, as far as it follows from what is drawn.
image = scene(48, 64, 3)
polygons = [[[3, 30], [60, 25], [40, 47], [10, 10], [55, 44]], [[0, 24], [63, 26], [20, 47]]]
for channels in (1, 3):
    picture = image[..., :channels].copy()
    out = A.RandomShadow(p=1).apply(
        picture, vertices_list=[np.array(p, np.int32) for p in polygons], intensities=[0.5, 0.3]
    )
    drawn = [{"intensity": i, "corners": p} for i, p in zip([0.5, 0.3], polygons)]
    cases.add({"shadow": 0.5}, picture, out, drawn=drawn, within_one=0.99)

drops = np.array([[5, 3], [30, 20], [62, 1], [1, 40], [33, 11], [20, 0]], np.int32)
for slant, blur, color in ((-3.5, 7, (200, 200, 200)), (6.2, 3, (10, 120, 250)), (0.0, 1, (9, 9, 9))):
    rain = A.RandomRain(blur_value=blur, drop_color=color, p=1)
    out = rain.apply(image, slant=slant, drop_length=6, rain_drops=drops)
    cases.add(
        {"rain": "default", "blur-value": blur, "drop-color": list(color)},
        image,
        out,
        drawn={"slant": slant, "drops": drops.tolist()},
        within_one=0.99,
    )

for picture in (image, noise(24, 31, 3)):
    for point in (0.1, 0.3):
        out = A.RandomSnow(snow_point_range=(point, point), p=1)(image=picture)["image"]
        cases.add({"snow": point}, picture, out, within_one=0.99)

circles = [(0.1, (10, 12), 8, (250, 220, 210)), (0.19, (40, 20), 27, (255, 255, 230))]
for sun, radius, color in (((20, 9), 400, (255, 255, 255)), ((50, 30), 33, (255, 120, 60))):
    flare = A.RandomSunFlare(src_radius=radius, src_color=color, p=1)
    out = flare.apply(image, flare_center=sun, circles=circles)
    cases.add(
        {"sun-flare": [6, 10], "src-radius": radius, "src-color": list(color)},
        image,
        out,
        drawn={
            "sun": list(sun),
            "circles": [
                {"alpha": a, "center": list(c), "radius": r, "color": list(rgb)}
                for a, c, r, rgb in circles
            ],
        },
        within_one=0.99,
    )

cases.save("effects")
