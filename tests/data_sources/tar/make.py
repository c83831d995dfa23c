"""Writes the tar files of this folder: those of webdataset by its own writer, others by Python's tarfile.

    pip install webdataset pillow numpy && python make.py
"""

import io
import tarfile
from pathlib import Path

import numpy
import webdataset
from PIL import Image

HERE = Path(__file__).parent


def pixels(value):
    """A 2×2 image, its first pixel of this red."""
    image = numpy.zeros((2, 2, 3), numpy.uint8)
    image[0, 0, 0] = value
    image[1, 1] = [1, 2, 3]
    return image


def png(value):
    file = io.BytesIO()
    Image.fromarray(pixels(value)).save(file, "PNG")
    return file.getvalue()


def fixed(member):
    member.mtime = 0
    return member


# Numbers as labels in three shards, of which the last is the test set.
for shard, samples in [("train-000", [0, 1, 2]), ("train-001", [3, 4]), ("test-000", [5])]:
    with webdataset.TarWriter(str(HERE / f"{shard}.tar"), mtime=0, user="", group="") as sink:
        for index in samples:
            sink.write({"__key__": f"{index:06d}", "png": pixels(10 * index), "cls": 7 if index % 2 else 3})

# Labels in JSON, beside a second image and a caption.
with webdataset.TarWriter(str(HERE / "json.tar"), mtime=0, user="", group="") as sink:
    for index, animal in enumerate(["cat", "dog", "cat"]):
        sink.write({
            "__key__": f"animals/{index}",
            "png": pixels(index),
            "left.png": pixels(100 + index),
            "json": {"label": animal, "animal": animal.upper(), "weight": 1.5},
            "txt": f"a picture of a {animal}",
        })

# Names of more than 100 and of more than 256 bytes, in both ways of writing them.
for name, form in [("pax", tarfile.PAX_FORMAT), ("gnu", tarfile.GNU_FORMAT)]:
    with tarfile.open(HERE / f"long-{name}.tar", "w", format=form) as archive:
        folder = tarfile.TarInfo("folder")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        for length, text in [(150, b"dog"), (280, b"cat")]:
            stem = "folder/" + "ö" * (length // 2)
            for ending, content in [("txt", text), ("png", png(length // 2))]:
                member = tarfile.TarInfo(f"{stem}.{ending}")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
