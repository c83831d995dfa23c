"""What scikit-learn's logistic regression makes of frozen SqueezeNet 1.1 features and of raw pixels.

usage: transfer_logistic.py WEIGHTS FOLDER [--seed S]

Images are RGB / 255, less ImageNet's mean and in units of its deviation, at the size they have. Every
set of features is judged by five stratified folds (shuffled, one seed): the mean accuracy of
LogisticRegression(C=1) on the features as they are and standardised by the training folds, the standard
error of the mean over images, and, standardised, the best C of a few. One line per set.
"""

import argparse

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn
from torchvision.models import squeezenet1_1

from transfer_pytorch import frozen_features, images_of

# The three poolings and the eight fire modules of `features`.
DEPTHS = [2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]


def pooled(layers, images, size=1):
    """The maps behind each of `DEPTHS`, averaged to size × size, flattened."""
    out = {}
    with torch.no_grad():
        for index, layer in enumerate(layers):
            images = layer(images)
            if index in DEPTHS:
                out[index] = nn.functional.adaptive_avg_pool2d(images, size).flatten(1)
    return out


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("weights")
    parser.add_argument("folder")
    parser.add_argument("--seed", type=int, default=123)
    arguments = parser.parse_args()
    torch.manual_seed(1)
    images, labels, _ = images_of(arguments.folder)
    layers = frozen_features(arguments.weights)
    labels = labels.numpy()
    splits = StratifiedKFold(5, shuffle=True, random_state=arguments.seed)

    def judge(name, values):
        def accuracy(c, standardise):
            model = LogisticRegression(C=c, max_iter=5000)
            model = make_pipeline(StandardScaler(), model) if standardise else model
            return cross_val_score(model, values, labels, cv=splits).mean()

        plain, scaled = accuracy(1, False), accuracy(1, True)
        error = np.sqrt(scaled * (1 - scaled) / len(labels))
        line = f"{name:<34} {values.shape[1]:>6} {plain:.4f} {scaled:.4f} ±{error:.4f}"
        # Many features take long, and C says little where everything is separable.
        if values.shape[1] <= 2048:
            best = max((accuracy(c, True), -c) for c in (1e-4, 1e-3, 1e-2, 0.1))
            line += f"  {best[0]:.4f} at C={-best[1]:g}"
        print(line, flush=True)

    print(f"{'features':<34} {'number':>6} {'plain':>6} {'standardised':>14}  best C")
    judge("pixels at 32x32", nn.functional.adaptive_avg_pool2d(images, 32).flatten(1).numpy())
    for index, values in pooled(layers, images).items():
        judge(f"features[{index}], global average", values.numpy())
    random = squeezenet1_1(weights=None).features.eval()
    for index in (2, 5, 8, 12):
        judge(f"random features[{index}], average", pooled(random, images)[index].numpy())
    with torch.no_grad():
        last = layers(images)
    judge("features[12], global maximum", last.amax((2, 3)).numpy())
    every = pooled(layers, images)
    judge("features[8, 10, 12], averages", torch.cat([every[i] for i in (8, 10, 12)], 1).numpy())
    judge("features[12], average 2x2", pooled(layers, images, 2)[12].numpy())
    judge("features[12], all maps flattened", last.flatten(1).numpy())
    judge("pixels at 96x96", images.flatten(1).numpy())


if __name__ == "__main__":
    main()
