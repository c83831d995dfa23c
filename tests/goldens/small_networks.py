"""Networks for small images, which torchvision does not have, written down from their papers in PyTorch."""

import torch
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
}
