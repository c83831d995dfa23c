#!/usr/bin/env python3
"""Writes label_predictions.json: what scikit-learn says of predictions of several labels for an image that
crates/measures/src/label_predictions.rs is tested against.

    python tests/goldens/label_predictions.py

Made with scikit-learn 1.9.1 and numpy 2.4.6.
"""

import json
import warnings
from pathlib import Path

import numpy as np
from sklearn import metrics


def number(score):
    return None if score is None or np.isnan(score) else float(score)


def case(name, labels, probabilities):
    # As they are stored: in 32 bits.
    stored = np.asarray(probabilities, dtype=np.float32)
    probabilities = stored.astype(np.float64)
    labels = np.asarray(labels, dtype=int)
    images, classes = labels.shape
    there = [k for k in range(classes) if labels[:, k].any()]
    mixed = [k for k in there if not labels[:, k].all()]
    said = (probabilities >= 0.5).astype(int)
    precisions = [metrics.average_precision_score(labels[:, k], probabilities[:, k]) if k in there else None
                  for k in range(classes)]
    area = metrics.roc_auc_score(labels[:, mixed], probabilities[:, mixed], average="macro") if mixed else None
    precision = metrics.average_precision_score(labels[:, there], probabilities[:, there], average="macro") if there else None
    thresholds = random.uniform(0.2, 0.8, classes)
    tuned = (probabilities >= thresholds).astype(int)
    best = []
    for k in range(classes):
        if k not in there:
            best.append(0.0)
            continue
        p, r, _ = metrics.precision_recall_curve(labels[:, k], probabilities[:, k])
        best.append(float(np.max(np.divide(2 * p * r, p + r, out=np.zeros_like(p), where=p + r > 0))))
    # Column by column: a single column is not taken for several labels by functions that take several.
    tables = [metrics.confusion_matrix(labels[:, k], said[:, k], labels=[0, 1]) for k in range(classes)]
    hits = int(((labels == 1) & (said == 1)).sum())
    scores = [
        area,
        precision,
        metrics.hamming_loss(labels, said),
        metrics.f1_score(labels.ravel(), said.ravel()) if labels.any() else 0.0,
        np.mean([metrics.f1_score(labels[:, k], tuned[:, k]) for k in there]) if there else None,
        metrics.accuracy_score(labels, tuned),
    ]
    return {
        "name": name,
        "classes": classes,
        "labels": labels.ravel().tolist(),
        "probabilities": [float(str(p)) for p in stored.ravel()],
        "thresholds": [float(t) for t in thresholds],
        "scores": [number(score) for score in scores],
        "average_precisions": [number(score) for score in precisions],
        # True positives, false positives, false negatives, true negatives.
        "counts": [[int(t[1, 1]), int(t[0, 1]), int(t[1, 0]), int(t[0, 0])] for t in tables],
        "best_f1": best,
    }


def made(images, classes, share=0.3, skill=1.5):
    labels = (random.uniform(size=(images, classes)) < share).astype(int)
    logits = random.normal(-0.5, 1, (images, classes)) + skill * labels
    return labels, 1 / (1 + np.exp(-logits))


random = np.random.default_rng(12)


def main():
    # Scores that are not defined.
    warnings.simplefilter("ignore")
    labels, probabilities = made(60, 4)
    absent = labels.copy()
    absent[:, 2] = 0
    everywhere = labels.copy()
    everywhere[:, 1] = 1
    cases = [
        case("four classes", labels, probabilities),
        case("many classes", *made(80, 20, share=0.05)),
        case("no skill", *made(50, 3, skill=0.0)),
        case("one class", *made(30, 1)),
        case("equal probabilities", labels, np.round(probabilities, 1)),
        case("a class without images", absent, probabilities),
        case("a class that every image has", everywhere, probabilities),
        case("no labels at all", np.zeros((10, 3)), made(10, 3)[1]),
        case("all right", labels, 0.1 + 0.8 * labels),
        case("all wrong", labels, 0.9 - 0.8 * labels),
        case("one image", [[1, 0, 1]], [[0.75, 0.5, 0.25]]),
    ]
    text = json.dumps(cases, indent=None, separators=(",", ":")).replace('},{"name"', '},\n{"name"')
    Path(__file__).with_suffix(".json").write_text(text + "\n")


if __name__ == "__main__":
    main()
