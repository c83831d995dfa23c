"""Writes small batches as CIFAR's Python version has them, by Python's pickle.

The published ones are from Python 2: texts there are bytes. `Python2` writes such a pickle; the others are what Python 3
makes of them when somebody saves them again.

    pip install numpy && python make.py
"""

import io
import pickle
import struct
from pathlib import Path

import numpy

HERE = Path(__file__).parent


class Python2(pickle._Pickler):
    """Bytes and texts as the texts of Python 2, in protocol 2."""

    dispatch = pickle._Pickler.dispatch.copy()

    def __init__(self, file):
        super().__init__(file, 2)

    def bytes_of(self, text):
        data = text.encode() if isinstance(text, str) else text
        short = len(data) < 256
        self.write(b"U" + struct.pack("<B", len(data)) if short else b"T" + struct.pack("<i", len(data)))
        self.write(data)
        self.memoize(text)

    dispatch[bytes] = bytes_of
    dispatch[str] = bytes_of

    def save_global(self, obj, name=None):
        module = obj.__module__.replace("numpy._core", "numpy.core")
        self.write(b"c" + module.encode() + b"\n" + obj.__name__.encode() + b"\n")
        self.memoize(obj)

    dispatch[type] = save_global
    dispatch[type(len)] = save_global
    dispatch[type(pickle.dumps)] = save_global


def python2(value):
    file = io.BytesIO()
    Python2(file).dump(value)
    return file.getvalue()


def data(first, count):
    """Images all of one colour: their number, twice it, and 255."""
    numbers = numpy.arange(first, first + count, dtype=numpy.uint8)
    planes = numpy.stack([numbers, numbers * 2, numpy.full(count, 255, numpy.uint8)], 1)
    return numpy.repeat(planes, 1024, axis=1)


def batch(first, labels):
    names = [f"image_{first + index}.png" for index in range(len(labels))]
    return {"batch_label": "a batch", "labels": labels, "data": data(first, len(labels)), "filenames": names}


def write(name, content):
    path = HERE / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)


KINDS = [f"kind{index}" for index in range(10)]
for index in range(5):
    write(f"cifar-10-batches-py/data_batch_{index + 1}", python2(batch(2 * index, [2 * index, 2 * index + 1])))
write("cifar-10-batches-py/test_batch", python2(batch(10, [9])))
write("cifar-10-batches-py/batches.meta", python2({"num_cases_per_batch": 2, "label_names": KINDS, "num_vis": 3072}))


def fine(first, labels):
    coarse = [label // 5 for label in labels]
    return {"filenames": ["x.png"] * len(labels), "fine_labels": labels, "coarse_labels": coarse, "data": data(first, len(labels))}


write("cifar-100-python/train", python2(fine(0, [99, 7, 42, 43])))
# Nothing but zeros is a text to Python 2, too.
write("cifar-100-python/test", python2({**fine(0, [42]), "data": numpy.zeros((1, 3072), numpy.uint8)}))
write("cifar-100-python/meta", python2({
    "fine_label_names": [f"fine{index}" for index in range(100)],
    "coarse_label_names": [f"coarse{index}" for index in range(20)],
}))

for protocol in [2, 3, 4, 5]:
    write(f"protocol-{protocol}", pickle.dumps(batch(3, [1, 0]), protocol=protocol))


class Harm:
    def __reduce__(self):
        import os

        return os.system, ("true",)


for name, value in {
    "no-labels": {"data": data(0, 1), "names": ["a"]},
    "floats": {**batch(0, [1]), "data": data(0, 1) / 255},
    "sides": {**batch(0, [1]), "data": data(0, 1).reshape(1, 3, 32, 32)},
    "order": {**batch(0, [1, 2]), "data": numpy.asfortranarray(data(0, 2))},
    "unequal": {**batch(0, [1]), "data": data(0, 2)},
    "label": batch(0, [10]),
    "list": [1, 2, 3],
    "harm": {**batch(0, [1]), "data": Harm()},
}.items():
    write(f"wrong-{name}", pickle.dumps(value, protocol=4))
