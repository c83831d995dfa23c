"""Every byte normalised as Albumentations does, by the numbers of ImageNet: python tests/goldens/normalise.py"""

import pathlib

import albumentations as A
import numpy as np

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
ramp = np.repeat(np.arange(256, dtype=np.uint8), 3).reshape(16, 16, 3)
out = A.Normalize(MEAN, STD, p=1)(image=ramp)["image"].reshape(256, 3)
rows = ["red,green,blue"] + [",".join(f"{value:.9g}" for value in row) for row in out]
pathlib.Path(__file__).with_name("normalise.csv").write_text("\n".join(rows) + "\n")
