"""Networks that torchvision does not have, written down from their papers in PyTorch."""

import torch
import torchvision
from torch import nn
from torch.nn import functional as F


def conv(inputs, filters, kernel=3, stride=1):
    return nn.Conv2d(inputs, filters, kernel, stride, kernel // 2, bias=False)


class Lenet5(nn.Module):
    """LeCun et al., 1998, as it is taught."""

    def __init__(self, num_classes):
        super().__init__()
        self.conv1, self.conv2, self.conv3 = nn.Conv2d(3, 6, 5), nn.Conv2d(6, 16, 5), nn.Conv2d(16, 120, 5)
        self.dense1, self.dense2 = nn.Linear(120, 84), nn.Linear(84, num_classes)

    def forward(self, x):
        x = F.avg_pool2d(torch.tanh(self.conv1(x)), 2)
        x = F.avg_pool2d(torch.tanh(self.conv2(x)), 2)
        x = torch.tanh(self.conv3(x)).flatten(1)
        return self.dense2(torch.tanh(self.dense1(x)))


class Basic(nn.Module):
    """He et al., 2016: with shortcuts that have no weights."""

    def __init__(self, inputs, filters, stride):
        super().__init__()
        self.conv1, self.bn1 = conv(inputs, filters, stride=stride), nn.BatchNorm2d(filters)
        self.conv2, self.bn2 = conv(filters, filters), nn.BatchNorm2d(filters)
        self.stride, self.missing = stride, filters - inputs
        self.relu = nn.ReLU()

    def forward(self, x):
        y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        around = x[:, :, :: self.stride, :: self.stride]
        return self.relu(y + F.pad(around, (0, 0, 0, 0, self.missing // 2, self.missing // 2)))


class CifarResnet(nn.Module):
    def __init__(self, count, num_classes):
        super().__init__()
        self.conv1, self.bn1, self.relu = conv(3, 16), nn.BatchNorm2d(16), nn.ReLU()
        for stage, filters in enumerate([16, 32, 64], 1):
            first = Basic(16 if stage == 1 else filters // 2, filters, 1 if stage == 1 else 2)
            rest = [Basic(filters, filters, 1) for _ in range(count - 1)]
            self.add_module(f"layer{stage}", nn.Sequential(first, *rest))
        self.linear = nn.Linear(64, num_classes)

    def forward(self, x):
        x = self.relu(self.bn1(self.conv1(x)))
        return self.linear(self.layer3(self.layer2(self.layer1(x))).mean([2, 3]))


class Wide(nn.Module):
    """Zagoruyko and Komodakis, 2016: norm and ReLU before each convolution."""

    def __init__(self, inputs, filters, stride):
        super().__init__()
        self.bn1, self.conv1 = nn.BatchNorm2d(inputs), conv(inputs, filters, stride=stride)
        self.bn2, self.conv2 = nn.BatchNorm2d(filters), conv(filters, filters)
        self.relu = nn.ReLU()
        self.convShortcut = conv(inputs, filters, 1, stride) if inputs != filters else None

    def forward(self, x):
        y = self.relu(self.bn1(x))
        around = x if self.convShortcut is None else self.convShortcut(y)
        return around + self.conv2(self.relu(self.bn2(self.conv1(y))))


class WideResnet(nn.Module):
    def __init__(self, count, width, num_classes):
        super().__init__()
        self.conv1, inputs = conv(3, 16), 16
        for stage, filters in enumerate([16 * width, 32 * width, 64 * width], 1):
            first = Wide(inputs, filters, 1 if stage == 1 else 2)
            rest = [Wide(filters, filters, 1) for _ in range(count - 1)]
            block = nn.Module()
            block.layer = nn.Sequential(first, *rest)
            self.add_module(f"block{stage}", block)
            inputs = filters
        self.bn1, self.fc, self.relu = nn.BatchNorm2d(inputs), nn.Linear(inputs, num_classes), nn.ReLU()

    def forward(self, x):
        x = self.block3.layer(self.block2.layer(self.block1.layer(self.conv1(x))))
        return self.fc(self.relu(self.bn1(x)).mean([2, 3]))


class Alexnet(nn.Module):
    """Krizhevsky et al., 2012, for images of so many pixels a side."""

    def __init__(self, num_classes, size=224):
        super().__init__()
        side = (size + 4 - 11) // 4 + 1
        for _ in range(3):
            side = (side - 3) // 2 + 1
        self.conv1, self.conv2 = nn.Conv2d(3, 96, 11, 4, 2), nn.Conv2d(96, 256, 5, 1, 2, groups=2)
        self.conv3, self.conv4 = nn.Conv2d(256, 384, 3, 1, 1), nn.Conv2d(384, 384, 3, 1, 1, groups=2)
        self.conv5 = nn.Conv2d(384, 256, 3, 1, 1, groups=2)
        self.fc6, self.fc7 = nn.Linear(256 * side**2, 4096), nn.Linear(4096, 4096)
        self.fc8 = nn.Linear(4096, num_classes)
        # PyTorch divides alpha by the number of channels, the paper does not.
        self.norm = nn.LocalResponseNorm(5, 5 * 1e-4, 0.75, 2.0)
        self.relu, self.dropout = nn.ReLU(), nn.Dropout(0.5)

    def forward(self, x):
        for conv in [self.conv1, self.conv2]:
            x = F.max_pool2d(self.norm(self.relu(conv(x))), 3, 2)
        for conv in [self.conv3, self.conv4, self.conv5]:
            x = self.relu(conv(x))
        x = F.max_pool2d(x, 3, 2).flatten(1)
        for dense in [self.fc6, self.fc7]:
            x = self.dropout(self.relu(dense(x)))
        return self.fc8(x)


class Gates(nn.Module):
    """Woo et al., 2018, as in the authors' code."""

    def __init__(self, channels):
        super().__init__()
        self.ChannelGate, self.SpatialGate = nn.Module(), nn.Module()
        self.ChannelGate.mlp = nn.Sequential(
            nn.Flatten(), nn.Linear(channels, channels // 16), nn.ReLU(), nn.Linear(channels // 16, channels)
        )
        self.SpatialGate.spatial = nn.Module()
        self.SpatialGate.spatial.conv = nn.Conv2d(2, 1, 7, padding=3, bias=False)
        self.SpatialGate.spatial.bn = nn.BatchNorm2d(1, momentum=0.01)

    def forward(self, x):
        mlp, spatial = self.ChannelGate.mlp, self.SpatialGate.spatial
        factors = torch.sigmoid(mlp(x.mean([2, 3])) + mlp(x.amax([2, 3])))
        x = x * factors[:, :, None, None]
        both = torch.cat([x.max(1, keepdim=True).values, x.mean(1, keepdim=True)], 1)
        return x * torch.sigmoid(spatial.bn(spatial.conv(both)))


def cbam(depth, num_classes):
    model = getattr(torchvision.models, f"resnet{depth}")(num_classes=num_classes)
    for stage in [model.layer1, model.layer2, model.layer3, model.layer4]:
        for block in stage:
            last = "bn3" if hasattr(block, "bn3") else "bn2"
            block.cbam = Gates(getattr(block, last).num_features)
            getattr(block, last).register_forward_hook(lambda _, __, out, gates=block.cbam: gates(out))
    return model


class Group(nn.Module):
    def __init__(self, inputs, filters):
        super().__init__()
        self.conv1, self.conv2 = conv(inputs, filters), conv(filters, filters)
        self.norm1, self.norm2 = [nn.BatchNorm2d(filters, eps=1e-12, momentum=0.4) for _ in range(2)]
        for norm in [self.norm1, self.norm2]:
            norm.weight = None
        self.pool, self.activ = nn.MaxPool2d(2), nn.GELU()

    def forward(self, x):
        x = self.activ(self.norm1(self.pool(self.conv1(x))))
        return self.activ(self.norm2(self.conv2(x)))


class Airbench(nn.Module):
    """Jordan, 2024: factors of norms, which do not learn there, are left out."""

    def __init__(self, num_classes):
        super().__init__()
        self.whiten = nn.Conv2d(3, 24, 2)
        self.whiten.weight.requires_grad = False
        self.layers = nn.Sequential(
            nn.GELU(), Group(24, 64), Group(64, 256), Group(256, 256), nn.MaxPool2d(3), nn.Flatten()
        )
        self.head = nn.Linear(256, num_classes, bias=False)

    def forward(self, x):
        return self.head(self.layers(self.whiten(x))) / 9


class Normed(nn.Conv2d):
    """A convolution, a norm and a ReLU."""

    def __init__(self, inputs, filters):
        super().__init__(inputs, filters, 3, padding=1, bias=False)
        self.norm, self.relu = nn.BatchNorm2d(filters), nn.ReLU()

    def forward(self, x):
        return self.relu(self.norm(super().forward(x)))


class Resnet9(nn.Module):
    """Page, 2018."""

    def __init__(self, num_classes):
        super().__init__()
        self.prep, self.layer1 = Normed(3, 64), Normed(64, 128)
        self.layer2, self.layer3 = Normed(128, 256), Normed(256, 512)
        for layer, filters in [(self.layer1, 128), (self.layer3, 512)]:
            layer.residual = nn.Module()
            layer.residual.conv1, layer.residual.conv2 = Normed(filters, filters), Normed(filters, filters)
        self.pool = nn.MaxPool2d(2)
        self.linear = nn.Linear(512, num_classes)

    def around(self, x, residual):
        return x + residual.conv2(residual.conv1(x))

    def forward(self, x):
        x = self.pool(self.layer1(self.prep(x)))
        x = self.around(x, self.layer1.residual)
        x = self.pool(self.layer3(self.pool(self.layer2(x))))
        x = self.around(x, self.layer3.residual)
        return self.linear(x.amax([2, 3]))


NETWORKS = {
    "lenet5": Lenet5,
    "resnet9": Resnet9,
    "resnet20": lambda num_classes: CifarResnet(3, num_classes),
    "resnet32": lambda num_classes: CifarResnet(5, num_classes),
    "resnet44": lambda num_classes: CifarResnet(7, num_classes),
    "resnet56": lambda num_classes: CifarResnet(9, num_classes),
    "resnet110": lambda num_classes: CifarResnet(18, num_classes),
    "wrn-28-10": lambda num_classes: WideResnet(4, 10, num_classes),
    "airbench": Airbench,
    "alexnet_lrn": Alexnet,
    "cbam_resnet18": lambda num_classes: cbam(18, num_classes),
    "cbam_resnet50": lambda num_classes: cbam(50, num_classes),
}
# Pixels a side of the images of each.
SIZES = {name: 32 for name in NETWORKS} | dict.fromkeys(["alexnet_lrn", "cbam_resnet18", "cbam_resnet50"], 224)
