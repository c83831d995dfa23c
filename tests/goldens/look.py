"""Grad-CAM and LayerCAM of pytorch-grad-cam, and the maps of a layer, for `look.rs`.

usage: python look.py look.safetensors, with torch, torchvision, safetensors and grad-cam 1.5.7

Weights and the image are made from names on both sides, as in architectures.py. For each network: the logits, the maps
of the layer, and what both methods give for two classes, all over an image of 64×64.
"""

import pathlib
import sys

# Behind Python's own modules: statistics.py stands here too, and is not the one that torch imports.
sys.path[0:1] = []
sys.path.append(str(pathlib.Path(__file__).parent))

import numpy
import torch
import torchvision
from pytorch_grad_cam import GradCAM, LayerCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from safetensors.numpy import save_file

import small_networks
from architectures import uniform, value

CLASSES, SIZE = 10, 64


def without_in_place(network):
    for module in network.modules():
        if isinstance(module, torch.nn.ReLU):
            module.inplace = False
    return network


def main(path):
    squeezenet = torchvision.models.squeezenet1_1(weights=None, num_classes=CLASSES)
    resnet = small_networks.NETWORKS["resnet20"](CLASSES)
    image = torch.from_numpy(
        numpy.array(list(uniform("image", 3 * SIZE * SIZE)), dtype=numpy.float32).reshape(1, 3, SIZE, SIZE)
    )
    golden = {}
    for name, network, layer in [
        # What the last fire module gives, and what the last block does.
        ("squeezenet1_1", squeezenet, lambda it: it.features[-1]),
        ("resnet20", resnet, lambda it: it.layer3[-1]),
        ("resnet20-early", resnet, lambda it: it.layer1[-1]),
    ]:
        network = without_in_place(network).eval()
        for key, tensor in network.state_dict().items():
            if tensor.is_floating_point():
                numbers = numpy.asarray(value(key, tuple(tensor.shape)), dtype=numpy.float32)
                tensor.copy_(torch.from_numpy(numbers.reshape(tuple(tensor.shape))))
        target = layer(network)
        maps = []
        hook = target.register_forward_hook(lambda _, __, output: maps.append(output.detach().numpy()[0]))
        with torch.no_grad():
            golden[f"{name}.logits"] = network(image)[0].numpy()
        hook.remove()
        # Some channels and places are enough.
        step = max(1, maps[0].shape[1] // 8)
        golden[f"{name}.maps"] = maps[0][:: max(1, len(maps[0]) // 8), ::step, ::step].copy()
        for method in [GradCAM, LayerCAM]:
            for label in [1, 3]:
                with method(model=network, target_layers=[target]) as cam:
                    found = cam(input_tensor=image, targets=[ClassifierOutputTarget(label)])[0]
                print(name, method.__name__, label, found.min(), found.mean(), found.max())
                # So many places show it.
                golden[f"{name}.{method.__name__}.{label}"] = found[::4, ::4].astype(numpy.float32).copy()
    save_file(golden, path)


main(sys.argv[1])
