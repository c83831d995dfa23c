"""Random networks here and in PyTorch: the same logits, and the same weights after one step of training.

usage: layers.py WICK [--nets N] [--seed S], by a Python with torch, safetensors, numpy and Pillow.

Each network is drawn from the layer language: convolutions of any window, stride, padding, dilation and groups, norms,
activations, pools, residuals, branches, dense layers. PyTorch computes with 64 bits from the same weights and images.
A network that differs is printed, with what repeats it, and ends the program with 1.
"""

import argparse
import csv
import pathlib
import random
import subprocess
import sys
import tempfile

import numpy
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch.nn import functional as F

# The sigmoids are those of the papers, GELU the exact one.
ACTIVATIONS = {
    "relu": F.relu, "elu": F.elu, "gelu": F.gelu, "silu": F.silu, "tanh": torch.tanh, "sigmoid": torch.sigmoid,
    "relu6": F.relu6, "hardswish": F.hardswish, "hardsigmoid": F.hardsigmoid, "leaky-relu": F.leaky_relu,
}


class Net:
    """A network as it is written, and as PyTorch computes it with the weights of `tensors`."""

    def __init__(self, chance, shape, classes):
        self.chance, self.tensors, self.count, self.buffers = chance, {}, 0, set()
        # What names of layers within others begin with.
        self.prefix = ""
        self.layers, self.steps, shape = self.chain(shape, chance.randint(2, 6), 0)
        if shape[1:] != (1, 1):
            size = chance.choice([1, 1, 2]) if min(shape[1:]) >= 2 else 1
            written, step, shape = self.pool(shape, adaptive=size)
            self.layers.append(written)
            self.steps.append(step)
        self.layers.append('"flatten"')
        self.steps.append(lambda x, train: x.flatten(1))
        name = self.name()
        self.weight(f"{name}.weight", (classes, shape[0] * shape[1] * shape[2]))
        self.weight(f"{name}.bias", (classes,))
        self.layers.append(f'{{ dense = "classes", name = "{self.local(name)}" }}')
        self.steps.append(lambda x, train: F.linear(x, self.tensors[f"{name}.weight"], self.tensors[f"{name}.bias"]))

    def name(self):
        self.count += 1
        return f"{self.prefix}l{self.count}"

    def local(self, name):
        """A name as it is written where the layer is."""
        return name.removeprefix(self.prefix)

    def within(self, make):
        """What `make` gives for layers within another one, and the name of that."""
        outer = self.prefix
        name = self.name()
        self.prefix = f"{name}."
        made = make()
        self.prefix = outer
        return made, name.removeprefix(outer)

    def weight(self, name, shape, kind="weight"):
        generator = torch.Generator().manual_seed(self.chance.getrandbits(60))
        drawn = torch.randn(shape, generator=generator, dtype=torch.float64)
        fan = max(1, drawn[0].numel()) if drawn.dim() > 1 else 4
        drawn = {"weight": drawn / fan**0.5, "factor": 1 + drawn / 4, "variance": 1 + drawn.abs()}[kind]
        # Both sides begin with numbers of 32 bits.
        self.tensors[name] = drawn.float().double()

    def chain(self, shape, length, depth):
        layers, steps = [], []
        for _ in range(length):
            kinds = [self.conv, self.conv, self.conv, self.norm, self.pool, self.activation]
            kinds += [self.residual, self.branches, self.squeeze] if depth < 2 else []
            made = self.chance.choice(kinds)(shape, depth=depth)
            if made is not None:
                written, step, shape = made
                layers.append(written)
                steps.append(step)
        return layers, steps, shape

    def conv(self, shape, depth=0, channels=None, stays=False):
        chance, (c, h, w) = self.chance, shape
        kernel = (1, 1) if chance.random() < 0.3 else (chance.choice([1, 2, 3, 3, 5]), chance.choice([1, 2, 3, 3, 5]))
        if stays:
            kernel = chance.choice([(1, 1), (3, 3), (5, 5), (3, 1)])
        dilation = chance.choice([1, 1, 1, 2])
        stride = (1, 1) if stays else (chance.choice([1, 1, 2, 3]), chance.choice([1, 1, 2]))
        padding = tuple(d * (k - 1) // 2 if stays else chance.randint(0, k - 1) for k, d in zip(kernel, [dilation] * 2))
        size = [(n + 2 * p - dilation * (k - 1) - 1) // s + 1 for n, p, k, s in zip((h, w), padding, kernel, stride)]
        if min(size) < 1:
            return None
        groups = chance.choice([g for g in (1, 1, 2, 3, c) if c % g == 0])
        out = channels or groups * chance.randint(1, max(1, 24 // groups))
        if out % groups:
            groups = 1
        bias, name = chance.random() < 0.6, self.name()
        activation = chance.choice([None, *ACTIVATIONS]) if not stays else None
        self.weight(f"{name}.weight", (out, c // groups, *kernel))
        if bias:
            self.weight(f"{name}.bias", (out,))
        written = (
            f'{{ conv = {out}, kernel = {list(kernel)}, stride = {list(stride)}, padding = {list(padding)}, '
            f'dilation = {dilation}, groups = {groups}, bias = {str(bias).lower()}, norm = "none", '
            f'activation = "{activation or "none"}", name = "{self.local(name)}" }}'
        )

        def step(x, train):
            x = F.conv2d(x, self.tensors[f"{name}.weight"], self.tensors.get(f"{name}.bias"), stride, padding, dilation, groups)
            return ACTIVATIONS[activation](x) if activation else x

        return written, step, (out, *size)

    def norm(self, shape, depth=0):
        c, name = shape[0], self.name()
        groups = self.chance.choice([g for g in (1, 2, 3, 4) if c % g == 0])
        is_alone = (c // groups) * shape[1] * shape[2] == 1
        kind = self.chance.choice(["batch", "batch", "group", "layer"])
        if kind == "group" and is_alone or kind == "layer" and c == 1:
            kind = "batch"
        self.weight(f"{name}.weight", (c,), "factor")
        self.weight(f"{name}.bias", (c,))
        if kind == "group":
            written = f'{{ group-norm = {groups}, name = "{self.local(name)}" }}'
            step = lambda x, train: F.group_norm(x, groups, self.tensors[f"{name}.weight"], self.tensors[f"{name}.bias"])
        elif kind == "layer":
            written = f'{{ layer-norm = true, name = "{self.local(name)}" }}'
            step = lambda x, train: F.layer_norm(
                x.permute(0, 2, 3, 1), (c,), self.tensors[f"{name}.weight"], self.tensors[f"{name}.bias"]
            ).permute(0, 3, 1, 2)
        else:
            self.weight(f"{name}.running_mean", (c,))
            self.weight(f"{name}.running_var", (c,), "variance")
            self.buffers |= {f"{name}.running_mean", f"{name}.running_var"}
            written = f'{{ batch-norm = true, name = "{self.local(name)}" }}'
            step = lambda x, train: F.batch_norm(
                x, *(self.tensors[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")), train
            )
        return written, step, shape

    def activation(self, shape, depth=0):
        kind = self.chance.choice(list(ACTIVATIONS))
        return f'{{ activation = "{kind}", name = "{self.local(self.name())}" }}', lambda x, train: ACTIVATIONS[kind](x), shape

    def pool(self, shape, depth=0, adaptive=None):
        chance, (c, h, w) = self.chance, shape
        if adaptive:
            kind = chance.choice(["avg", "max"])
            pool = F.adaptive_avg_pool2d if kind == "avg" else F.adaptive_max_pool2d
            written = f'{{ adaptive-{kind}-pool = {adaptive}, name = "{self.local(self.name())}" }}'
            return written, lambda x, train: pool(x, adaptive), (c, adaptive, adaptive)
        kernel, stride = chance.choice([2, 3]), chance.choice([1, 2, 3])
        padding, ceil = chance.choice([0, 0, 1]), chance.random() < 0.3
        if min(h, w) + 2 * padding < kernel:
            return None
        if chance.random() < 0.5:
            kind, more, counted = "max", "", True
            pool = lambda x: F.max_pool2d(x, kernel, stride, padding, ceil_mode=ceil)
        else:
            counted = chance.random() < 0.5
            kind, more = "avg", f", count-padding = {str(counted).lower()}"
            pool = lambda x: F.avg_pool2d(x, kernel, stride, padding, ceil, counted)
        size = pool(torch.zeros(1, 1, h, w)).shape[2:]
        written = (
            f'{{ {kind}-pool = {kernel}, stride = {stride}, padding = {padding}, ceil = {str(ceil).lower()}{more}, '
            f'name = "{self.local(self.name())}" }}'
        )
        return written, lambda x, train: pool(x), (c, *size)

    def residual(self, shape, depth=0):
        def make():
            for _ in range(self.chance.randint(1, 2)):
                for made in (self.conv(shape, stays=True, channels=shape[0]), self.norm(shape)):
                    layers.append(made[0])
                    steps.append(made[1])

        layers, steps = [], []
        _, name = self.within(make)
        kind = self.chance.choice(["relu", "silu", "none"])
        written = f'{{ residual = [{", ".join(layers)}], activation = "{kind}", name = "{name}" }}'
        activate = ACTIVATIONS.get(kind, lambda x: x)
        return written, lambda x, train: activate(x + run(steps, x, train)), shape

    def branches(self, shape, depth=0):
        merge = self.chance.choice(["concat", "sum", "multiply"])
        channels = self.chance.randint(1, 8)
        made = []

        def make(out):
            first = self.conv(shape, stays=True, channels=out)
            rest = self.norm(first[2]) if self.chance.random() < 0.5 else self.activation(first[2])
            made.append(([first[0], rest[0]], [first[1], rest[1]], first[2]))

        def all_of_them():
            for _ in range(2 if merge == "multiply" else self.chance.randint(2, 3)):
                make(channels if merge != "concat" else self.chance.randint(1, 8))

        _, name = self.within(all_of_them)
        written = ", ".join(f'[{", ".join(layers)}]' for layers, _, _ in made)

        def step(x, train):
            outs = [run(steps, x, train) for _, steps, _ in made]
            if merge == "concat":
                return torch.cat(outs, 1)
            return sum(outs[1:], outs[0]) if merge == "sum" else outs[0] * outs[1]

        count = sum(shape[0] for *_, shape in made) if merge == "concat" else channels
        return f'{{ branches = [{written}], merge = "{merge}", name = "{name}" }}', step, (count, *made[0][2][1:])

    def squeeze(self, shape, depth=0):
        neurons, c, name = self.chance.randint(1, 6), shape[0], self.name()
        for part, sides in {"fc1": (neurons, c, 1, 1), "fc2": (c, neurons, 1, 1)}.items():
            self.weight(f"{name}.{part}.weight", sides)
            self.weight(f"{name}.{part}.bias", sides[:1])

        def step(x, train):
            part = lambda part, x: F.conv2d(x, self.tensors[f"{name}.{part}.weight"], self.tensors[f"{name}.{part}.bias"])
            return x * torch.sigmoid(part("fc2", F.relu(part("fc1", x.mean((2, 3), keepdim=True)))))

        return f'{{ squeeze-excite = {{ neurons = {neurons} }}, name = "{self.local(name)}" }}', step, shape


def run(steps, x, train):
    for step in steps:
        x = step(x, train)
    return x


def trained(net, images, labels, rate, dtype):
    """What one step of SGD adds to each tensor, by PyTorch with numbers of this type."""
    before = net.tensors
    net.tensors = {name: tensor.to(dtype, copy=True) for name, tensor in before.items()}
    for name, tensor in net.tensors.items():
        tensor.requires_grad_(name not in net.buffers)
    # The running statistics move in place.
    F.cross_entropy(run(net.steps, images.to(dtype), True), labels).backward()
    steps = {
        name: tensor.double() - before[name] if name in net.buffers else -rate * tensor.grad.double()
        for name, tensor in net.tensors.items()
    }
    net.tensors = before
    return steps


def close(name, found, expected, single, bar):
    """`bar` of the largest is allowed; and, where numbers nearly cancel, some times what PyTorch errs by with 32 bits."""
    error, largest = float((found.double() - expected).abs().max()), float(expected.abs().max())
    allowed = max(bar * largest, 10 * float((single.double() - expected).abs().max()))
    return [] if error <= allowed else [f"{name}: {error:.2e} off, the largest is {largest:.2e}, {allowed:.2e} is allowed"]


def check(wick, chance, folder):
    """What differs in one random network; and how it is written."""
    height, width, classes = chance.randint(5, 20), chance.randint(5, 20), chance.randint(2, 6)
    net = Net(chance, (3, height, width), classes)
    images, rows = [], []
    # The first ones, one of each class, are for validation.
    for index in range(2 * classes + chance.randint(0, 10)):
        pixels = numpy.random.default_rng(chance.getrandbits(60)).integers(0, 256, (height, width, 3), numpy.uint8)
        Image.fromarray(pixels).save(folder / f"{index:02}.png")
        images.append(torch.tensor(pixels).permute(2, 0, 1).double() / 255)
        rows.append((f"{index:02}.png", f"class{index % classes}", "train" if index >= classes else "validation"))
    with open(folder / "images.csv", "w", newline="") as table:
        csv.writer(table).writerows([("path", "label", "split"), *rows])
    save_file({name: tensor.float().contiguous() for name, tensor in net.tensors.items()}, folder / "weights.safetensors")
    rate = 0.05
    text = f"""name = "net"
[data]
source = {{ csv = "images.csv" }}
image = {{ size = [{height}, {width}], channels = 3 }}
normalise = {{ mean = [0.5, 0.5, 0.5], std = [0.25, 0.25, 0.25] }}
batch-size = 64
[model]
defaults = {{ activation = "none" }}
weights = "weights.safetensors"
layers = [
  {(',' + chr(10) + '  ').join(net.layers)},
]
[train]
epochs = 1
optimizer = {{ sgd = {{ lr = {rate}, momentum = 0 }} }}
"""
    (folder / "net.toml").write_text(text)

    def say(*command):
        done = subprocess.run([wick, *command], cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"wick {' '.join(command)} ended with {done.returncode}: {done.stderr}{done.stdout}")

    differences = []
    try:
        say("predict", "--experiment", "net.toml", "--weights", "weights.safetensors", "00.png", "01.png", "--logits", "logits.csv")
        say("run", "net.toml", "--quiet", "--threads", "2")
        last = next((folder / "results/net/trials").glob("*/last.safetensors"))
        say("export", "--model", str(last), "--to", "safetensors", "--out", "after.safetensors")
    except RuntimeError as error:
        return [str(error)], text
    normalised = (torch.stack(images) - 0.5) / 0.25
    with torch.no_grad():
        expected = run(net.steps, normalised[:2], False)
    with open(folder / "logits.csv", newline="") as table:
        found = [[float(cell) for cell in row[1:]] for row in list(csv.reader(table))[1:]]
    differences += close("logits", torch.tensor(found), expected, expected, 1e-4)
    labels = torch.tensor([index % classes for index in range(len(images))])[classes:]
    exact, single = (trained(net, normalised[classes:], labels, rate, it) for it in (torch.float64, torch.float32))
    after = load_file(folder / "after.safetensors")
    for name, before in net.tensors.items():
        # A weight of 32 bits holds a step no better than half of its last bit.
        rounded = single[name] + before.abs() * 6e-8
        differences += close(name, after[name].double() - before, exact[name], rounded, 1e-3)
    missing = set(net.tensors) ^ {name for name in after if not name.endswith("num_batches_tracked")}
    return differences + [f"{name} is on one side alone" for name in sorted(missing)], text


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("wick", type=pathlib.Path)
    parser.add_argument("--nets", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    wick = arguments.wick.resolve()
    for index in range(arguments.nets):
        with tempfile.TemporaryDirectory() as folder:
            differences, text = check(wick, random.Random(f"{arguments.seed} {index}"), pathlib.Path(folder))
        if differences:
            print(text, *differences, f"network {index} of --seed {arguments.seed} differs", sep="\n")
            sys.exit(1)
    print(f"{arguments.nets} random networks: logits within 1e-4 of the largest, steps within 1e-3")


if __name__ == "__main__":
    main()
