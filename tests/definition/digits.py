"""The design's example, in Python; its spec is pinned in test_pipeline.py."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mainspring import checkpoint, pipeline, step


@dataclass
class Data:
    x_train: np.ndarray
    x_test: np.ndarray
    y_train: np.ndarray
    y_test: np.ndarray


@dataclass
class Scores:
    accuracy: float
    matrix: list[list[int]]


@step
def load() -> tuple[np.ndarray, np.ndarray]: ...


@step
def split(x: np.ndarray, y: np.ndarray, test_size: float = 0.25) -> Data: ...


@step(cpus=2, retries=2, timeout="30m")
def train(x: np.ndarray, y: np.ndarray, c: float = 1.0) -> dict[str, Any]: ...


@step
def evaluate(model: dict[str, Any], x: np.ndarray, y: np.ndarray) -> Scores: ...


@step
def report(scores: Scores) -> str: ...


@pipeline
def digits(c: float = 1.0, test_size: float = 0.25):
    """Train and judge a classifier."""
    x, y = load()
    data = split(x, y, test_size=test_size)
    model = train(data.x_train, data.y_train, c=c)
    scores = evaluate(model, data.x_test, data.y_test)
    checkpoint("accuracy", scores.accuracy >= 0.95)
    report(scores)
    return model


@step
def anything(value: Any = None) -> Any: ...
