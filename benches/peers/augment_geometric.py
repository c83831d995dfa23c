"""Geometric transforms as users write them: candlewick's step beside Albumentations' transform.

Sizes that depend on the image stand for images of SIZE pixels: `cases(size)`.
"""

import albumentations as A
import cv2


def cases(size):
    """(name, candlewick's step, a function that makes Albumentations' transform)"""
    larger, smaller = size * 9 // 8, size * 7 // 8

    def step(**keys):
        return {key.replace("_", "-"): value for key, value in keys.items()} | {"p": 1}

    return [
        ("horizontal-flip", step(horizontal_flip=True), lambda: A.HorizontalFlip(p=1)),
        ("vertical-flip", step(vertical_flip=True), lambda: A.VerticalFlip(p=1)),
        ("transpose", step(transpose=True), lambda: A.Transpose(p=1)),
        ("rotate-90", step(rotate_90=True), lambda: A.RandomRotate90(p=1)),
        ("rotate", step(rotate=30), lambda: A.Rotate(30, p=1)),
        (
            "rotate, reflect-101",
            step(rotate=30, border="reflect-101"),
            lambda: A.Rotate(30, border_mode=cv2.BORDER_REFLECT_101, p=1),
        ),
        (
            "rotate, nearest",
            step(rotate=30, interpolation="nearest"),
            lambda: A.Rotate(30, interpolation=cv2.INTER_NEAREST, p=1),
        ),
        (
            "rotate, cubic",
            step(rotate=30, interpolation="cubic"),
            lambda: A.Rotate(30, interpolation=cv2.INTER_CUBIC, p=1),
        ),
        (
            "affine",
            step(affine=True, scale=[0.9, 1.1], translate_percent=[-0.1, 0.1], rotate=[-20, 20], shear=[-10, 10]),
            lambda: A.Affine((0.9, 1.1), (-0.1, 0.1), rotate=(-20, 20), shear=(-10, 10), p=1),
        ),
        ("shift-scale-rotate", step(shift_scale_rotate=True), lambda: A.ShiftScaleRotate(p=1)),
        ("perspective", step(perspective=[0.05, 0.1]), lambda: A.Perspective((0.05, 0.1), p=1)),
        ("elastic", step(elastic=1), lambda: A.ElasticTransform(p=1)),
        ("elastic, sigma 6", step(elastic=120, sigma=6), lambda: A.ElasticTransform(120, 6, p=1)),
        ("grid-distortion", step(grid_distortion=0.3), lambda: A.GridDistortion(p=1)),
        ("optical-distortion", step(optical_distortion=0.05), lambda: A.OpticalDistortion(p=1)),
        (
            "optical-distortion, fisheye",
            step(optical_distortion=0.05, mode="fisheye"),
            lambda: A.OpticalDistortion(mode="fisheye", p=1),
        ),
        ("resize", step(resize=larger), lambda: A.Resize(larger, larger)),
        ("resize, smaller", step(resize=smaller), lambda: A.Resize(smaller, smaller)),
        ("resize, half", step(resize=size // 2), lambda: A.Resize(size // 2, size // 2)),
        (
            "resize, nearest",
            step(resize=larger, interpolation="nearest"),
            lambda: A.Resize(larger, larger, interpolation=cv2.INTER_NEAREST),
        ),
        (
            "resize, cubic",
            step(resize=larger, interpolation="cubic"),
            lambda: A.Resize(larger, larger, interpolation=cv2.INTER_CUBIC),
        ),
        (
            "resize, area",
            step(resize=size * 5 // 8, interpolation="area"),
            lambda: A.Resize(size * 5 // 8, size * 5 // 8, interpolation=cv2.INTER_AREA),
        ),
        ("smallest-max-size", step(smallest_max_size=larger), lambda: A.SmallestMaxSize(larger)),
        ("longest-max-size", step(longest_max_size=smaller), lambda: A.LongestMaxSize(smaller)),
        ("center-crop", step(center_crop=smaller), lambda: A.CenterCrop(smaller, smaller)),
        ("random-crop", step(random_crop=smaller), lambda: A.RandomCrop(smaller, smaller)),
        (
            "crop",
            step(crop=[2, 3, smaller, smaller]),
            lambda: A.Crop(2, 3, smaller, smaller),
        ),
        (
            "random-resized-crop",
            step(random_resized_crop=size),
            lambda: A.RandomResizedCrop((size, size)),
        ),
        (
            "random-sized-bbox-safe-crop",
            step(random_sized_bbox_safe_crop=smaller, erosion_rate=0.2),
            None,  # Albumentations' takes images with boxes alone.
        ),
        (
            "crop-and-pad",
            step(crop_and_pad=True, percent=[-0.1, 0.1]),
            lambda: A.CropAndPad(percent=(-0.1, 0.1)),
        ),
        (
            "pad-if-needed",
            step(pad_if_needed=larger, border="reflect-101"),
            lambda: A.PadIfNeeded(larger, larger, border_mode=cv2.BORDER_REFLECT_101),
        ),
    ]
