"""Writes presets.csv: size, parameters, FLOPs and the names of all tensors of the networks that presets are.

usage: python presets.py [PRESET …] > presets.csv, with torch, torchvision and timm; all presets if none is named

Networks are torchvision's with the FLOPs of its own tables, where it has them; those of timm and of
small_networks.py are counted here, products only. Names are told by the FNV-1a hash of the lines "NAME SHAPE" in
order.
"""

import pathlib
import sys

# Behind Python's own modules: statistics.py stands here too, and is not the one that torch imports.
sys.path[0:1] = []
sys.path.append(str(pathlib.Path(__file__).parent))

import timm
import torch
import torchvision
from torch import nn

import small_networks

CLASSES = 1000
TORCHVISION = """
wide_resnet50_2 wide_resnet101_2 resnext50_32x4d resnext101_32x8d resnext101_64x4d
densenet121 densenet161 densenet169 densenet201 mobilenet_v3_small mobilenet_v3_large
shufflenet_v2_x0_5 shufflenet_v2_x1_0 shufflenet_v2_x1_5 shufflenet_v2_x2_0
mnasnet0_5 mnasnet0_75 mnasnet1_0 mnasnet1_3
efficientnet_b0 efficientnet_b1 efficientnet_b2 efficientnet_b3 efficientnet_b4 efficientnet_b5 efficientnet_b6
efficientnet_b7 efficientnet_v2_s efficientnet_v2_m efficientnet_v2_l
regnet_x_400mf regnet_x_800mf regnet_x_1_6gf regnet_x_3_2gf regnet_x_8gf regnet_x_16gf regnet_x_32gf
regnet_y_400mf regnet_y_800mf regnet_y_1_6gf regnet_y_3_2gf regnet_y_8gf regnet_y_16gf regnet_y_32gf
inception_v3 convnext_tiny convnext_small convnext_base convnext_large
""".split()
TIMM = ["tf_efficientnet_lite0"]


def build(name, num_classes=CLASSES):
    """The network, and size and GFLOPs as published, if they are."""
    if name in small_networks.NETWORKS:
        return small_networks.NETWORKS[name](num_classes), small_networks.SIZES[name], None
    if name in TIMM:
        return timm.create_model(name, pretrained=False, num_classes=num_classes), 224, None
    more = {"init_weights": False} if name == "inception_v3" else {}
    # RegNet's widths are computed as tensors.
    with torch.device("cpu" if name.startswith("regnet") else torch.get_default_device()):
        model = getattr(torchvision.models, name)(num_classes=num_classes, **more)
    model.to(torch.get_default_device())
    weights = next(iter(torchvision.models.get_model_weights(name)))
    size = weights.transforms.keywords["crop_size"]
    return model, size, weights.meta["_ops"]


def count(model, size):
    """Products of a pass over one image, in 10⁹."""
    total = 0

    def seen(module, _, out):
        nonlocal total
        inputs = module.weight[0].numel()
        total += inputs * out[0].numel()

    for module in model.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            module.register_forward_hook(seen)
    with torch.no_grad():
        model.eval()(torch.zeros(1, 3, size, size))
    return total / 1e9


def names(model):
    state = 0xCBF29CE484222325
    for name, tensor in sorted(model.state_dict().items()):
        if not name.endswith("num_batches_tracked"):
            line = f"{name} {'x'.join(str(side) for side in tensor.shape)}\n"
            for byte in line.encode():
                state = (state ^ byte) * 0x100000001B3 % 2**64
    return f"{state:016x}"


def main():
    print("preset,size,parameters,gflops,names")
    # Shapes are all that is asked for.
    torch.set_default_device("meta")
    for name in sys.argv[1:] or TORCHVISION + TIMM + list(small_networks.NETWORKS):
        model, size, gflops = build(name)
        parameters = sum(parameter.numel() for parameter in model.parameters())
        gflops = gflops or round(count(model, size), 6)
        print(f"{name},{size},{parameters},{gflops},{names(model)}")
        print(name, file=sys.stderr)


if __name__ == "__main__":
    main()
