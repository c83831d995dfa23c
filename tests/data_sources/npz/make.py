"""Writes the files of this folder as MedMNIST and Keras write theirs, by NumPy.

    pip install numpy && python make.py
"""

from pathlib import Path

import numpy

HERE = Path(__file__).parent


def images(first, count, channels=None):
    """Images of 2×2 pixels, the first value of each its number."""
    shape = (count, 2, 2) if channels is None else (count, 2, 2, channels)
    array = numpy.zeros(shape, numpy.uint8)
    array.reshape(count, -1)[:, 0] = numpy.arange(first, first + count)
    array.reshape(count, -1)[:, -1] = 200
    return array


def labels(*values):
    return numpy.array(values, numpy.uint8).reshape(-1, 1)


gray = {
    "train_images": images(0, 4), "train_labels": labels(0, 2, 0, 2),
    "val_images": images(10, 2), "val_labels": labels(2, 0),
    "test_images": images(20, 1), "test_labels": labels(2),
}
numpy.savez_compressed(HERE / "gray.npz", **gray)
numpy.savez(HERE / "colour.npz", **{
    "train_images": images(0, 3, 3), "train_labels": labels(0, 1, 0), "test_images": images(9, 1, 3), "test_labels": labels(1),
})
# Keras' mnist.npz has labels without a second side; here of 64 bits, with the first side the fastest in memory.
numpy.savez(HERE / "keras.npz", x_train=numpy.asfortranarray(images(0, 3)), y_train=numpy.array([5, 7, 5]), x_test=images(9, 1), y_test=numpy.array([7]))

pair = {"train_images": images(0, 2), "train_labels": labels(0, 1)}
for name, changed in {
    "no-labels": {"train_labels": None},
    "floats": {"train_images": images(0, 2) / 255},
    "unequal": {"train_labels": labels(0, 1, 0)},
    "several": {"train_labels": numpy.zeros((2, 14), numpy.uint8)},
    "volumes": {"train_images": numpy.zeros((2, 4, 4, 4), numpy.uint8)},
    "channels-first": {"train_images": numpy.zeros((2, 3, 4, 4), numpy.uint8)},
    "negative": {"train_labels": numpy.array([0, -1])},
    "float-labels": {"train_labels": numpy.array([0.0, 1.0])},
    "empty-sides": {"train_images": numpy.zeros((2, 0, 4), numpy.uint8)},
    "other-names": {"train_images": None, "train_labels": None, "pictures": images(0, 2), "kinds": labels(0, 1)},
}.items():
    arrays = {key: value for key, value in {**pair, **changed}.items() if value is not None}
    numpy.savez(HERE / f"{name}.npz", **arrays)
