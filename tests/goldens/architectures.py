"""Logits and gradients of torchvision's networks, for `architectures.rs`.

usage: python architectures.py [PRESET …] > architectures.csv, with torch, torchvision and timm; all presets if
none is named

Weights are made from the parameters' names on both sides, so that no weights have to be kept: number
i of a tensor is the i-th output of SplitMix64 started at the FNV-1a hash of the tensor's name. Torch
computes in f64.

A gradient in f32 is that in f64, but for rounding, only where every ReLU and every max pool decides alike.
So gradients are taken where all decisions are far from close (`decided`, `ramps`). The smallest distance is
measured here, and `architectures.rs` refuses goldens where it is not far above the rounding of f32.
"""

import pathlib
import sys

# Behind Python's own modules: statistics.py stands here too, and is not the one that torch imports.
sys.path[0:1] = []
sys.path.append(str(pathlib.Path(__file__).parent))

import numpy
import torch
import torchvision
from torch import nn

import presets

GOLDEN = 0x9E3779B97F4A7C15
MODELS = {
    "alexnet": "alexnet",
    "vgg11": "vgg11",
    "vgg11-bn": "vgg11_bn",
    "vgg13": "vgg13",
    "vgg13-bn": "vgg13_bn",
    "vgg16": "vgg16",
    "vgg16-bn": "vgg16_bn",
    "vgg19": "vgg19",
    "vgg19-bn": "vgg19_bn",
    "resnet18": "resnet18",
    "resnet34": "resnet34",
    "resnet50": "resnet50",
    "resnet101": "resnet101",
    "resnet152": "resnet152",
    "googlenet": "googlenet",
    "squeezenet1_0": "squeezenet1_0",
    "squeezenet1_1": "squeezenet1_1",
    "mobilenet_v2": "mobilenet_v2",
}
MODELS |= {name: name for name in presets.TORCHVISION + presets.TIMM + list(presets.small_networks.NETWORKS)}
TRAINED = [
    *["alexnet", "vgg11-bn", "resnet18", "resnet50", "googlenet", "squeezenet1_1", "mobilenet_v2"],
    *["resnext50_32x4d", "densenet121", "mobilenet_v3_small", "shufflenet_v2_x0_5", "mnasnet0_5"],
    *["efficientnet_b0", "regnet_y_400mf", "inception_v3", "convnext_tiny", "tf_efficientnet_lite0"],
    *["lenet5", "resnet9", "resnet20", "wrn-28-10", "airbench", "alexnet_lrn"],
]
CLASSES = 10
SIZE = 64
BATCH = 4
# The margin that architectures.rs asks for.
CLOSE = 1e-4
# Of images for logits, and of those for gradients, with their number.
SIZES = presets.small_networks.SIZES | {"inception_v3": 96, "alexnet_lrn": 63, "cbam_resnet18": 64, "cbam_resnet50": 64}
TRAINED_ON = {"airbench": (28, 4), "inception_v3": (299, 2), "wrn-28-10": (16, 4)}


def uniform(name, count):
    """Numbers in [0, 1)."""
    state = 0xCBF29CE484222325
    for byte in name.encode():
        state = (state ^ byte) * 0x100000001B3 % 2**64
    with numpy.errstate(over="ignore"):
        z = numpy.arange(1, count + 1, dtype=numpy.uint64) * numpy.uint64(GOLDEN)
        z += numpy.uint64(state)
        z = (z ^ (z >> numpy.uint64(30))) * numpy.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> numpy.uint64(27))) * numpy.uint64(0x94D049BB133111EB)
        z ^= z >> numpy.uint64(31)
    return (z >> numpy.uint64(40)).astype(numpy.float64) / 2**24


def value(name, shape):
    count = int(numpy.prod(shape))
    signed = 2 * uniform(name, count) - 1
    if name.endswith("running_var"):
        numbers = 1 + 0.5 * signed
    elif name.endswith("weight") and len(shape) == 1:
        numbers = 0.4 + 0.2 * signed
    elif name.endswith("weight"):
        numbers = signed * (6 / numpy.prod(shape[1:])) ** 0.5
    else:
        numbers = 0.1 * signed
    # What f32 holds is what both sides compute with.
    return torch.from_numpy(numbers.astype(numpy.float32).astype(numpy.float64).reshape(shape))


def decided(name, shape):
    """Even channels pass a ReLU and odd ones do not, whatever the image; maps are as monotone as images are,
    since a filter is little else than positive weights of the pixel in its middle, most of all of one channel."""
    count = int(numpy.prod(shape))
    signed = (2 * uniform(name, count) - 1).reshape(shape)
    if "running" in name:
        return value(name, shape)
    if name.endswith("layer_scale"):
        return torch.from_numpy((0.5 + 0.1 * signed).astype(numpy.float32).astype(numpy.float64))
    if len(shape) == 1:
        if name.endswith("weight"):
            numbers = 0.15 + 0.05 * signed
        else:
            passes = (numpy.arange(count) % 2 == 0) | (count == CLASSES)
            numbers = numpy.where(passes, 1 + 0.1 * signed, -16)
    else:
        channels = shape[1]
        numbers = signed * (0.003 / numpy.prod(shape[1:]) ** 0.5)
        middle = tuple([slice(None)] * 2 + [size // 2 for size in shape[2:]])
        factor = 1 + 0.5 * signed[middle]
        filters = numpy.arange(shape[0])
        main = filters % channels if channels % 2 else (filters // 2 * 6 + 2) % channels
        numbers[middle] = 0.3 / channels * factor
        numbers[(filters, main) + middle[2:]] += 0.7 * factor[filters, main]
    return torch.from_numpy(numbers.astype(numpy.float32).astype(numpy.float64))


def ramps(size, batch):
    """Images that grow with each row and each column."""
    at = (numpy.arange(size) + 0.5) / size
    numbers = numpy.empty((batch, 3, size, size))
    for map, drawn in zip(numbers.reshape(-1, size, size), uniform("ramps", batch * 3 * 5).reshape(-1, 5)):
        across, down = [
            (0.6 + slope) * (at + (bend - 0.5) * at * (1 - at)) for slope, bend in (drawn[:2], drawn[2:4])
        ]
        map[:] = across + down[:, None] + drawn[4] - 0.5
    return torch.from_numpy(numbers.astype(numpy.float32).astype(numpy.float64))


class Margin:
    """The smallest distance of a ReLU's input from its kinks, and of a window's two largest numbers; and of how many
    decisions, how many are below CLOSE."""

    def __init__(self, model):
        self.smallest = float("inf")
        self.decisions = self.close = 0
        # googlenet calls the function, the others modules, which call it too.
        relu = nn.functional.relu
        nn.functional.relu = lambda x, inplace=False: relu(self.seen(x.abs(), x))
        for module in model.modules():
            if isinstance(module, nn.ReLU6):
                module.register_forward_pre_hook(lambda _, x: self.seen(torch.minimum(x[0].abs(), (x[0] - 6).abs()), None))
            if isinstance(module, (nn.Hardswish, nn.Hardsigmoid)):
                module.register_forward_pre_hook(lambda _, x: self.seen(torch.minimum((x[0] - 3).abs(), (x[0] + 3).abs()), None))
        # Modules call this one too.
        max_pool2d = nn.functional.max_pool2d

        def seen(x, kernel_size, stride=None, padding=0, *rest, ceil_mode=False, **more):
            self.pool(x, kernel_size, stride or kernel_size, padding, ceil_mode)
            return max_pool2d(x, kernel_size, stride, padding, *rest, ceil_mode=ceil_mode, **more)

        nn.functional.max_pool2d = seen
        self.undo = [("relu", relu), ("max_pool2d", max_pool2d)]

    def seen(self, distances, x):
        self.smallest = min(self.smallest, distances.min().item())
        self.decisions += distances.numel()
        self.close += (distances < CLOSE).sum().item()
        return x

    def done(self):
        for name, function in self.undo:
            setattr(nn.functional, name, function)

    def pool(self, x, size, stride, padding, ceil_mode):
        x = x.detach()
        more = stride if ceil_mode else 0
        x = nn.functional.pad(x, (padding, padding + more) * 2, value=-1e9)
        first, second = x.unfold(2, size, stride).unfold(3, size, stride).flatten(4).topk(2).values.unbind(-1)
        # Zeros are channels that no gradient passes. Pixels that tie are the same pixel, seen by two windows of
        # a pool of stride 1 before: the gradient arrives there, whichever of them it goes to.
        gap = (first - second)[(first > 0) & (first - second > 1e-9)]
        self.seen(gap, None)


def main():
    torch.set_default_dtype(torch.float64)
    print("preset,what,norm,value")
    for preset in sys.argv[1:] or MODELS:
        name, size = MODELS[preset], SIZES.get(preset, SIZE)
        images = torch.from_numpy(
            (2 * uniform("images", BATCH * 3 * size * size) - 1).reshape(BATCH, 3, size, size)
        )
        if size != SIZE:
            print(f"{preset},size,,{size}")
        if name == "alexnet_lrn":
            model = presets.small_networks.Alexnet(CLASSES, size)
        elif name in presets.small_networks.NETWORKS or name in presets.TIMM:
            model, *_ = presets.build(name, CLASSES)
        else:
            plain = {"init_weights": False} if name in ["googlenet", "inception_v3"] else {}
            plain |= {"aux_logits": True} if plain else {}
            model = getattr(torchvision.models, name)(num_classes=CLASSES, **plain)
        state = model.state_dict()
        for key, tensor in state.items():
            if not key.endswith("num_batches_tracked"):
                state[key] = value(key, tuple(tensor.shape))
        model.load_state_dict(state)
        model.eval()
        with torch.no_grad():
            logits = model(images)
        for index, logit in enumerate(logits.flatten().tolist()):
            print(f"{preset},logit {index},,{logit:.9e}")
        if preset not in TRAINED:
            continue
        for key, tensor in state.items():
            if not key.endswith("num_batches_tracked"):
                state[key] = decided(key, tuple(tensor.shape))
        model.load_state_dict(state)
        model.train()
        for module in model.modules():
            if isinstance(module, (nn.Dropout, torchvision.ops.StochasticDepth)):
                module.p = 0.0
        size, batch = TRAINED_ON.get(preset, (size, BATCH))
        if preset in TRAINED_ON:
            print(f"{preset},training size,,{size}")
            print(f"{preset},training batch,,{batch}")
        labels = torch.tensor([(3 * i + 1) % CLASSES for i in range(batch)])
        margin = Margin(model)
        out = model(ramps(size, batch))
        margin.done()
        loss_function = nn.CrossEntropyLoss()
        if name == "googlenet":
            loss = loss_function(out.logits, labels)
            loss = loss + 0.3 * loss_function(out.aux_logits1, labels)
            loss = loss + 0.3 * loss_function(out.aux_logits2, labels)
        elif name == "inception_v3":
            loss = loss_function(out.logits, labels) + 0.4 * loss_function(out.aux_logits, labels)
        else:
            loss = loss_function(out, labels)
        loss.backward()
        print(f"{preset},margin,,{margin.smallest:.3e}")
        if margin.close > 0:
            print(f"{preset},close decisions,,{margin.close}")
            print(f"{preset},decisions,,{margin.decisions}")
        print(f"{preset},loss,,{loss.item():.9e}")
        for key, parameter in model.named_parameters():
            if not parameter.requires_grad:
                continue
            pattern = 2 * uniform(f"{key} pattern", parameter.numel()) - 1
            dot = (parameter.grad.flatten().numpy() * pattern).sum()
            print(f"{preset},{key},{parameter.grad.norm().item():.9e},{dot:.9e}")
        print(preset, file=sys.stderr)


if __name__ == "__main__":
    main()
