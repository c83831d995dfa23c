"""Goldens of geometric transforms: python tests/goldens/augment_geometric.py"""

import warnings

import albumentations as A
import cv2
import numpy as np
from albumentations.augmentations.crops import functional as fcrops
from albumentations.augmentations.geometric import functional as fgeometric

from augment import BOXES, Cases, noise, scene

warnings.filterwarnings("ignore")
INTERPOLATIONS = {
    "nearest": cv2.INTER_NEAREST,
    "linear": cv2.INTER_LINEAR,
    "cubic": cv2.INTER_CUBIC,
    "area": cv2.INTER_AREA,
}
BORDERS = {
    "constant": cv2.BORDER_CONSTANT,
    "replicate": cv2.BORDER_REPLICATE,
    "reflect": cv2.BORDER_REFLECT,
    "reflect-101": cv2.BORDER_REFLECT_101,
    "wrap": cv2.BORDER_WRAP,
}
cases = Cases()


def add(step, transform, image, params=None, drawn=None, within_one=None, boxes=True):
    """A case: the image and its boxes (before they are clipped) after `transform`.

    params: what chance would have decided; by default whatever the transform draws.
    """
    shape = {"shape": image.shape, "rows": image.shape[0], "cols": image.shape[1]}
    if params is None:
        params = {**transform.get_params(), **transform.get_params_dependent_on_data(shape, {"image": image, "bboxes": []})}
    out = transform.apply(image, **params, **shape)
    out = out.reshape(*out.shape[:2], image.shape[2])
    moved = {}
    if boxes:
        before = np.array(BOXES)
        scale = np.array([image.shape[1], image.shape[0]] * 2)
        after = transform.apply_to_bboxes(before / scale, **params, **shape)
        scale = np.array([out.shape[1], out.shape[0]] * 2)
        moved = {"boxes": before, "boxes_out": np.asarray(after, np.float64)[:, :4] * scale}
    cases.add(step, image, out, drawn=drawn, within_one=within_one, **moved)


def fill_of(image):
    return [10, 200, 77] if image.shape[2] == 3 else 77


def sampled(step, interpolation, border, image):
    return {**step, "interpolation": interpolation, "border": border, "fill": fill_of(image)}


def sampling(interpolation, border, image):
    return {
        "interpolation": INTERPOLATIONS[interpolation],
        "border_mode": BORDERS[border],
        "fill": fill_of(image),
        "p": 1,
    }


color, gray = noise(24, 31, 3), noise(24, 31, 1)
square = noise(31, 31, 3)

# Exact: pixels change places.
for image in (color, gray, noise(5, 97, 3), noise(5, 97, 1)):
    add({"horizontal-flip": True}, A.HorizontalFlip(p=1), image, {}, boxes=image.shape[1] == 31)
    add({"vertical-flip": True}, A.VerticalFlip(p=1), image, {}, boxes=image.shape[1] == 31)
for image in (square, square[..., :1]):
    add({"transpose": True}, A.Transpose(p=1), image, {})
    for turns in range(4):
        add({"rotate-90": True}, A.RandomRotate90(p=1), image, {"factor": turns}, drawn={"quarter-turns": turns})
for image in (color, gray):
    add({"center-crop": [13, 20]}, A.CenterCrop(13, 20), image)
    add({"crop": [3, 2, 24, 24]}, A.Crop(3, 2, 24, 24), image)
    add(
        {"random-crop": 20},
        A.RandomCrop(20, 20),
        image,
        {"crop_coords": (7, 3, 27, 23), "pad_params": None},
        drawn={"top": 3, "left": 7, "height": 20, "width": 20},
    )
    for border in BORDERS:
        step = {"pad-if-needed": [80, 40], "border": border, "fill": fill_of(image)}
        mirrored = border.startswith("reflect")
        add(
            step,
            A.PadIfNeeded(80, 40, border_mode=BORDERS[border], fill=fill_of(image)),
            image,
            boxes=not mirrored,
        )
for position in ("top-left", "top-right", "bottom-left", "bottom-right"):
    pad = A.PadIfNeeded(30, 40, position=position.replace("-", "_"))
    add({"pad-if-needed": [30, 40], "position": position}, pad, gray)

# Warps.
for interpolation in INTERPOLATIONS:
    for border in BORDERS:
        image = color if border in ("constant", "reflect-101") else gray
        add(
            sampled({"rotate": [33, 33]}, interpolation, border, image),
            A.Rotate((33, 33), **sampling(interpolation, border, image)),
            image,
            within_one=1,
            boxes=not border.startswith("reflect"),
        )
        # More than one image away, OpenCV's cubic interpolation misses the mirror images.
        scale = 0.6 if interpolation == "cubic" and border not in ("constant", "replicate") else 0.4
        step = {"affine": True, "scale": scale, "rotate": -100, "translate-px": [4, 4]}
        add(
            sampled(step, interpolation, border, gray),
            A.Affine(scale=scale, rotate=-100, translate_px=(4, 4), **sampling(interpolation, border, gray)),
            gray,
            within_one=1,
            boxes=not border.startswith("reflect"),
        )
for angle in (0, 90, 180, -45):
    add({"rotate": [angle, angle]}, A.Rotate((angle, angle), p=1), square, within_one=0.99)
add({"rotate": [20, 20]}, A.Rotate((20, 20), p=1), scene(48, 64, 3), within_one=1)
step = {
    "affine": True,
    "scale": {"x": 1.2, "y": 0.8},
    "translate-percent": {"x": 0.2, "y": -0.15},
    "rotate": 12,
    "shear": {"x": 14, "y": -9},
}
add(
    step,
    A.Affine(
        scale={"x": (1.2, 1.2), "y": (0.8, 0.8)},
        translate_percent={"x": (0.2, 0.2), "y": (-0.15, -0.15)},
        rotate=(12, 12),
        shear={"x": (14, 14), "y": (-9, -9)},
        p=1,
    ),
    color,
    within_one=1,
)
add(
    {"shift-scale-rotate": True, "shift-limit": [0.1, 0.1], "scale-limit": [0.3, 0.3], "rotate-limit": [-25, -25]},
    A.ShiftScaleRotate((0.1, 0.1), (0.3, 0.3), (-25, -25), p=1),
    color,
    within_one=1,
)


def perspective(image, jitter, interpolation, border, within_one=1):
    height, width = image.shape[:2]
    points = np.array(jitter)
    points[1, 0] = 1 - points[1, 0]
    points[2] = 1 - points[2]
    points[3, 1] = 1 - points[3, 1]
    points = fgeometric.order_points(points * [width, height])
    matrix, max_width, max_height = fgeometric.compute_perspective_params(points, (height, width))
    add(
        sampled({"perspective": [0.05, 0.1]}, interpolation, border, image),
        A.Perspective(**sampling(interpolation, border, image)),
        image,
        {"matrix": matrix, "matrix_bbox": matrix, "max_width": max_width, "max_height": max_height},
        drawn={"jitter": jitter},
        within_one=within_one,
        boxes=image.shape[0] >= 24,
    )


jitter = [[0.02, 0.1], [0.15, 0.07], [0.09, 0.2], [0.05, 0.01]]
for interpolation in INTERPOLATIONS:
    for border in ("constant", "reflect"):
        perspective(color, jitter, interpolation, border)
perspective(gray, jitter, "linear", "wrap")
perspective(scene(48, 64, 3), [[0.3, 0.31], [0, 0.07], [0.3, 0.2], [0.31, 0.01]], "linear", "constant")
# So small that corners closer than two pixels are moved apart.
perspective(noise(2, 3, 3), jitter, "linear", "replicate")

for k in (-0.4, 0.05, 0.7):
    for mode in ("camera", "fisheye"):
        image = color if k < 0 else gray
        border = "constant" if k < 0.5 else "reflect-101"
        add(
            {**sampled({"optical-distortion": [k, k]}, "linear", border, image), "mode": mode},
            A.OpticalDistortion((k, k), mode=mode, **sampling("linear", border, image)),
            image,
            within_one=1,
        )
rng = np.random.default_rng(3)
for image, steps, normalized in ((color, 5, True), (gray, 4, False), (scene(48, 64, 3), 7, True), (gray, 24, True)):
    distort = A.GridDistortion(steps, (-0.3, 0.3), normalized=normalized, p=1)
    x = [float(1 + step) for step in rng.uniform(-0.3, 0.3, steps + 1)]
    y = [float(1 + step) for step in rng.uniform(-0.3, 0.3, steps + 1)]
    kept = {"steps-x": list(x), "steps-y": list(y)}
    if normalized:
        out = fgeometric.normalize_grid_distortion_steps(image.shape[:2], steps, x, y)
        x, y = out["steps_x"], out["steps_y"]
    map_x, map_y = fgeometric.generate_grid(image.shape[:2], x, y, steps)
    add(
        {"grid-distortion": 0.3, "num-steps": steps, "normalized": normalized},
        distort,
        image,
        {"map_x": map_x, "map_y": map_y},
        drawn=kept,
        within_one=0.99,
    )

# Sizes.
for interpolation, flag in INTERPOLATIONS.items():
    for image, (height, width) in (
        (color, (36, 40)),
        (gray, (13, 17)),
        (color, (12, 40)),
        (color, (9, 10)),
        (gray, (31, 20)),
        (noise(1, 31, 3), (3, 44)),
        (noise(2, 2, 3), (9, 7)),
    ):
        add(
            {"resize": [height, width], "interpolation": interpolation},
            A.Resize(height, width, interpolation=flag),
            image,
            {},
            within_one=1,
            boxes=image.shape[0] == 24,
        )
add({"resize": 16}, A.Resize(16, 16), scene(48, 64, 3), {}, within_one=1)
for size in (15, 41):
    add({"smallest-max-size": size}, A.SmallestMaxSize(size), color, within_one=1)
    add({"longest-max-size": size}, A.LongestMaxSize(size), color, within_one=1)
window = {"top": 4, "left": 2, "height": 17, "width": 25}
coords = {"crop_coords": (2, 4, 27, 21)}
for image in (color, gray):
    add(
        {"random-resized-crop": [20, 30]},
        A.RandomResizedCrop((20, 30)),
        image,
        coords,
        drawn=window,
        within_one=1,
    )
    add(
        {"random-sized-bbox-safe-crop": [20, 30], "interpolation": "cubic"},
        A.RandomSizedBBoxSafeCrop(20, 30, interpolation=cv2.INTER_CUBIC),
        image,
        coords,
        drawn=window,
        within_one=1,
    )
for px in (3, -5, -15):
    for keep in (True, False):
        step = {"crop-and-pad": True, "px": px, "keep-size": keep, "border": "replicate"}
        pad = A.CropAndPad(px=px, keep_size=keep, border_mode=cv2.BORDER_REPLICATE)
        shape = {"shape": color.shape}
        params = pad.get_params_dependent_on_data(shape, {})
        rows, columns = params["result_shape"]
        boxes = fcrops.crop_and_pad_bboxes(
            np.array(BOXES) / [31, 24, 31, 24], params["crop_params"], params["pad_params"], (24, 31), (rows, columns)
        )
        out = pad.apply(color, **params, **shape)
        boxes *= [out.shape[1], out.shape[0]] * 2
        cases.add(step, color, out, within_one=1, boxes=BOXES, boxes_out=boxes)
pad = A.CropAndPad(percent=0.1, fill=9)
add({"crop-and-pad": True, "percent": 0.1, "fill": 9}, pad, color, within_one=1)
# Drawn for each side: some crop, some pad.
pad = A.CropAndPad(px=(-4, 4))
params = {
    "crop_params": (0, 3, 29, 24),
    "pad_params": (0, 4, 1, 0),
    "fill": 0,
    "result_shape": (25, 30),
}
drawn = {"top": -3, "right": -2, "bottom": 4, "left": 1}
add({"crop-and-pad": True, "px": [-4, 4]}, pad, color, params, drawn=drawn, within_one=1)
cases.save("geometric")
