"""Random chains of transforms here and in Albumentations: the same pixels.

usage: augment.py WICK [--chains N] [--seed S], by a Python with albumentations 2.0.8, numpy and Pillow.

Every transform of a chain has fixed settings, drawn for the chain, so that nothing is left to chance on either side. Both
round to bytes behind each transform, not always the same way; and what is one apart may fall on both sides of a threshold
of the next transform. So a chain of n transforms is the same if 99 of 100 values are within n + 1 of each other. A chain
that differs is printed, with what repeats it, and ends the program with 1.
"""

import argparse
import pathlib
import random
import subprocess
import sys
import tempfile

import albumentations as A
import numpy
from PIL import Image


def transforms(chance, height, width):
    """(as written, Albumentations' transform, height, width behind it)"""
    odd, part = chance.choice([3, 5, 7]), lambda low, high: round(chance.uniform(low, high), 3)
    angle, scale, bits = part(-60, 60), part(0.7, 1.4), chance.randint(2, 7)
    brightness, contrast, gamma = part(-0.3, 0.3), part(-0.3, 0.3), chance.randint(60, 160)
    shifts, threshold, sigma = [chance.randint(-40, 40) for _ in range(3)], part(0.2, 0.9), part(0.5, 2.5)
    rows, columns = chance.randint(12, 40), chance.randint(12, 40)
    border = chance.choice(["constant", "replicate", "reflect", "reflect-101", "wrap"])
    mode = ["constant", "replicate", "reflect", "wrap", "reflect-101"].index(border)
    some = [
        ("{ horizontal-flip = true, p = 1 }", A.HorizontalFlip(p=1)),
        ("{ vertical-flip = true, p = 1 }", A.VerticalFlip(p=1)),
        (f"{{ blur = [{odd}, {odd}], p = 1 }}", A.Blur((odd, odd), p=1)),
        (f"{{ median-blur = [{odd}, {odd}], p = 1 }}", A.MedianBlur((odd, odd), p=1)),
        (f"{{ gaussian-blur = 0, sigma-limit = [{sigma}, {sigma}], p = 1 }}", A.GaussianBlur(0, (sigma, sigma), p=1)),
        (
            f'{{ rotate = [{angle}, {angle}], border = "{border}", p = 1 }}',
            A.Rotate((angle, angle), border_mode=mode, p=1),
        ),
        (
            f"{{ affine = true, scale = [{scale}, {scale}], rotate = [{angle}, {angle}], p = 1 }}",
            A.Affine((scale, scale), rotate=(angle, angle), p=1),
        ),
        (
            f"{{ brightness-contrast = [[{brightness}, {brightness}], [{contrast}, {contrast}]], p = 1 }}",
            A.RandomBrightnessContrast((brightness, brightness), (contrast, contrast), p=1),
        ),
        (f"{{ gamma = [{gamma}, {gamma}], p = 1 }}", A.RandomGamma((gamma, gamma), p=1)),
        (
            f"{{ rgb-shift = {[[shift, shift] for shift in shifts]}, p = 1 }}",
            A.RGBShift(*((shift, shift) for shift in shifts), p=1),
        ),
        ("{ invert = true, p = 1 }", A.InvertImg(p=1)),
        (f"{{ solarize = [{threshold}, {threshold}], p = 1 }}", A.Solarize((threshold, threshold), p=1)),
        (f"{{ posterize = {bits}, p = 1 }}", A.Posterize(bits, p=1)),
        ("{ to-gray = true, p = 1 }", A.ToGray(p=1)),
        ("{ to-sepia = true, p = 1 }", A.ToSepia(p=1)),
        ("{ equalize = true, p = 1 }", A.Equalize(p=1)),
    ]
    same_size = [(*it, height, width) for it in some]
    others = [(f"{{ resize = [{rows}, {columns}] }}", A.Resize(rows, columns), rows, columns)]
    if min(height, width) > 10:
        top, left = chance.randint(0, 3), chance.randint(0, 3)
        box = (left, top, width - chance.randint(0, 3), height - chance.randint(0, 3))
        others.append((f"{{ crop = {list(box)} }}", A.Crop(*box), box[3] - box[1], box[2] - box[0]))
    if height == width:
        same_size.append(("{ transpose = true, p = 1 }", A.Transpose(p=1), height, width))
    return same_size + others


def check(wick, chance, folder):
    """What differs in one random chain; and how it is written."""
    height, width = chance.randint(12, 48), chance.randint(12, 48)
    if chance.random() < 0.3:
        width = height
    images = []
    for index in range(6):
        generator = numpy.random.default_rng(chance.getrandbits(60))
        # Smooth like a photograph, or noise.
        coarse = Image.fromarray(generator.integers(0, 256, (5, 5, 3), numpy.uint8))
        pixels = numpy.asarray(coarse.resize((width, height), Image.BICUBIC))
        if index % 3 == 2:
            pixels = generator.integers(0, 256, (height, width, 3), numpy.uint8)
        path = folder / "images" / "ab"[index // 3] / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
        images.append(numpy.ascontiguousarray(pixels))
    written, steps, size = [], [], (height, width)
    for _ in range(chance.randint(1, 5)):
        name, step, *size = chance.choice(transforms(chance, *size))
        written.append(name)
        steps.append(step)
    text = f"""name = "chain"
[data]
source = {{ folder = "images" }}
image = {{ size = [{height}, {width}], channels = 3 }}
validation = 0.34
batch-size = 2
[augment]
train = [
  {(',' + chr(10) + '  ').join(written)},
]
[model]
layers = [{{ adaptive-avg-pool = 1 }}, "flatten", {{ dense = "classes" }}]
[train]
epochs = 1
"""
    if written[0].startswith("{ resize"):
        # Images then come in their own sizes.
        text = text.replace(f"size = [{height}, {width}]", f"size = {list(size)}")
    (folder / "chain.toml").write_text(text)
    command = [wick, "augment", "chain.toml", "--export", "out"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return [done.stderr], text
    differences = []
    exported = sorted((folder / "out").glob("*/*.png"))
    for path in exported:
        index = int(path.name.split("-")[0])
        expected = images[index]
        for step in steps:
            expected = step(image=expected)["image"]
        found = numpy.asarray(Image.open(path).convert("RGB"))
        if found.shape != expected.shape:
            differences.append(f"image {index}: {found.shape} here, {expected.shape} in Albumentations")
            continue
        apart = numpy.abs(found.astype(int) - expected.astype(int))
        far = float((apart > len(steps) + 1).mean())
        if far > 0.01:
            differences.append(f"image {index}: {100 * far:.1f} % of the values differ, by up to {apart.max()}")
    return differences + ([] if exported else ["no image was written"]), text


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("wick", type=pathlib.Path)
    parser.add_argument("--chains", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    wick = arguments.wick.resolve()
    for index in range(arguments.chains):
        with tempfile.TemporaryDirectory() as folder:
            differences, text = check(wick, random.Random(f"{arguments.seed} {index}"), pathlib.Path(folder))
        if differences:
            print(text, *differences, f"chain {index} of --seed {arguments.seed} differs", sep="\n")
            sys.exit(1)
    print(f"{arguments.chains} random chains: the same pixels as Albumentations'")


if __name__ == "__main__":
    main()
