"""Writes kernels.safetensors: what PyTorch computes for the operations of crates/kernels.

Every case is a group of tensors "CASE|NAME". CASE says the operation and its settings, "conv2d
kernel=3 stride=1 …"; NAME is an input (x, w, b …), "r" (the weights of the scalar sum(out * r)
whose gradients are taken), "out", or "dx", "dw" … Computed in float64 from float32 inputs.
"""

import itertools
import pathlib

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

torch.manual_seed(1)
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


CONVOLUTIONS = [
    # batch, channels, filters, height, width, kernel, stride, padding, dilation, groups
    (1, 1, 1, 1, 1, 1, 1, 0, 1, 1),
    (1, 3, 5, 7, 5, 3, 1, 1, 1, 1),
    (2, 5, 3, 9, 8, 3, 3, 1, 1, 1),
    (2, 3, 4, 9, 9, 3, 1, 2, 2, 1),
    (3, 6, 4, 6, 7, 3, 2, 1, 1, 2),
    (1, 17, 17, 4, 4, 3, 1, 1, 1, 17),
    (1, 64, 5, 3, 3, 1, 1, 0, 1, 1),
    (2, 3, 2, 11, 11, 5, 3, 2, 1, 1),
    (9, 3, 6, 8, 8, 3, 1, 0, 1, 1),
    (9, 5, 17, 5, 5, 3, 2, 1, 1, 1),
    (9, 4, 4, 6, 5, 3, 1, 2, 2, 2),
    (9, 5, 5, 5, 5, 3, 3, 1, 1, 5),
    (9, 17, 16, 6, 7, 3, 1, 1, 1, 1),
    (17, 16, 17, 4, 4, 3, 1, 1, 1, 1),
    (9, 64, 16, 4, 4, 3, 1, 1, 1, 1),
    (9, 16, 16, 6, 6, 3, 1, 0, 1, 1),
    (9, 8, 3, 5, 5, 1, 2, 0, 1, 1),
]
for n, c, o, h, w, k, s, p, d, g in CONVOLUTIONS:
    case(
        "conv2d",
        dict(stride=s, padding=p, dilation=d, groups=g, batch=n, size=f"{h}x{w}", channels=c),
        dict(x=leaf(n, c, h, w), w=leaf(o, c // g, k, k), b=leaf(o)),
        lambda x, w, b: F.conv2d(x, w, b, s, p, d, g),
    )

for n, (h, w), (k, s, p), ceil in itertools.product(
    [2, 9], [(5, 6), (7, 7)], [(2, 2, 0), (3, 2, 0), (3, 2, 1), (3, 1, 1)], [0, 1]
):
    settings = dict(kernel=k, stride=s, padding=p, ceil=ceil, batch=n, size=f"{h}x{w}")
    case("max_pool2d", settings, dict(x=leaf(n, 2, h, w)),
         lambda x: F.max_pool2d(x, k, s, p, ceil_mode=bool(ceil)))
    for count in [0, 1]:
        case("avg_pool2d", dict(settings, count=count), dict(x=leaf(n, 2, h, w)),
             lambda x: F.avg_pool2d(x, k, s, p, bool(ceil), bool(count)))
for n, out in itertools.product([2, 9], [(1, 1), (2, 3), (5, 7)]):
    case("adaptive_avg_pool2d", dict(height=out[0], width=out[1], batch=n),
         dict(x=leaf(n, 3, 5, 7)), lambda x: F.adaptive_avg_pool2d(x, out))

for shape in [(5, 3), (2, 3, 4, 3), (9, 3, 3, 2), (17, 2, 2, 2)]:
    size = "x".join(map(str, shape))
    c = shape[1]
    case("batch_norm", dict(training=1, size=size), dict(x=leaf(*shape), w=leaf(c), b=leaf(c)),
         lambda x, w, b: F.batch_norm(x, None, None, w, b, True, 0.1, 1e-5))
    case("batch_norm", dict(training=0, size=size), dict(x=leaf(*shape), w=leaf(c), b=leaf(c)),
         lambda x, w, b: F.batch_norm(x, torch.full((c,), 0.25).double(),
                                      torch.full((c,), 1.5).double(), w, b, False, 0.1, 1e-5))

for name, function in {
    "relu": F.relu, "relu6": lambda x: F.relu6(4 * x), "leaky-relu": lambda x: F.leaky_relu(x, 0.1),
    "elu": lambda x: F.elu(x, 0.7), "gelu": F.gelu, "silu": F.silu,
    "hardswish": lambda x: F.hardswish(3 * x), "tanh": torch.tanh, "sigmoid": torch.sigmoid,
}.items():
    case("activation", dict(function=name), dict(x=leaf(4, 31)), lambda x: function(x))

for n, m, k in [(1, 1, 1), (3, 17, 5), (65, 7, 70)]:
    case("dense", dict(batch=n), dict(x=leaf(n, m), w=leaf(k, m), b=leaf(k)),
         lambda x, w, b: F.linear(x, w, b))

LABELS = torch.tensor([2, 0, 4, 4, 1, 3])
CLASS_WEIGHTS = torch.tensor([0.5, 1.0, 2.0, 0.25, 1.5]).double()
for smoothing, weighted in itertools.product([0.0, 0.1], [0, 1]):
    case("cross_entropy", dict(smoothing=smoothing, weighted=weighted), dict(x=leaf(6, 5)),
         lambda x: F.cross_entropy(x, LABELS, CLASS_WEIGHTS if weighted else None,
                                   label_smoothing=smoothing))

# Four steps with given gradients, at a rate of 0.05 and a weight decay of 0.01.
OPTIMIZERS = {
    "sgd": lambda p: torch.optim.SGD(p, 0.05, weight_decay=0.01),
    "momentum": lambda p: torch.optim.SGD(p, 0.05, 0.9, weight_decay=0.01),
    "nesterov": lambda p: torch.optim.SGD(p, 0.05, 0.9, weight_decay=0.01, nesterov=True),
    "adam": lambda p: torch.optim.Adam(p, 0.05, weight_decay=0.01),
    "adamw": lambda p: torch.optim.AdamW(p, 0.05, weight_decay=0.01),
    "rmsprop": lambda p: torch.optim.RMSprop(p, 0.05, 0.9, momentum=0.9, weight_decay=0.01),
}
for name, build in OPTIMIZERS.items():
    parameter = leaf(13)
    gradients = torch.randn(4, 13, dtype=torch.float32).double()
    tensors[f"optimizer {name}|x"] = parameter.detach().clone()
    tensors[f"optimizer {name}|r"] = gradients
    optimizer = build([parameter])
    for gradient in gradients:
        parameter.grad = gradient.clone()
        optimizer.step()
    tensors[f"optimizer {name}|out"] = parameter.detach().clone()

path = pathlib.Path(__file__).with_suffix(".safetensors")
save_file({name: tensor.float().contiguous().clone() for name, tensor in tensors.items()}, path)
