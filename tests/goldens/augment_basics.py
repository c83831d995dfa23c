"""Goldens of the simplest transforms: python tests/goldens/augment_basics.py"""

import albumentations as A
import numpy as np

from augment import BOXES, Cases, noise


def moved(transform, image, boxes):
    """The image and its boxes after an Albumentations transform that leaves nothing to chance."""
    compose = A.Compose(
        [transform], bbox_params=A.BboxParams("pascal_voc", label_fields=["labels"])
    )
    out = compose(image=image, bboxes=np.array(boxes), labels=list(range(len(boxes))))
    return out["image"], out["bboxes"]


cases = Cases()
for channels in (1, 3):
    image = noise(24, 31, channels)
    out, boxes = moved(A.HorizontalFlip(p=1), image, BOXES)
    cases.add({"horizontal-flip": True}, image, out, boxes=BOXES, boxes_out=boxes)
    cases.add({"invert": True}, image, A.InvertImg(p=1)(image=image)["image"])
cases.save("basics")
