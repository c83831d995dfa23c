"""Goldens of the transfer measures: python tests/goldens/transfer_measures.py

Written from the papers with numpy, scipy and scikit-learn, on other ways than the program's: LogME by
searching for the largest log density of the labels, H-score by pseudo-inverses, LEEP and the nearest
centroid image by image, logistic regression by scikit-learn.
"""

import os

import numpy as np
from safetensors.numpy import save_file
from scipy import optimize
from scipy.special import logsumexp
from sklearn.covariance import LedoitWolf
from sklearn.linear_model import LogisticRegression

random = np.random.default_rng(7)


def blobs(images, width, classes, apart, empty=()):
    """Normal clouds around normal centres with unequal scales; classes in `empty` get no images."""
    present = [c for c in range(classes) if c not in empty]
    labels = np.array([present[i % len(present)] for i in range(images)], np.uint32)
    random.shuffle(labels)
    centres = random.normal(size=(classes, width)) * apart
    scales = np.exp(random.normal(size=width))
    values = (centres[labels] + random.normal(size=(images, width)) + 0.5) * scales
    return values.astype(np.float32), labels


def logme(features, labels):
    """The mean over classes of the largest log N(y; 0, FFᵀ/α + I/β) per image."""
    features = features.astype(np.float64)
    images = len(features)
    values, vectors = np.linalg.eigh(features @ features.T)
    values = np.maximum(values, 0)
    evidences = []
    for label in np.unique(labels):
        along = (vectors.T @ (labels == label).astype(np.float64)) ** 2

        def negative(logs):
            variance = values * np.exp(-logs[0]) + np.exp(-logs[1])
            return 0.5 * np.mean(np.log(2 * np.pi * variance) + along / variance)

        best = min(
            (
                optimize.minimize(
                    negative,
                    [start, start + shift],
                    method="Nelder-Mead",
                    options={"xatol": 1e-9, "fatol": 1e-13, "maxiter": 20000, "maxfev": 20000},
                )
                for start in (0.0, 3.0)
                for shift in (0.0, 3.0)
            ),
            key=lambda result: result.fun,
        )
        evidences.append(-best.fun)
    return np.mean(evidences)


def h_score(features, labels):
    features = features.astype(np.float64)
    features = features - features.mean(0)
    means = np.zeros_like(features)
    for label in np.unique(labels):
        means[labels == label] = features[labels == label].mean(0)
    between = means.T @ means / len(features)
    covariance = features.T @ features / len(features)
    plain = np.trace(np.linalg.pinv(covariance, rcond=1e-12) @ between)
    estimate = LedoitWolf(assume_centered=True).fit(features)
    shrunk = (1 - estimate.shrinkage_) * np.trace(np.linalg.inv(estimate.covariance_) @ between)
    return plain, shrunk, estimate.shrinkage_


def standardised(features):
    features = features.astype(np.float64)
    deviation = features.std(0)
    deviation[features.max(0) == features.min(0)] = np.inf
    return (features - features.mean(0)) / deviation


def nearest_centroid(features, labels):
    features = standardised(features)
    right = []
    for image in range(len(features)):
        others = np.arange(len(features)) != image
        distances = {
            label: np.linalg.norm(features[image] - features[others & (labels == label)].mean(0))
            for label in np.unique(labels[others])
        }
        right.append(min(distances, key=distances.get) == labels[image])
    return np.array(right, np.uint8)


def leep(probabilities, labels):
    probabilities = probabilities.astype(np.float64)
    joint = np.array([probabilities[labels == y].sum(0) for y in range(labels.max() + 1)])
    with np.errstate(divide="ignore", invalid="ignore"):
        conditional = np.nan_to_num(joint / joint.sum(0))
    return np.mean([np.log(conditional[y] @ row) for row, y in zip(probabilities, labels)])


def linear(features, labels, fold):
    features = standardised(features)
    right = np.zeros(len(labels), np.uint8)
    for part in np.unique(fold):
        training = fold != part
        model = LogisticRegression(C=1, tol=1e-9, max_iter=100000)
        model.fit(features[training], labels[training])
        right[~training] = model.predict(features[~training]) == labels[~training]
    model = LogisticRegression(C=1, tol=1e-9, max_iter=100000).fit(features, labels)
    logits = model.decision_function(features)
    if logits.ndim == 1:
        # scikit-learn's two-class model has one row of weights; with two rows of opposite sign the
        # penalty of the same model is half as large.
        raise SystemExit("use three classes or more")
    columns = np.searchsorted(model.classes_, labels)
    losses = logsumexp(logits, axis=1) - logits[np.arange(len(labels)), columns]
    return right, losses.sum() + 0.5 * (model.coef_**2).sum()


tensors = {}
cases = {
    "tall": blobs(150, 10, 4, 0.7),
    "wide": blobs(60, 90, 3, 0.3),
    "gaps": blobs(110, 12, 5, 0.5, empty=(2,)),
    "many": blobs(400, 60, 8, 0.4),
}
values, _ = cases["gaps"]
values[:, 3] = 0.1
values[:, 7] = values[:, 4]
for name, (values, labels) in cases.items():
    fold = random.integers(0, 5, len(labels)).astype(np.uint32)
    logits = random.normal(size=(len(labels), 20)) * 2 + np.eye(20)[labels] * 2
    logits[:, 19] = -np.inf
    probabilities = np.exp(logits - logsumexp(logits, axis=1, keepdims=True)).astype(np.float32)
    right, loss = linear(values, labels, fold)
    tensors[f"{name}.values"] = values
    tensors[f"{name}.labels"] = labels
    tensors[f"{name}.fold"] = fold
    tensors[f"{name}.probabilities"] = probabilities
    tensors[f"{name}.logme"] = np.array([logme(values, labels)])
    tensors[f"{name}.h_score"] = np.array(h_score(values, labels))
    tensors[f"{name}.leep"] = np.array([leep(probabilities, labels)])
    tensors[f"{name}.nearest_centroid"] = nearest_centroid(values, labels)
    tensors[f"{name}.linear"] = right
    tensors[f"{name}.linear_loss"] = np.array([loss])
    print(name, tensors[f"{name}.logme"], tensors[f"{name}.h_score"], tensors[f"{name}.leep"],
          right.mean(), tensors[f"{name}.nearest_centroid"].mean(), loss)
save_file(tensors, os.path.join(os.path.dirname(__file__), "transfer_measures.safetensors"))
