"""A step in a container against `podman run` of the same image by hand, in the same minutes.

Ours is the slope between the end of the first task and the end of the last one of a chain. By hand
is `podman run --rm` with the same read-only root and without a network, one after the other; for
Python steps it starts the image's interpreter and imports what a worker imports. The engine is one
that is started for the occasion.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import Any

import timing
from timing import Row

K = 3
COUNT = 10
GOAL = "1.3x"
PROGRAMS = """from mainspring import container, pipeline

@pipeline
def programs():
    made = container("shell:1", "touch {outputs.out}", outputs={"out": "o"}, name="first")()
    for number in range(COUNT):
        more = container(
            "shell:1", "cat {inputs.x} > {outputs.out}", inputs={"x": object},
            outputs={"out": "o"}, shell=True, name=f"next{number}",
        )
        made = more(x=made)
    return made
""".replace("COUNT", str(COUNT))
STEPS = """from mainspring import pipeline, step

@step(environment="Dockerfile")
def first() -> int:
    return 0

@step(environment="Dockerfile")
def inc(x: int) -> int:
    return x + 1

@pipeline
def steps():
    x = first()
    for _ in range(COUNT):
        x = inc(x)
    return x
""".replace("COUNT", str(COUNT))
WORKER = "import mainspring.execution.worker"


def by_hand(engine: Any, *words: str) -> dict[str, float]:
    """`podman run`, COUNT times; milliseconds each."""
    start = time.perf_counter()
    for _ in range(COUNT):
        engine("run", "--rm", "--network=none", "--read-only", "--cap-drop=all", *words)
    return {"per_step": 1000 * (time.perf_counter() - start) / COUNT}


def measure(name: str, code: str, engine: Any, hand: Callable[[], dict[str, float]]) -> Row:
    with timing.project(code, f"pipeline:{name}") as root:
        (root / "Dockerfile").write_text("FROM python:1\n")

        def ours() -> dict[str, float]:
            timing.forget(root)
            os.environ["CONTAINER_HOST"] = engine.url
            return timing.answer("probe.py", name, cwd=root)

        a, b = timing.alternate(K, ours, hand)
    mine, least = timing.medians(a), timing.medians(b)
    note = timing.spread([sample["per_step"] for sample in a])
    title = f"{name} in containers, chain of {COUNT + 1}: per step; by hand"
    return Row(title, mine["per_step"], least["per_step"], "ms", GOAL, note)


def main() -> list[Row]:
    import shutil

    sys.path.append(str(timing.HERE.parent))
    from tests.services import podman

    if shutil.which("podman") is None:
        print("containers left out: there is no podman on this machine", file=sys.stderr)
        return []
    source = str(timing.HERE.parent / "src" / "mainspring")
    with podman.running() as engine:
        engine.build_python("python:1", ("blake3", "msgspec"))
        mount = ("--volume", f"{source}:/opt/mainspring/mainspring:ro", "--env")
        python = (*mount, "PYTHONPATH=/opt/mainspring", "python:1", "python3", "-c", WORKER)
        return [
            measure("programs", PROGRAMS, engine, lambda: by_hand(engine, "shell:1", "id")),
            measure("steps", STEPS, engine, lambda: by_hand(engine, *python)),
        ]


if __name__ == "__main__":
    timing.report(main())
