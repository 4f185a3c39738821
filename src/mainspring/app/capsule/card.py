"""The model card of a run: the project's own, or one made of what is on record."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from mainspring.records.capsule import Past, PastTask
from mainspring.records.metrics import MetricSummary
from mainspring.records.spec import PipelineSpec

MODELS = frozenset({"skops", "safetensors", "onnx", "xgboost", "lightgbm"})
LONGEST = 200
"""Characters of a cell."""

MOST = 200
"""Rows of a table."""

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>()#!|])")


def card(past: Past, spec: PipelineSpec, metrics: Sequence[MetricSummary]) -> str:
    """Return a model card in Markdown."""
    parts = [
        f"# {_text(spec.name)}",
        "This card was made from what is on record of the run. What nobody has written down is "
        "named at its end; a `MODEL_CARD.md` in the project takes its place.",
        *_about(past, spec),
        *_models(past.tasks),
        *_quality(past, metrics),
        *_environment(past),
        "## Made again",
        "The capsule that holds this card has the source, the parameters and the digests of all "
        "results:\n\n"
        f"    mainspring import CAPSULE\n    mainspring rerun {past.run.id}",
        "## Not on record",
        "What the model is meant for and what not, where its data come from and under which "
        "licence, for whom it may work less well.",
    ]
    return "\n\n".join(parts) + "\n"


def readme(past: Past, program: str) -> str:
    """Return what is said to who opens a capsule by hand."""
    run = past.run
    return f"""# Run {run.id} of {_text(run.pipeline)}

This is a capsule: a run with all that made it, written by {_text(program)}.

- `MODEL_CARD.md` says what was made and how good it is.
- `pipeline.yaml` is the pipeline, `source/` the code that ran, `artifacts/` what came out.
- `ro-crate-metadata.json` describes all of it as an RO-Crate (Workflow Run RO-Crate 0.5).
- `provenance.dsse.json` is SLSA provenance over all files, signed if there is a `signer.pem`.
- `capsule.json` has all records of the run, and the digests of every file.

To check it, look at it and run it again, in any Mainspring project:

    mainspring import CAPSULE
    mainspring show {run.id}
    mainspring rerun {run.id}
"""


def _about(past: Past, spec: PipelineSpec) -> Iterator[str]:
    run = past.run
    if spec.doc:
        yield _text(spec.doc, 2_000)
    yield "## How it was made"
    yield _table(
        ("", ""),
        [
            ("run", run.id),
            ("result", run.status.value),
            ("begun", _time(run.created)),
            ("ended", _time(run.ended or run.created)),
            ("source", run.snapshot),
            ("seed", str(run.seed)),
            *((f"parameter {name}", _json(value)) for name, value in run.parameters.items()),
        ],
    )


def _models(tasks: Iterable[PastTask]) -> Iterator[str]:
    rows = [
        (f"{task.path}.{name}", ref.type or ref.format, ref.format, f"{ref.size:,}", ref.digest)
        for task in tasks
        if task.index is None
        for name, ref in task.outputs.items()
        if ref.format in MODELS or not ref.data_only
    ]
    if rows:
        yield "## Models"
        yield _table(("output", "type", "format", "bytes", "digest"), rows)


def _quality(past: Past, metrics: Sequence[MetricSummary]) -> Iterator[str]:
    if metrics:
        yield "## Metrics"
        rows = [(found.task, found.name, _number(found.last)) for found in metrics]
        yield _table(("task", "metric", "last value"), rows)
    if past.verdicts:
        yield "## Checkpoints"
        yield _table(
            ("checkpoint", "about", "verdict", "condition", "values"),
            [
                (
                    found.name, found.kind, "passed" if found.passed else "failed",
                    found.condition, _json(found.values),
                )
                for found in past.verdicts
            ],
        )  # fmt: skip
    if past.divergences:
        yield "## Not the same as before"
        yield _table(
            ("task", "output", "differs from"),
            [(found.task, found.output, found.source) for found in past.divergences],
        )


def _environment(past: Past) -> Iterator[str]:
    versions: dict[str, str] = {}
    platforms: set[str] = set()
    for static in past.statics.values():
        versions.update(static.environment)
        platforms.add(static.platform)
    if versions or platforms:
        yield "## Made with"
        rows = [("platform", ", ".join(sorted(platforms))), *sorted(versions.items())]
        yield _table(("package", "version"), rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head)]
    lines += [[_text(cell) for cell in row] for row in rows[:MOST]]
    if len(rows) > MOST:
        lines.append([f"and {len(rows) - MOST} more", *[""] * (len(head) - 1)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _text(text: str, longest: int = LONGEST) -> str:
    """A text of the run on one line, that is no Markdown."""
    line = " ".join(text.split())
    return _SPECIAL.sub(r"\\\1", line if len(line) <= longest else line[: longest - 1] + "…")


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _number(value: float) -> str:
    return f"{value:.6g}" if math.isfinite(value) else str(value)


def _time(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(at))
