#!/usr/bin/env python3
"""Writes predictions.json: what scikit-learn says of predictions that crates/measures/src/predictions.rs is tested
against.

    python tests/goldens/predictions.py

Made with scikit-learn 1.9.1 and numpy 2.4.6.
"""

import json
import warnings
from pathlib import Path

import numpy as np
from sklearn import metrics


def calibration_error(labels, probabilities, bins=10):
    """Guo et al. (2017), equation 3."""
    confidence = probabilities.max(1)
    right = probabilities.argmax(1) == labels
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    parts = [place == k for k in range(bins) if (place == k).any()]
    return sum(part.mean() * abs(confidence[part].mean() - right[part].mean()) for part in parts)


def roc_auc(labels, probabilities):
    classes = probabilities.shape[1]
    present = np.unique(labels)
    if len(present) < 2:
        return None
    if classes == 2:
        return metrics.roc_auc_score(labels, probabilities[:, 1])
    alone = np.mean([metrics.roc_auc_score(labels == k, probabilities[:, k]) for k in present])
    if len(present) == classes:
        assert abs(alone - metrics.roc_auc_score(labels, probabilities, multi_class="ovr")) < 1e-12
    return alone


def case(name, labels, probabilities):
    # As they are stored: in 32 bits.
    stored = np.asarray(probabilities, dtype=np.float32)
    probabilities = stored.astype(np.float64)
    labels = np.asarray(labels)
    classes = probabilities.shape[1]
    predicted = probabilities.argmax(1)
    kappa = metrics.cohen_kappa_score(labels, predicted)
    matthews = metrics.matthews_corrcoef(labels, predicted)
    precisions = [metrics.average_precision_score(labels == k, probabilities[:, k]) for k in np.unique(labels)]
    if classes == 2:
        brier = metrics.brier_score_loss(labels == 1, probabilities[:, 1])
    else:
        brier = metrics.brier_score_loss(labels, probabilities, labels=range(classes))
    scores = [kappa, matthews, roc_auc(labels, probabilities), np.mean(precisions),
              calibration_error(labels, probabilities), brier]
    return {
        "name": name,
        "classes": classes,
        "labels": labels.tolist(),
        "probabilities": [float(str(p)) for p in stored.ravel()],
        "scores": [None if score is None or np.isnan(score) else float(score) for score in scores],
    }


def softmax(logits):
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def main():
    # Scores that are not defined, and rows of 32 bits, which add up to 1 but for rounding.
    warnings.simplefilter("ignore")
    random = np.random.default_rng(11)

    def made(images, classes, skill=1.5, present=None):
        labels = random.integers(0, present or classes, images)
        logits = random.normal(0, 1, (images, classes))
        logits[np.arange(images), labels] += skill
        return labels, softmax(logits)

    ten, two = made(120, 10), made(60, 2)
    ties = random.integers(1, 5, (80, 4)).astype(float)
    ties /= ties.sum(1, keepdims=True)
    absent = made(60, 6, present=4)
    right = np.arange(30) % 3
    wrong = np.full((30, 3), 0.05)
    wrong[np.arange(30), (right + 1) % 3] = 0.9
    # In binary fractions, so that both columns of the two classes have the same ties.
    halves = random.integers(0, 9, 40) / 8
    cases = [
        case("ten classes", *ten),
        case("two classes", *two),
        case("ties in probabilities", random.integers(0, 4, 80), ties),
        case("two classes with ties", random.integers(0, 2, 40), np.stack([1 - halves, halves], 1)),
        case("classes without images", *absent),
        case("all wrong", right, wrong),
        case("all right and sure", right, np.eye(3)[right]),
        case("all one probability", right, np.full((30, 3), 1 / 3)),
        case("images of one class", np.ones(12, dtype=int), made(12, 3)[1]),
        case("images of one class, all found", np.ones(5, dtype=int), np.eye(3)[np.ones(5, dtype=int)]),
        case("one image", [2], [[0.25, 0.25, 0.5]]),
        case("hardly better than chance", *made(200, 5, skill=0.1)),
    ]
    path = Path(__file__).with_name("predictions.json")
    path.write_text(json.dumps(cases) + "\n")


main()
