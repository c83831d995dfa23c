"""Decodes JPEG files with candlewick, Pillow, OpenCV and torchvision by turns and prints images/s of each.

    python3 benches/peers/compare_decode.py WICK [--pairs 3] [--threads 1 2] [--files FOLDER]

Each program reads the files, decodes them whole and brings them to 224x224 pixels; 64x64 for the small ones. Pillow and
torchvision filter as candlewick does (bilinear with antialiasing), OpenCV by INTER_AREA. "reduced" is Pillow's draft
and OpenCV's IMREAD_REDUCED, which decode at a half, a quarter or an eighth and give other pixels. Without FOLDER, files
of three sizes are made: 64x64 as small as Fashion-MNIST's, 500x375 as ImageNet's, 4000x3000 as a telephone's. Needs
numpy, Pillow, opencv-python-headless and torchvision.
"""

import argparse
import pathlib
import statistics
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import torch
from PIL import Image
from torchvision.io import ImageReadMode, decode_jpeg, read_file
from torchvision.transforms.v2.functional import resize

PARTS = 5
# Width, height, number of files, and the side that they are brought to.
SIZES = {"64×64": (64, 64, 2000, 64), "500×375": (500, 375, 200, 224), "4000×3000": (4000, 3000, 6, 224)}


def make(folder, width, height, count):
    """Smooth colours under a little noise, as photographs have."""
    for number in range(count):
        random = np.random.default_rng(number)
        coarse = Image.fromarray(random.integers(0, 256, (12, 16, 3), np.uint8))
        pixels = np.asarray(coarse.resize((width, height), Image.BICUBIC), np.int16)
        pixels = (pixels + random.integers(-6, 7, pixels.shape)).clip(0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:05d}.jpg", quality=90)


def by_pillow(path, side):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB").resize((side, side), Image.BILINEAR))


def by_pillow_reduced(path, side):
    with Image.open(path) as image:
        image.draft("RGB", (side, side))
        return np.asarray(image.resize((side, side), Image.BILINEAR))


def by_opencv(path, side):
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    return cv2.cvtColor(cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2RGB)


def by_opencv_reduced(path, side):
    with Image.open(path) as image:
        shorter = min(image.size)
    how = next(
        (how for by, how in [(8, cv2.IMREAD_REDUCED_COLOR_8), (4, cv2.IMREAD_REDUCED_COLOR_4), (2, cv2.IMREAD_REDUCED_COLOR_2)]
         if shorter >= by * side),
        cv2.IMREAD_COLOR,
    )
    image = cv2.imread(str(path), how)
    return cv2.cvtColor(cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2RGB)


def by_torchvision(path, side):
    return resize(decode_jpeg(read_file(str(path)), ImageReadMode.RGB), [side, side], antialias=True)


PEERS = {
    "Pillow": by_pillow,
    "OpenCV": by_opencv,
    "torchvision": by_torchvision,
    "Pillow reduced": by_pillow_reduced,
    "OpenCV reduced": by_opencv_reduced,
}


def peer_speed(decode, files, side, threads):
    fastest = 0.0
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(PARTS):
            start = time.perf_counter()
            for _ in pool.map(lambda path: decode(path, side), files):
                pass
            fastest = max(fastest, len(files) / (time.perf_counter() - start))
    return fastest


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("wick")
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--files", type=pathlib.Path)
    asked = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    print("| files | threads | candlewick img/s | " + " | ".join(PEERS) + " |")
    print("|---" * (3 + len(PEERS)) + "|")
    with tempfile.TemporaryDirectory() as temporary:
        sets = {}
        if asked.files:
            sets[asked.files.name] = (sorted(asked.files.rglob("*.jpg")), 224)
        else:
            for name, (width, height, count, side) in SIZES.items():
                folder = pathlib.Path(temporary) / name
                folder.mkdir()
                make(folder, width, height, count)
                sets[name] = (sorted(folder.glob("*.jpg")), side)
        for name, (files, side) in sets.items():
            for threads in asked.threads:
                ours, theirs = [], {peer: [] for peer in PEERS}
                for _ in range(asked.pairs):
                    command = [asked.wick, "bench-decode", "--image-size", str(side), "--threads", str(threads)]
                    run = subprocess.run([*command, *map(str, files)], check=True, capture_output=True, text=True)
                    ours.append(float(run.stdout.split()[0]))
                    for peer, decode in PEERS.items():
                        theirs[peer].append(peer_speed(decode, files, side, threads))
                speed = statistics.median(ours)
                rates = {peer: statistics.median(rates) for peer, rates in theirs.items()}
                cells = [f"{rate:,.0f} ({speed / rate:.2f}×)" for rate in rates.values()]
                print(f"| {name} | {threads} | {speed:,.0f} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
