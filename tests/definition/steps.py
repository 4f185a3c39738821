"""Steps of many shapes, for the tests of this folder."""

import enum
import functools
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypedDict

from mainspring import step

if TYPE_CHECKING:
    from nowhere import Missing

HERE = __name__
PLACE = "tests/definition/steps.py:"


@dataclass(frozen=True)
class Pair:
    left: int
    right: str = "r"
    kind: ClassVar[str] = "pair"
    made: bool = field(default=False, init=False)

    def __post_init__(self):
        object.__setattr__(self, "made", True)


class Point(NamedTuple):
    x: int
    y: int


class Row(TypedDict):
    a: int
    b: int


class Mode(enum.Enum):
    FAST = "fast"


@step(cpus=2, memory="2GiB", timeout="1h30m", cache="1d", env=["B", "A"], resources={"tpu": 1})
def train(data: "list[float]", /, c: float = 1.0, *, other: "Missing" = None, plain="x") -> Pair:
    """Train."""
    return Pair(len(data), str(c))


@step
def two() -> tuple[int, str]:
    return 1, "a"


@step
def many() -> tuple[int, ...]:
    return (1, 2)


@step
def point() -> Point:
    return Point(1, 2)


@step
def row() -> Row:
    return {"a": 1, "b": 2}


@step
def nothing() -> None: ...


@step
def untyped(): ...


@step
def files(path: Path, mode: Mode, sizes: tuple[int, ...], other: Any):
    return path, mode, sizes, other


def timed(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)

    return wrapper


@step
@timed
def decorated(x: int, y: int = 2) -> int:
    return x + y


renamed = step(lambda x: 2 * x)
given_name = step(name="other-name")(lambda x: x)
