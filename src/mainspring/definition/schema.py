"""The YAML form of a pipeline as records: the keys it may have, and its published JSON Schema."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from mainspring.records.spec import FORMAT

Binding = Any
Time = str | float
Size = str | int


class Site(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What every step may have: its inputs, a condition, and the steps that come first."""

    bindings: dict[str, Binding] = msgspec.field(default={}, name="with")
    when: str | None = None
    after: str | list[str] = []


class Run(Site, kw_only=True):
    """How a step is run."""

    map: str | list[str] = []
    resources: dict[str, Size | float | None] = {}
    retries: int = 0
    retry_delay: Time = 1.0
    timeout: Time | None = None
    cache: bool | Time = True
    seed: int | None = None
    version: str | None = None
    env: list[str] = []
    join: bool = False
    impure: Literal["record", "ok"] = "record"
    environment: str | None = None
    deterministic: bool = True


class Step(Run, kw_only=True):
    """A Python function: `uses: module:name`."""

    uses: str


class Command(Run, kw_only=True):
    """A program: `run: Rscript train.R --out {outputs.model}`."""

    run: str
    inputs: dict[str, str] | None = None
    outputs: dict[str, str] = {}
    files: list[str] = []
    shell: bool = False
    image: str = ""
    network: bool = False


class Checkpoint(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A verdict: `checkpoint: ${{ steps.evaluate.accuracy >= 0.95 }}`."""

    checkpoint: str
    kind: Literal["data", "model", "performance"] = "model"
    on_fail: Literal["stop", "warn"] = "stop"
    when: str | None = None
    after: str | list[str] = []


class Group(Site, kw_only=True):
    """A sub-pipeline: written out, or named as `module:name`."""

    pipeline: Pipeline | str


class Rounds(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """How a sub-pipeline is repeated; `until` is over `outputs.NAME`."""

    pipeline: Pipeline | str
    until: str
    max: int = 5
    carry: dict[str, str] | None = None
    exhausted: Literal["continue", "fail"] = "continue"


class Repeat(Site, kw_only=True):
    """A sub-pipeline that is run again until it is enough."""

    repeat: Rounds


class Parameter(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A parameter with its type; without `default` it must be given."""

    type: str = "any"
    default: Any = None


class Pipeline(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A pipeline file."""

    pipeline: str
    format: Literal["mainspring.pipeline/1"] = FORMAT
    doc: str = ""
    parameters: dict[str, Any] = {}
    steps: dict[str, dict[str, Any]] = {}
    outputs: dict[str, Binding] = {}
    bundle: str | None = None


KINDS: dict[str, type[msgspec.Struct]] = {
    "uses": Step,
    "run": Command,
    "checkpoint": Checkpoint,
    "pipeline": Group,
    "repeat": Repeat,
}


def keys_of(record: type[msgspec.Struct]) -> tuple[str, ...]:
    """Return the keys that a mapping of the file may have."""
    return record.__struct_encode_fields__


def schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a pipeline file, for editors and validators."""
    records = [*KINDS.values(), Rounds, Parameter, Pipeline]
    _, parts = msgspec.json.schema_components(records, ref_template="#/$defs/{name}")
    steps = [{"$ref": f"#/$defs/{record.__name__}"} for record in KINDS.values()]
    properties = parts["Pipeline"]["properties"]
    properties["steps"]["additionalProperties"] = {"anyOf": steps}
    properties["parameters"]["additionalProperties"] = {
        "anyOf": [
            {"$ref": "#/$defs/Parameter"},
            {"type": ["boolean", "number", "string", "array", "null"]},
        ]
    }
    for part in parts.values():
        for one in part["properties"].values():
            one.pop("default", None) if one.get("default") in ({}, []) else None
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A Mainspring pipeline",
        "$ref": "#/$defs/Pipeline",
        "$defs": dict(sorted(parts.items())),
    }


def schema_text() -> str:
    """Return the schema as the text of docs/reference/schemas/pipeline.schema.json."""
    return msgspec.json.format(msgspec.json.encode(schema()), indent=2).decode() + "\n"
