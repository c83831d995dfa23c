"""Writes the Parquet files of this folder: those of the `datasets` library as the Hub has them, others by pyarrow.

    pip install datasets pyarrow pillow numpy && python make.py
"""

import io
from pathlib import Path

import datasets
import numpy
import pyarrow
import pyarrow.parquet
from PIL import Image

HERE = Path(__file__).parent


def picture(value):
    """A 2×2 image, its first pixel of this red."""
    pixels = numpy.zeros((2, 2, 3), numpy.uint8)
    pixels[0, 0, 0] = value
    return Image.fromarray(pixels)


def png(value):
    file = io.BytesIO()
    picture(value).save(file, "PNG")
    return file.getvalue()


# As the Hub has it: a class that does not come, and a second column of classes.
features = datasets.Features({
    "img": datasets.Image(),
    "fine_label": datasets.ClassLabel(names=["oak", "ant", "pine", "bee"]),
    "coarse_label": datasets.ClassLabel(names=["tree", "insect"]),
})
for name, labels in [("train-00000-of-00002", [3, 0, 0]), ("train-00001-of-00002", [1, 3]), ("test-00000-of-00001", [1])]:
    first = {"train-00000-of-00002": 0, "train-00001-of-00002": 30, "test-00000-of-00001": 50}[name]
    table = {
        "img": [picture(first + 10 * index) for index in range(len(labels))],
        "fine_label": labels,
        "coarse_label": [label % 2 for label in labels],
    }
    datasets.Dataset.from_dict(table, features=features).to_parquet(str(HERE / f"{name}.parquet"), batch_size=2)

# Texts, groups and splits in columns; several pages in several groups of rows; each codec.
names = ["dog", "cat", "dog", "cat", "dog", "cat", "dog"]
for codec in ["none", "snappy", "gzip", "zstd", "lz4"]:
    table = pyarrow.table({
        "photo": pyarrow.array([png(index) for index in range(7)], pyarrow.binary()),
        "animal": names,
        "owner": ["a", "a", "b", "b", "c", "c", "d"],
        "use": ["train", "train", "train", "train", "val", "val", "test"],
    })
    pyarrow.parquet.write_table(
        table, HERE / f"{codec}.parquet", compression=codec, row_group_size=4, write_batch_size=1, data_page_size=1,
        store_schema=False, data_page_version="2.0" if codec == "zstd" else "1.0",
    )

# Numbers without names, in 32 bits; no dictionary.
table = pyarrow.table({
    "image": pyarrow.array([{"bytes": png(index), "path": None} for index in range(4)]),
    "label": pyarrow.array([2, 10, 2, 10], pyarrow.int32()),
})
pyarrow.parquet.write_table(table, HERE / "numbers.parquet", use_dictionary=False)

# What is refused, by its name.
image = [{"bytes": png(index), "path": f"{index}.png"} for index in range(2)]
for name, table in {
    "no-label": {"image": image, "caption": ["a", "b"]},
    "no-image": {"label": [0, 1], "pixels": [[1, 2], [3, 4]]},
    "lists": {"image": image, "label": [[0, 1], [1]]},
    "floats": {"image": image, "label": [0.5, 1.0]},
    "missing": {"image": image, "label": [0, None]},
    "unlabelled": {"image": image, "label": [0, -1]},
    "caption": {"image": image, "label": ["a", "b" * 300]},
    "paths": {"image": [{"bytes": None, "path": "a.png"}, image[1]], "label": [0, 1]},
}.items():
    pyarrow.parquet.write_table(pyarrow.table(table), HERE / f"{name}.parquet", store_schema=False, write_statistics=False)
table = pyarrow.table({"image": image, "label": [0, 1]})
pyarrow.parquet.write_table(table, HERE / "brotli.parquet", compression="brotli", store_schema=False)
