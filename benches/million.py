"""A million small JPEGs, and what it takes to train on them.

    python3 benches/million.py target/release/wick FASHION [--images N] [--form folder|tar|parquet]
                                 [--folder DIR] [--memory 200MB] [--epochs 2] [--peer] [--keep]

Makes N JPEGs (1,000,000 if not said) of 64x64 pixels in colour, in folders of classes, tar shards as WebDataset has them,
or Parquet files as the Hugging Face Hub has them, from the 60,000 training images
of Fashion-MNIST in the folder FASHION (its IDX files), each turned, shifted, scaled and coloured as its number says.
Then it runs two epochs of one experiment: on all images with `data-memory` as said; and, of up to 100,000
images, with all of them in memory. It prints the time to the first step, the time of each epoch and the most memory that
the run held, and compares the tables. With --peer, for tar shards, WebDataset loads the same images in two processes
(peers/webdataset_loading.py). Needs numpy and Pillow, and pyarrow for Parquet.
"""

import argparse
import fcntl
import gzip
import io
import json
import multiprocessing
import os
import pathlib
import pty
import shutil
import signal
import struct
import subprocess
import sys
import tarfile
import tempfile
import termios
import time

import numpy as np
from PIL import Image

CLASSES = ["t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot"]
SIDE = 64
SOURCES = {
    "folder": '{ folder = "images" }',
    "tar": '{ tar = "images/*.tar" }',
    "parquet": '{ parquet = "images/train-*.parquet" }',
}
IN_A_FOLDER = 10_000

EXPERIMENT = """
name = "million"
seed = 1

[data]
source = {source}
image = {{ size = [64, 64], channels = 3 }}
normalise = {{ mean = [0.3, 0.3, 0.3], std = [0.3, 0.3, 0.3] }}
test = 0.02
validation = 0.02
batch-size = 256

[model]
layers = [
  {{ conv = 16, kernel = 3, stride = 2 }},
  {{ max-pool = 2 }},
  {{ conv = 32, kernel = 3 }},
  {{ max-pool = 2 }},
  "flatten",
  {{ dense = 64 }},
  {{ dense = "classes" }},
]

[train]
epochs = {epochs}
"""


def idx(path):
    """The array of an IDX file, compressed or not."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rb") as file:
        content = file.read()
    sides = [int.from_bytes(content[4 + 4 * d : 8 + 4 * d], "big") for d in range(content[3])]
    return np.frombuffer(content, np.uint8, offset=4 + 4 * len(sides)).reshape(sides)


def fashion(folder):
    """Images and labels of the training set."""
    def one(stem):
        found = [p for p in sorted(pathlib.Path(folder).rglob(f"{stem}*")) if p.is_file()]
        if not found:
            sys.exit(f"there is no {stem} in {folder}")
        return idx(found[0])

    return one("train-images-idx3"), one("train-labels-idx1")


def picture(image, number):
    """The image in colours and a place of its own."""
    random = np.random.default_rng(number)
    low, high = random.integers(0, 90, 3), random.integers(150, 256, 3)
    values = np.asarray(image, np.float32)[..., None] / 255
    colour = (low + (high - low) * values).astype(np.uint8)
    angle, scale = random.uniform(-20, 20), random.uniform(1.6, 2.6)
    side = int(28 * scale)
    small = Image.fromarray(colour).resize((side, side), Image.BILINEAR).rotate(angle, fillcolor=tuple(int(v) for v in low))
    canvas = Image.new("RGB", (SIDE, SIDE), tuple(int(v) for v in low))
    corner = [int(random.integers(min(0, SIDE - side), max(1, SIDE - side + 1))) for _ in range(2)]
    canvas.paste(small, tuple(corner))
    return canvas


def encoded(task):
    """Number, label and JPEG of each image of a task."""
    _, _, first, last, source = task
    images, labels = fashion(source)
    for number in range(first, last):
        place = number % len(images)
        file = io.BytesIO()
        picture(images[place], number).save(file, "JPEG", quality=80)
        yield number, int(labels[place]), file.getvalue()


def write(task):
    """Writes the images of one folder or shard."""
    form, folder, first, _, _ = task
    {"folder": write_folder, "tar": write_tar, "parquet": write_parquet}[form](folder, first // IN_A_FOLDER, task)


def write_folder(folder, part, task):
    for number, label, jpeg in encoded(task):
        path = folder / CLASSES[label] / f"{part:04d}" / f"{number:07d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(jpeg)


def write_tar(folder, part, task):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "classes.txt").write_text("\n".join(CLASSES) + "\n")
    with tarfile.open(folder / f"shard-{part:04d}.tar", "w") as shard:
        for number, label, jpeg in encoded(task):
            for ending, content in [("jpg", jpeg), ("cls", str(label).encode())]:
                member = tarfile.TarInfo(f"{number:07d}.{ending}")
                member.size = len(content)
                shard.addfile(member, io.BytesIO(content))


def write_parquet(folder, part, task):
    import pyarrow
    import pyarrow.parquet

    folder.mkdir(parents=True, exist_ok=True)
    numbers, labels, jpegs = zip(*encoded(task))
    images = [{"bytes": jpeg, "path": f"{number:07d}.jpg"} for number, jpeg in zip(numbers, jpegs)]
    names = {"info": {"features": {"label": {"names": CLASSES, "_type": "ClassLabel"}, "image": {"_type": "Image"}}}}
    image = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
    schema = pyarrow.schema([("image", image), ("label", pyarrow.int64())], {"huggingface": json.dumps(names)})
    table = pyarrow.table({"image": images, "label": list(labels)}, schema=schema)
    pyarrow.parquet.write_table(table, folder / f"train-{part:05d}.parquet", row_group_size=1_000)


def make(form, folder, count, source):
    """Makes what is not there yet."""
    done = folder / "done"
    if done.exists() and done.read_text() == f"{count} {form}":
        return
    start = time.time()
    shutil.rmtree(folder / "images", ignore_errors=True)
    firsts = range(0, count, IN_A_FOLDER)
    tasks = [(form, folder / "images", first, min(first + IN_A_FOLDER, count), source) for first in firsts]
    with multiprocessing.Pool() as pool:
        for index, _ in enumerate(pool.imap_unordered(write, tasks)):
            print(f"\r{index + 1} of {len(tasks)} folders", end="", flush=True)
    done.write_text(f"{count} {form}")
    print(f"\rmade {count:,} images in {time.time() - start:.0f} s")


def command(wick, name, sets):
    """A run with one trial at a time whose results are in the folder of this name."""
    arguments = [wick, "run", "experiment.toml", "--results", name, "--workers", "1"]
    for each in sets:
        arguments += ["--set", each]
    return arguments


def first_step(wick, form, folder, sets):
    """Seconds until a terminal shows the loss of the first batch, with nothing decoded before."""
    (folder / "experiment.toml").write_text(EXPERIMENT.format(epochs=1, source=SOURCES[form]))
    shutil.rmtree(folder / "first", ignore_errors=True)
    terminal, inside = pty.openpty()
    fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 160, 0, 0))
    start = time.time()
    process = subprocess.Popen(
        command(wick, "first", sets), cwd=folder, stdin=inside, stdout=inside, stderr=inside,
        env={**os.environ, "TERM": "xterm"}, start_new_session=True,
    )
    shown = b""
    while b"loss " not in shown and process.poll() is None:
        shown += os.read(terminal, 1 << 16)
    seconds = time.time() - start
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    shutil.rmtree(folder / "first", ignore_errors=True)
    return seconds


def run(wick, form, folder, name, sets, epochs):
    """Runs the experiment: seconds of each epoch, and the tables. Says what memory it took."""
    (folder / "experiment.toml").write_text(EXPERIMENT.format(epochs=epochs, source=SOURCES[form]))
    results = folder / name
    shutil.rmtree(results / "million", ignore_errors=True)
    measured = ["/usr/bin/time", "-v", *command(wick, name, sets), "--quiet"]
    start = time.time()
    done = subprocess.run(measured, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    whole = time.time() - start
    # `time` reports the larger of the process that works and the one that watches it.
    memory = next(line.split(":")[1] for line in done.stderr.splitlines() if "Maximum resident" in line)
    timings = (results / "million" / "timings.csv").read_text().splitlines()
    header = timings[0].split(",")
    rows = [dict(zip(header, row.split(","))) for row in timings[1:]]
    seconds = [float(row["seconds"]) for row in rows if row["epoch"] != "0"]
    tables = [(results / "million" / table).read_bytes() for table in ("trials.csv", "metrics.csv")]
    told = ", ".join(f"{each:.1f}" for each in seconds)
    print(f"{name} {sets}: epochs of {told} s, {whole:.1f} s in all, {int(memory) / 1e6:.2f} GB resident at most")
    return seconds, tables


def main():
    """Makes images, runs and compares."""
    parser = argparse.ArgumentParser()
    parser.add_argument("wick", type=pathlib.Path)
    parser.add_argument("fashion", type=pathlib.Path)
    parser.add_argument("--images", type=int, default=1_000_000)
    parser.add_argument("--form", choices=SOURCES, default="folder")
    parser.add_argument("--folder", type=pathlib.Path)
    parser.add_argument("--memory", default="200MB")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--peer", action="store_true", help="load the shards with WebDataset, too")
    parser.add_argument("--keep", action="store_true", help="leave the folder")
    asked = parser.parse_args()
    folder = asked.folder or pathlib.Path(tempfile.mkdtemp(prefix="million-"))
    folder.mkdir(parents=True, exist_ok=True)
    make(asked.form, folder, asked.images, asked.fashion.resolve())
    wick = asked.wick.resolve()
    memory = [f'run.data-memory="{asked.memory}"']
    print(f"first step after {first_step(wick, asked.form, folder, memory):.2f} s")
    held, tables = run(wick, asked.form, folder, "held", memory, asked.epochs)
    again, others = run(wick, asked.form, folder, "held", memory, asked.epochs)
    print("tables of the second run:", "the same" if others == tables else "DIFFERENT")
    if asked.images <= 100_000:
        whole, others = run(wick, asked.form, folder, "whole", ['run.data-memory="none"'], asked.epochs)
        print("tables with everything in memory:", "the same" if others == tables else "DIFFERENT")
        print(f"speed after the first epoch: {100 * whole[-1] / held[-1]:.0f} %, and of a second run {100 * whole[-1] / again[-1]:.0f} %")
    print(f"images/s, trained on: {', '.join(f'{0.96 * asked.images / each:,.0f}' for each in [*held, *again])}")
    if asked.peer and asked.form == "tar":
        peer = pathlib.Path(__file__).parent / "peers" / "webdataset_loading.py"
        subprocess.run([sys.executable, peer, folder / "images", "--epochs", str(asked.epochs)], check=True)
    if not asked.keep:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
