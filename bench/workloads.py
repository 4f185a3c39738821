"""The projects that are measured, as text: each is written to a directory of its own."""

from __future__ import annotations

LIBRARIES = "import numpy\nimport sklearn.linear_model\nimport sklearn.pipeline\n\n"
"""Put before a module, it makes its zygote as heavy as a usual project's."""

CHAIN = """from mainspring import pipeline, step

@step
def first() -> int:
    return 0

@step
def inc(x: int) -> int:
    return x + 1

@pipeline
def chain() -> int:
    x = first()
    for _ in range({n}):
        x = inc(x)
    return x
"""

FAN = """from mainspring import pipeline, step

@step
def first() -> int:
    return 0

@step
def add(x: int, by: int) -> int:
    return x + by

@step
def join(xs: list[int]) -> int:
    return sum(xs)

@pipeline
def fan() -> int:
    x = first()
    return join([add(x, by=i) for i in range({n})])
"""

MAP = """import time

from mainspring import pipeline, step

@step
def first() -> list[int]:
    return list(range({n}))

@step
def inc(x: int) -> int:
    return x + 1

@step
def join(xs: list[int]) -> int:
    return len(xs)

@pipeline
def mapped() -> int:
    return join(inc.map(first()))

@step
def now(turn: int) -> float:
    return time.time()

@pipeline
def stamp(turn: int = 0) -> float:
    return now(turn)
"""

NAPS = """import time

from mainspring import pipeline, step

@step
def first() -> list[int]:
    return list(range({n}))

@step
def nap(x: int) -> int:
    time.sleep(0.05)
    return x

@pipeline
def naps() -> list[int]:
    return nap.map(first())
"""

BIG = """import numpy as np

from mainspring import pipeline, step

@step
def make() -> np.ndarray:
    return np.random.default_rng(0).random({n}, np.float32)

@step
def use(x: np.ndarray) -> float:
    return float(x[0] + x[-1])

@pipeline
def big() -> float:
    return use(make())
"""

POINTS = """import time

import mainspring
from mainspring import pipeline, step

@step
def points(n: int) -> tuple[float, float]:
    values = [1.0 / (i + 1) for i in range(n)]
    start = time.perf_counter()
    for i, value in enumerate(values):
        mainspring.log(loss=value, step=i)
    spent = time.perf_counter() - start
    last = time.time()
    time.sleep(2.5)
    return spent, last

@pipeline
def logged(n: int = 10_000):
    return points(n)
"""

PAST = """from mainspring import pipeline, step

@step
def load() -> str:
    return "load"

@step
def train(data: str, turn: int) -> str:
    return f"{data}{turn}"

@step
def score(model: str) -> str:
    return model

@pipeline
def past(turn: int = 0) -> str:
    return score(train(load(), turn))
"""

SHAPES = """import random

from mainspring import pipeline, repeat, step

@step
def first() -> int:
    return 0

@step
def inc(x: int) -> int:
    return x + 1

@step
def add(x: int, y: int) -> int:
    return x + y

@step
def join(xs: list[int]) -> int:
    return sum(xs)

def body_of(n):
    @pipeline
    def body(x: int) -> int:
        for _ in range(n):
            x = inc(x)
        return x
    return body

def chain(n):
    @pipeline
    def main() -> int:
        x = first()
        for _ in range(n):
            x = inc(x)
        return x
    return main

def fan(n):
    @pipeline
    def main() -> int:
        x = first()
        return join([add(x, i) for i in range(n)])
    return main

def dag(n):
    @pipeline
    def main() -> int:
        draw = random.Random(1)
        made = [first(), first()]
        for _ in range(n):
            made.append(add(draw.choice(made), draw.choice(made)))
        return made[-1]
    return main

def groups(n):
    body = body_of(n // 5)
    @pipeline
    def main() -> int:
        x = first()
        for _ in range(5):
            x = body(x)
        return x
    return main

def rounds(n):
    body = body_of(n // 4)
    @pipeline
    def main():
        again = repeat(body, until=lambda out: out > n, max=4, carry={"x": "result"})
        return again(first())
    return main

"""
