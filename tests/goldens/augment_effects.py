"""Goldens of noise, compression, dropout, weather and policies: python tests/goldens/augment_effects.py

pip install torch torchvision, besides what augment.py names: the policies are torchvision's.
"""

import albumentations as A
import cv2
import numpy as np
from albumentations.augmentations.dropout.functional import filter_bboxes_by_holes

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

cases.save("effects")
