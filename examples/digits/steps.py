"""The steps of the digits pipeline: plain functions, callable from a notebook or a test too."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, confusion_matrix
from sklearn.model_selection import train_test_split

from mainspring import log, step, table


class Digits(NamedTuple):
    images: np.ndarray  # (n, 64) float64, 0 to 16
    labels: np.ndarray  # (n,) int64, 0 to 9


class Split(NamedTuple):
    x_train: np.ndarray
    x_test: np.ndarray
    y_train: np.ndarray
    y_test: np.ndarray


@dataclass
class Quality:
    rows: int
    missing: int
    classes: int
    smallest_class: int


@dataclass
class Scores:
    accuracy: float
    worst_class: float


@step
def ingest() -> Digits:
    """The 1,797 handwritten digits (8x8 pixels) that scikit-learn ships."""
    images, labels = load_digits(return_X_y=True)
    return Digits(images, labels)


@step
def inspect(images: np.ndarray, labels: np.ndarray) -> Quality:
    counts = np.bincount(labels)
    return Quality(
        rows=len(images),
        missing=int(np.isnan(images).sum()),
        classes=len(counts),
        smallest_class=int(counts.min()),
    )


@step
def split(images: np.ndarray, labels: np.ndarray, test_size: float = 0.25) -> Split:
    parts = train_test_split(images / 16, labels, test_size=test_size, stratify=labels)
    return Split(*parts)


@step(cpus=1, retries=1, timeout="10m")
def train(x: np.ndarray, y: np.ndarray, c: float = 1.0) -> LogisticRegression:
    model = LogisticRegression(C=c, max_iter=1000)
    model.fit(x, y)
    log(iterations=int(model.n_iter_.max()))
    return model


@step
def evaluate(model: LogisticRegression, x: np.ndarray, y: np.ndarray) -> Scores:
    guess = model.predict(x)
    matrix = confusion_matrix(y, guess)
    table("confusion", [dict(enumerate(row)) for row in matrix.tolist()])
    scores = Scores(
        accuracy=float(accuracy_score(y, guess)),
        worst_class=float((matrix.diagonal() / matrix.sum(axis=1)).min()),
    )
    log(accuracy=scores.accuracy, worst_class=scores.worst_class)
    return scores


@step
def package(model: LogisticRegression, scores: Scores) -> dict:
    """What the next stage needs to know of the model."""
    return {
        "classes": [int(label) for label in model.classes_],
        "features": int(model.n_features_in_),
        "accuracy": scores.accuracy,
        "worst_class": scores.worst_class,
    }
