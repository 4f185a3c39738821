"""Coverage-guided fuzzing of what people write: `make fuzz`.

By hand: `fuzz.py TARGET [SECONDS [DIRECTORY]]`, the directory for its scratch files.

Needs atheris, which is no dependency of the project: it has no wheels for every Python that
Mainspring runs on. What it finds becomes a case of the tests beside this file; the input
that did it is left in the directory.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import atheris  # pyright: ignore

with atheris.instrument_imports(include=["mainspring"]):
    from mainspring import settings
    from mainspring.definition.yaml import load
    from mainspring.records.errors import MainspringError
    from mainspring.records.expressions import HAND_LIMIT, evaluate, parse

ROOT = Path(__file__).resolve().parents[2]
VALUES: Any = {"a": {"b": [1, 2.5, "x", None], "c": {"d": "text"}}, "n": 7}


def expression(data: bytes) -> None:
    """Parse and evaluate."""
    text = atheris.FuzzedDataProvider(data).ConsumeUnicode(4_000)
    found = parse(text, where="t.yaml:1", limit=HAND_LIMIT)
    evaluate(found, lambda _root, name: VALUES.get(name), where="t.yaml:1")


def pipeline(data: bytes) -> None:
    """Read a pipeline file into a spec."""
    load(data.decode("utf-8", "replace"))


def toml(data: bytes) -> None:
    """Read the settings of a project."""
    (SCRATCH / settings.FILE).write_bytes(data)
    settings.load(SCRATCH)


SCRATCH = Path(tempfile.mkdtemp(prefix="fuzz-", dir=sys.argv[3] if len(sys.argv) > 3 else None))
TARGETS: dict[str, Callable[[bytes], None]] = {
    "expression": expression,
    "pipeline": pipeline,
    "toml": toml,
}
SEEDS = {
    "expression": [
        b"steps.a.b[0] + 1 if steps.n > 3 else 'x' * 2",
        b"round(steps.n / 2, 1) in [1]",
    ],
    "pipeline": [path.read_bytes() for path in ROOT.glob("examples/**/*.yaml")],
    "toml": [path.read_bytes() for path in ROOT.glob("examples/**/mainspring.toml")],
}


def main(name: str, seconds: int) -> None:
    """Fuzz one target; whatever is no MainspringError ends the program with its traceback."""
    corpus = SCRATCH / "corpus"
    corpus.mkdir()
    for number, seed in enumerate(SEEDS[name]):
        (corpus / str(number)).write_bytes(seed)

    def one(data: bytes) -> None:
        try:
            TARGETS[name](data)
        except MainspringError as error:
            if len(str(error)) > 10_000:
                raise RuntimeError("a message of no measure") from error

    limits = [f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=2048", "-max_len=4096"]
    atheris.Setup([sys.argv[0], str(corpus), f"-artifact_prefix={SCRATCH}/", *limits], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 60)
