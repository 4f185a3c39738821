"""Classes whose instances are stored by tests."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple


class Corner(NamedTuple):
    a: int
    b: int


class Colour(Enum):
    RED = "red"


@dataclass
class Point:
    x: int
    corner: Corner
