#!/usr/bin/env python3
"""Runs exported presets in onnxruntime, and their weights in torchvision, beside `wick predict`.

    python tests/export/onnxruntime_check.py target/release/wick [PRESET ...]

Needs numpy, Pillow, safetensors, onnx and onnxruntime; torch and torchvision if they are there. Weights are
those with which a preset starts, with batch norms as after some training. The largest difference of a logit,
relative to the largest logit, has to be below 1e-4, for every preset, with batch norms folded and not, and
for bytes as input. Exits with 1 if it is not.
"""

import collections
import csv
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from PIL import Image
from safetensors.numpy import load_file, save_file

BOUND = 1e-4
IMAGES = 3
MEAN = np.float32([0.485, 0.456, 0.406]).reshape(3, 1, 1)
STD = np.float32([0.229, 0.224, 0.225]).reshape(3, 1, 1)
SMALL = ("plain", "demo", "vgg6", "lenet5", "resnet9", "resnet20", "resnet32", "resnet44", "resnet56", "resnet110", "wrn-28-10")


def trained(tensors, random):
    """The tensors with batch norms that do something."""
    for name in tensors:
        if not name.endswith("running_var"):
            continue
        prefix = name.removesuffix("running_var")
        size = tensors[name].shape
        # Mild ones, or a hundred of them would blow the values up.
        tensors[name] = random.uniform(0.8, 1.25, size).astype(np.float32)
        tensors[prefix + "running_mean"] = random.normal(0, 0.1, size).astype(np.float32)
        tensors[prefix + "weight"] = random.uniform(0.5, 1, size).astype(np.float32)
        tensors[prefix + "bias"] = random.normal(0, 0.1, size).astype(np.float32)
    return tensors


def pictures(folder, side, random):
    """Paths and pixels of images that have the network's size, so that nothing is resized."""
    pixels = random.integers(0, 256, (IMAGES, side, side, 3), dtype=np.uint8)
    # The first ones are smooth.
    for index in range(IMAGES - 1):
        coarse = Image.fromarray(pixels[index, : side // 8, : side // 8])
        pixels[index] = np.asarray(coarse.resize((side, side), Image.Resampling.BICUBIC))
    paths = [folder / f"{index}.png" for index in range(IMAGES)]
    for path, image in zip(paths, pixels):
        Image.fromarray(image).save(path)
    return paths, pixels


def read_logits(path):
    with open(path, newline="") as file:
        rows = list(csv.reader(file))[1:]
    return np.array([[float(cell) for cell in row[1:]] for row in rows])


def in_torchvision(preset, weights, images):
    """The logits of torchvision's network of that name with all of these weights; None if there is none."""
    try:
        import torch
        import torchvision
    except ImportError:
        return None
    build = getattr(torchvision.models, preset.replace("-", "_"), None)
    if build is None:
        return None
    options = {"init_weights": False} if preset in ["googlenet", "inception_v3"] else {}
    network = build(weights=None, **options).eval()
    tensors = collections.OrderedDict(
        (name, torch.from_numpy(values)) for name, values in load_file(weights).items()
    )
    # Without it MnasNet takes weights for those of an early version.
    tensors._metadata = {"": {"version": 2}}
    network.load_state_dict(tensors, strict=True)
    with torch.no_grad():
        return network(torch.from_numpy(images)).numpy()


def check(wick, preset, folder):
    """Name and error of each way in which the preset was run elsewhere."""
    random = np.random.default_rng(sum(preset.encode()))
    side = 32 if preset.endswith("-32") or preset in SMALL else 299 if preset == "inception_v3" else 224

    def run(*arguments):
        subprocess.run([wick, *map(str, arguments)], check=True, stdout=subprocess.DEVNULL)

    network = ["--preset", preset, "--image-size", side]
    start, weights = folder / "start.safetensors", folder / "weights.safetensors"
    run("export", *network, "--seed", 1, "--to", "safetensors", "--out", start)
    save_file(trained(load_file(start), random), weights)
    start.unlink()
    network += ["--weights", weights]
    paths, pixels = pictures(folder, side, random)
    run("predict", *network, *paths, "--logits", folder / "logits.csv")
    expected = read_logits(folder / "logits.csv")
    images = (pixels.transpose(0, 3, 1, 2).astype(np.float32) / 255 - MEAN) / STD

    def error(found):
        return float(np.abs(found - expected).max() / np.abs(expected).max())

    errors = {}
    for name, inputs, options in [
        ("onnxruntime", images, []),
        ("folded", images, ["--fold-batch-norm"]),
        ("bytes", pixels, ["--fold-batch-norm", "--input", "bytes"]),
    ]:
        file = folder / "network.onnx"
        run("export", *network, "--to", "onnx", "--out", file, *options)
        onnx.checker.check_model(str(file), full_check=True)
        settings = onnxruntime.SessionOptions()
        settings.log_severity_level = 3
        session = onnxruntime.InferenceSession(str(file), settings, ["CPUExecutionProvider"])
        # The number of images is open.
        together = session.run(["logits"], {"images": inputs})[0]
        alone = session.run(["logits"], {"images": inputs[:1]})[0]
        errors[name] = max(error(together), error(np.concatenate([alone, together[1:]])))
        del session
        file.unlink()
    again = folder / "again.safetensors"
    run("export", *network, "--to", "safetensors", "--out", again)
    run("predict", "--model", again, *paths, "--logits", folder / "logits.csv")
    errors["safetensors"] = error(read_logits(folder / "logits.csv"))
    if (found := in_torchvision(preset, weights, images)) is not None:
        errors["torchvision"] = error(found)
    return errors


def main():
    wick, *presets = sys.argv[1:]
    wick = Path(wick).resolve()
    if not presets:
        listed = subprocess.run([wick, "presets"], check=True, capture_output=True, text=True).stdout
        presets = [line.split()[0] for line in listed.splitlines()]
    ways = ["onnxruntime", "folded", "bytes", "safetensors", "torchvision"]
    print(f"{'preset':22}" + "".join(f"{way:>13}" for way in ways))
    wrong = []
    for preset in presets:
        with tempfile.TemporaryDirectory() as folder:
            errors = check(wick, preset, Path(folder))
        cells = [f"{errors[way]:13.1e}" if way in errors else f"{'-':>13}" for way in ways]
        print(f"{preset:22}" + "".join(cells), flush=True)
        wrong += [f"{preset}, {way}" for way, error in errors.items() if not error < BOUND]
    if wrong:
        print(f"{BOUND} and more: {'; '.join(wrong)}")
        sys.exit(1)
    print(f"{len(presets)} presets, every error below {BOUND}")


if __name__ == "__main__":
    main()
