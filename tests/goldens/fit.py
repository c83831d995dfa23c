"""Goldens of images that are brought to a size: python tests/goldens/fit.py

pip install albumentations==2.0.8 opencv-python-headless numpy safetensors
"""

import json
import pathlib
import warnings

import albumentations as A
import numpy as np
from augment import noise, scene
from safetensors.numpy import save_file

warnings.filterwarnings("ignore")
IMAGES = [
    scene(60, 240, 3),
    scene(240, 60, 3),
    noise(60, 240, 1),
    noise(37, 53, 3),
    noise(128, 64, 3),
    noise(13, 7, 3),
    noise(1, 90, 1),
]
SIZES = [[64, 64], [32, 32], [30, 50]]
tensors, cases = {}, {}
for index, image in enumerate(IMAGES):
    tensors[f"in{index}"] = image
    for height, width in SIZES:
        sides = {"max_size": height} if height == width else {"max_size_hw": (height, width)}
        fill = [10, 200, 77] if image.shape[2] == 3 else 10
        chains = {
            "{ pad = { fill = [10, 200, 77] } }": [
                A.LongestMaxSize(**sides),
                A.PadIfNeeded(height, width, fill=fill),
            ],
            "{ crop = {} }": [A.SmallestMaxSize(**sides), A.CenterCrop(height, width)],
        }
        if index == 0:
            chains["{ pad = {} }"] = [A.LongestMaxSize(**sides), A.PadIfNeeded(height, width)]
        for fit, chain in chains.items():
            key = f"{len(cases):03}"
            cases[key] = json.dumps({"in": f"in{index}", "fit": fit, "size": [height, width]})
            tensors[key] = A.Compose(chain)(image=image)["image"].reshape(height, width, -1)
path = pathlib.Path(__file__).with_name("fit.safetensors")
save_file({name: np.ascontiguousarray(t) for name, t in tensors.items()}, path, metadata=cases)
print(path, path.stat().st_size, len(cases))
