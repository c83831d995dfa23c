"""Logits and gradients of torchvision's networks, for `architectures.rs`.

usage: python architectures.py > architectures.csv, with torch and torchvision

Weights are made from the parameters' names on both sides, so that no weights have to be kept: number
i of a tensor is the i-th output of SplitMix64 started at the FNV-1a hash of the tensor's name. Torch
computes in f64.
"""

import sys

import numpy
import torch
import torchvision
from torch import nn

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
TRAINED = ["alexnet", "vgg11-bn", "resnet18", "resnet50", "googlenet", "squeezenet1_1", "mobilenet_v2"]
CLASSES = 10
SIZE = 64
BATCH = 4


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


def main():
    torch.set_default_dtype(torch.float64)
    images = torch.from_numpy(
        (2 * uniform("images", BATCH * 3 * SIZE * SIZE) - 1).reshape(BATCH, 3, SIZE, SIZE)
    )
    labels = torch.tensor([(3 * i + 1) % CLASSES for i in range(BATCH)])
    print("preset,what,norm,value")
    for preset, name in MODELS.items():
        arguments = {"aux_logits": True, "init_weights": False} if name == "googlenet" else {}
        model = getattr(torchvision.models, name)(num_classes=CLASSES, **arguments)
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
        model.train()
        for module in model.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0
        out = model(images)
        loss_function = nn.CrossEntropyLoss()
        if name == "googlenet":
            loss = loss_function(out.logits, labels)
            loss = loss + 0.3 * loss_function(out.aux_logits1, labels)
            loss = loss + 0.3 * loss_function(out.aux_logits2, labels)
        else:
            loss = loss_function(out, labels)
        loss.backward()
        print(f"{preset},loss,,{loss.item():.9e}")
        for key, parameter in model.named_parameters():
            pattern = 2 * uniform(f"{key} pattern", parameter.numel()) - 1
            dot = (parameter.grad.flatten().numpy() * pattern).sum()
            print(f"{preset},{key},{parameter.grad.norm().item():.9e},{dot:.9e}")
        print(preset, file=sys.stderr)


if __name__ == "__main__":
    main()
