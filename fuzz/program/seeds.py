"""Writes seeds/: small files of each kind that the targets read, behind the byte that chooses the kind.

usage: seeds.py WICK, by a Python with Pillow, numpy and pyarrow.
"""

import io
import json
import pathlib
import pickle
import struct
import subprocess
import sys
import tarfile
import tempfile
import tomllib

import numpy
import pyarrow
import pyarrow.parquet
from PIL import Image

HERE = pathlib.Path(__file__).parent / "seeds"
NOISE = numpy.random.default_rng(1).integers(0, 255, (9, 7, 3), dtype=numpy.uint8)


def keep(target, name, first, data):
    folder = HERE / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes((b"" if first is None else bytes([first])) + data)


def image(kind, mode="RGB", **options):
    out = io.BytesIO()
    Image.fromarray(NOISE).convert(mode).save(out, kind, **options)
    return out.getvalue()


def images():
    files = {
        0: {"plain": image("PNG"), "palette": image("PNG", "P"), "gray-alpha": image("PNG", "LA"), "one-bit": image("PNG", "1")},
        1: {"plain": image("JPEG"), "progressive": image("JPEG", progressive=True), "cmyk": image("JPEG", "CMYK"), "gray": image("JPEG", "L")},
        2: {"plain": image("BMP"), "palette": image("BMP", "P")},
        3: {"plain": image("GIF", "P")},
        4: {"lossy": image("WEBP"), "lossless": image("WEBP", lossless=True), "alpha": image("WEBP", "RGBA")},
        5: {"colour": image("PPM"), "gray": image("PPM", "L"), "text": b"P2 2 2 255 1 2 3 4 "},
        6: {"lzw": image("TIFF", compression="tiff_lzw"), "deflate": image("TIFF", compression="tiff_deflate"), "plain": image("TIFF", "L")},
    }
    for kind, some in files.items():
        for name, data in some.items():
            keep("image", f"{kind}-{name}", kind + 7 * 19, data)


def sources():
    keep("source", "csv", 0, b"path,label\na.png,one\nb.png,two\n")
    keep("source", "idx", 1, struct.pack(">4B3I", 0, 0, 8, 3, 4, 2, 2) + bytes(range(16)))
    keep("source", "cifar", 2, bytes([3]) + bytes(3072))
    batch = {b"data": numpy.zeros((1, 3072), numpy.uint8), b"labels": [3]}
    keep("source", "cifar-python", 3, pickle.dumps(batch, protocol=2))
    rows = [{"image": {"bytes": image("PNG"), "path": "a.png"}, "label": index % 2} for index in range(3)]
    for compression in ("snappy", "zstd", "none"):
        out = io.BytesIO()
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), out, compression=compression)
        keep("source", f"parquet-{compression}", 4, out.getvalue())
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, data in {"a.png": image("PNG"), "a.cls": b"0", "b.png": image("PNG"), "b.cls": b"1"}.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    keep("source", "tar", 5, out.getvalue())
    out = io.BytesIO()
    arrays = {"train_images": numpy.zeros((3, 2, 2), numpy.uint8), "train_labels": numpy.zeros((3, 1), numpy.uint8)}
    numpy.savez(out, **arrays)
    keep("source", "npz", 6, out.getvalue())


def results(wick):
    with tempfile.TemporaryDirectory() as folder:
        text = subprocess.run([wick, "examples", "optimizers"], check=True, capture_output=True, text=True).stdout
        (pathlib.Path(folder) / "a.toml").write_text(text)
        small = ["--set", "train.epochs=2", "--set", "sweep.seeds=1", "--set", "data.subset={ fraction = 0.1 }"]
        subprocess.run([wick, "run", "a.toml", "--quiet", *small], check=True, cwd=folder)
        root = next((pathlib.Path(folder) / "results").iterdir())
        trial = min((root / "trials").glob("*/"))
        names = ["trials.csv", "metrics.csv", "timings.csv", "hashes.toml"]
        paths = [root / name for name in names]
        paths += [trial / name for name in ["outcome.toml", "plan.toml", "epochs.csv", "batches.csv", "timings.csv"]]
        for first, path in enumerate(paths):
            data = path.read_bytes()
            if path.suffix == ".toml":
                # Without the seal, which the target makes, and the line end that it adds.
                data = b"".join(data.splitlines(keepends=True)[:-1])[:-1]
            keep("records", f"{first}-{path.name}", first, data[:4000])
        checkpoint = (trial / "best.safetensors").read_bytes()
        header = json.loads(checkpoint[8 : 8 + int.from_bytes(checkpoint[:8], "little")])
        (words,) = header["__metadata__"].values()
        keep("card", "card", None, tomllib.loads(words)["card"].encode())


images()
sources()
results(sys.argv[1])
for index in range(21):
    keep("experiment", f"example-{index}", index, bytes(8))
