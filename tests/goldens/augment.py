"""What the scripts augment_*.py share: images, cases, and how they are written.

pip install albumentations==2.0.8 opencv-python-headless numpy safetensors
"""

import json
import pathlib

import numpy as np
from safetensors.numpy import save_file


def noise(height, width, channels, seed=1):
    """Values without any structure: whoever is half a pixel off is found out."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)


def scene(height, width, channels):
    """Gradients, edges and a disc: what a picture is made of."""
    y, x = np.mgrid[0:height, 0:width]
    image = np.zeros((height, width, channels), np.uint8)
    for c in range(channels):
        image[..., c] = (x * (3 + c) + y * (5 - c)) % 256
    image[height // 4 : height // 2, width // 5 : width // 2] = [230, 40, 90][:channels]
    disc = (y - height * 0.6) ** 2 + (x - width * 0.65) ** 2 < (min(height, width) * 0.22) ** 2
    image[disc] = [20, 180, 240][:channels]
    return image


BOXES = [[3.0, 4.0, 20.0, 15.5], [10.0, 0.0, 31.0, 12.0], [0.0, 8.0, 9.0, 23.0]]
"""Boxes in pixels (x_min, y_min, x_max, y_max) that fit in images of 24x31 and larger."""


class Cases:
    """Cases of one group, in the order in which they are added."""

    def __init__(self):
        self.tensors, self.metadata = {}, {}

    def add(self, transform, image, out, drawn=None, within_one=None, boxes=None, boxes_out=None):
        """One case.

        transform: the parameters as in TOML, with the kind: {"rotate": [30, 30]}.
        drawn: what chance decided, as candlewick serialises it; None if ranges have equal ends.
        within_one: the part of values that may be at most 1 off (the rest: any); None for exact.
        """
        key = f"{len(self.metadata):03}"
        case = {"transform": transform}
        if drawn is not None:
            case["drawn"] = drawn
        if within_one is not None:
            case["within-one"] = within_one
        self.metadata[key] = json.dumps(case)
        self.tensors[f"{key}.in"] = np.ascontiguousarray(image)
        self.tensors[f"{key}.out"] = np.ascontiguousarray(out.reshape(*out.shape[:2], -1))
        if boxes is not None:
            self.tensors[f"{key}.boxes"] = np.array(boxes, np.float64)
            self.tensors[f"{key}.boxes_out"] = np.array(boxes_out, np.float64)

    def save(self, group):
        path = pathlib.Path(__file__).with_name(f"augment_{group}.safetensors")
        save_file(self.tensors, path, self.metadata)
        print(f"{path.name}: {len(self.metadata)} cases, {path.stat().st_size:,} bytes")
