"""Writes norms.safetensors: what PyTorch computes for normalisations of single images and moves of channels.

Cases are as in kernels.py, whose file this one leaves as it is.
"""

import pathlib
import sys

# Behind Python's own modules: statistics.py stands here too, and is not the one that torch imports.
sys.path[0:1] = []

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

torch.manual_seed(2)
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


def layer_norm(x, w, b):
    if x.dim() == 2:
        return F.layer_norm(x, x.shape[1:], w, b, 1e-5)
    return F.layer_norm(x.permute(0, 2, 3, 1), x.shape[1:2], w, b, 1e-5).permute(0, 3, 1, 2)


def global_response_norm(x, w, b):
    """As in the code beside the paper, with channels first."""
    norms = torch.norm(x, p=2, dim=(2, 3), keepdim=True)
    shares = norms / (norms.mean(dim=1, keepdim=True) + 1e-6)
    return w[:, None, None] * (x * shares) + b[:, None, None] + x


def shuffle(x, groups):
    n, c, h, w = x.shape
    return x.view(n, groups, c // groups, h, w).transpose(1, 2).reshape(n, c, h, w)


for shape in [(5, 40), (2, 6, 9, 3), (9, 36, 2, 2), (17, 4, 3, 3)]:
    size, c = "x".join(map(str, shape)), shape[1]
    case("layer_norm", dict(size=size), dict(x=leaf(*shape), w=leaf(c), b=leaf(c)), layer_norm)
    for groups in [1, 2, c]:
        # A number on its own has no variance.
        if len(shape) == 4 or groups < c:
            case("group_norm", dict(groups=groups, size=size), dict(x=leaf(*shape), w=leaf(c), b=leaf(c)),
                 lambda x, w, b: F.group_norm(x, groups, w, b, 1e-5))
    if len(shape) == 2:
        continue
    case("global_response_norm", dict(size=size), dict(x=leaf(*shape), w=leaf(c), b=leaf(c)), global_response_norm)
    case("layer_scale", dict(size=size), dict(x=leaf(*shape), w=leaf(c, 1, 1)), lambda x, w: x * w)
    for count in [2, 5]:
        case("local_response_norm", dict(count=count, size=size), dict(x=leaf(*shape)),
             lambda x: F.local_response_norm(x, count, 0.3, 0.75, 2.0))
    case("shuffle", dict(size=size), dict(x=leaf(*shape)), lambda x: shuffle(x, 2))
    case("chunk", dict(size=size), dict(x=leaf(*shape)), lambda x: x.chunk(2, 1)[1])
    case("pad", dict(size=size), dict(x=leaf(*shape)), lambda x: F.pad(x, (0, 0, 0, 0, 1, 2)))
for n, out in [(2, (1, 1)), (2, (2, 3)), (9, (2, 3)), (9, (7, 5))]:
    case("adaptive_max_pool2d", dict(height=out[0], width=out[1], batch=n),
         dict(x=leaf(n, 3, 5, 7)), lambda x: F.adaptive_max_pool2d(x, out))
case("hardsigmoid", {}, dict(x=leaf(4, 31)), lambda x: F.hardsigmoid(3 * x))

path = pathlib.Path(__file__).with_suffix(".safetensors")
save_file({name: tensor.float().contiguous().clone() for name, tensor in tensors.items()}, path)
