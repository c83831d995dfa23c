"""Writes attention.safetensors: what timm and PyTorch compute for blurring pools, pools over channels and factors of
pixels.

Cases are as in kernels.py, whose file this one leaves as it is.
"""

import pathlib
import sys

# Behind Python's own modules: statistics.py stands here too, and is not the one that torch imports.
sys.path[0:1] = []

import torch
from safetensors.torch import save_file
from timm.layers import BlurPool2d

torch.manual_seed(3)
tensors = {}


def leaf(*shape):
    return torch.randn(*shape, dtype=torch.float32).double().requires_grad_()


def case(name, settings, inputs, function):
    key = " ".join([name, *(f"{k}={v}" for k, v in settings.items())])
    out = function(**inputs)
    r = torch.randn(out.shape, dtype=torch.float32).double()
    (out * r).sum().backward()
    assert f"{key}|r" not in tensors, key
    for label, tensor in inputs.items():
        tensors[f"{key}|{label}"] = tensor.detach()
        tensors[f"{key}|d{label}"] = tensor.grad
    tensors[f"{key}|r"] = r
    tensors[f"{key}|out"] = out.detach()


for shape in [(2, 3, 9, 6), (9, 4, 5, 7), (17, 2, 4, 4)]:
    size = "x".join(map(str, shape))
    for kernel, stride in [(3, 2), (3, 1), (4, 2), (5, 2), (2, 2), (5, 3)]:
        case("blur_pool2d", dict(kernel=kernel, stride=stride, size=size), dict(x=leaf(*shape)),
             lambda x: BlurPool2d(shape[1], kernel, stride).double()(x))
    case("channel_mean", dict(size=size), dict(x=leaf(*shape)), lambda x: x.mean(1, keepdim=True))
    case("channel_max", dict(size=size), dict(x=leaf(*shape)), lambda x: x.max(1, keepdim=True).values)
    case("scale_pixels", dict(size=size), dict(x=leaf(*shape), w=leaf(shape[0], 1, *shape[2:])), lambda x, w: x * w)

path = pathlib.Path(__file__).with_suffix(".safetensors")
save_file({name: tensor.float().contiguous().clone() for name, tensor in tensors.items()}, path)
