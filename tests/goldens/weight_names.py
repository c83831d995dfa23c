"""Writes weights/names.csv: what torchvision and timm call the tensors of the same networks, in order.

    python3 weight_names.py        (torchvision 0.29, timm 1.0.31)

For each pair the network of timm is given torchvision's numbers position by position, and has to
compute what torchvision's does: that the order is right is the fact that the test rests on.
"""

import csv
import pathlib

import timm
import torch
import torchvision

PAIRS = [("vgg11", "vgg11"), ("resnet18", "resnet18"), ("mobilenet_v2", "mobilenetv2_100")]
torch.manual_seed(0)


def rows(source, network, model):
    for name, tensor in model.state_dict().items():
        yield source, network, name, "x".join(str(side) for side in tensor.shape)


out = csv.writer(open(pathlib.Path(__file__).parent / "weights" / "names.csv", "w"), lineterminator="\n")
out.writerow(["source", "network", "name", "shape"])
for ours, theirs in PAIRS:
    one = getattr(torchvision.models, ours)(weights=None).eval()
    other = timm.create_model(theirs, pretrained=False).eval()
    for tensor in one.state_dict().values():
        if tensor.dtype.is_floating_point:
            tensor.copy_(torch.rand_like(tensor) * 0.1 + 0.01)
    numbers = list(one.state_dict().values())
    moved = {
        name: value.reshape(tensor.shape)
        for (name, tensor), value in zip(other.state_dict().items(), numbers, strict=True)
    }
    other.load_state_dict(moved)
    image = torch.rand(1, 3, 224, 224)
    with torch.no_grad():
        torch.testing.assert_close(one(image), other(image))
    out.writerows(rows("torchvision", ours, one))
    out.writerows(rows("timm", ours, other))
out.writerows(rows("torchvision", "googlenet", torchvision.models.googlenet(weights=None, init_weights=False)))
