"""PipelineSpec: the one versioned, JSON-serialisable form of a pipeline, whoever wrote it.

A *binding* (a value in a `with`) is JSON data; a string that reads `${{ expression }}` is an
expression over `steps`, `parameters`, `outputs` (in `until`) and the closed functions of
records/expressions.py. A literal string that starts with `${{` is written `$${{`.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec

FORMAT = "mainspring.pipeline/1"

Json: TypeAlias = "None | bool | int | float | str | list[Json] | dict[str, Json]"


class Options(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """How a step is run. Sizes are bytes, times seconds; None means "no limit" or "default".

    `environment` is a path in the project: a lock, or a folder with one, from which the step's own
    environment is built; or a Dockerfile, in whose image a Python step runs.
    Without `deterministic`, libraries may use algorithms that give other bits each time.
    """

    cpus: float = 1.0
    gpus: int = 0
    memory: int | None = None
    resources: dict[str, float] = {}
    retries: int = 0
    retry_delay: float = 1.0
    timeout: float | None = None
    cache: bool | float = True
    seed: int | None = None
    version: str | None = None
    env: tuple[str, ...] = ()
    join: bool = False
    impure: Literal["record", "ok"] = "record"
    environment: str | None = None
    deterministic: bool = True


class Parameter(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """A pipeline's parameter: its type as text, and a default unless it is required."""

    type: str = "any"
    default: Any = msgspec.UNSET


class Common(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """What every node of the graph has.

    `after` names nodes that must be settled first; `guards` names the checkpoints that must have
    passed (written by tracing, never by hand; on a sub-pipeline: before every decision in it);
    `where` is the `file:line` of the call.
    """

    name: str
    bindings: dict[str, Any] = msgspec.field(default={}, name="with")
    when: str | None = None
    after: tuple[str, ...] = ()
    guards: tuple[str, ...] = ()
    where: str = ""


class StepNode(Common, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="step"):
    """A Python function `uses` (module:name). `map` names the inputs it fans out over.

    `inputs` and `outputs` map port names to type texts, in order. `bundle` says how several
    outputs form one value: a `module:Class` or "tuple"; a single output is named `result`.
    """

    uses: str
    map: tuple[str, ...] = ()
    inputs: dict[str, str] = {}
    outputs: dict[str, str] = {}
    bundle: str | None = None
    options: Options = Options()


class CommandNode(
    Common, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="command"
):
    """A program: `{inputs.x}`, `{outputs.y}` in `command` become paths or plain values.

    `outputs` maps port names to the file or directory (ending in `/`) that the program writes;
    `files` are the project files it reads. Without `shell` no shell sees the text. With `image` it
    runs in a container of that image, without a network unless `network`.
    """

    command: str
    map: tuple[str, ...] = ()
    inputs: dict[str, str] = {}
    outputs: dict[str, str] = {}
    files: tuple[str, ...] = ()
    shell: bool = False
    image: str = ""
    network: bool = False
    options: Options = Options()


class CheckpointNode(
    Common, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="checkpoint"
):
    """A recorded verdict: `condition` is an expression (in `${{ }}`) over upstream outputs."""

    condition: str
    kind: Literal["data", "model", "performance"] = "model"
    on_fail: Literal["stop", "warn"] = "stop"


class GroupNode(
    Common, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="pipeline"
):
    """A sub-pipeline; its parameters are bound by `with`, its outputs are its body's."""

    pipeline: PipelineSpec


class RepeatNode(
    Common, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="repeat"
):
    """A sub-pipeline run again until `until` (over `outputs.NAME`) holds, at most `max` times.

    `carry` maps a parameter of the body to the output whose value it takes in the next round.
    """

    pipeline: PipelineSpec
    until: str
    max: int
    carry: dict[str, str] = {}
    exhausted: Literal["continue", "fail"] = "continue"


Node: TypeAlias = StepNode | CommandNode | CheckpointNode | GroupNode | RepeatNode


class PipelineSpec(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """A pipeline: parameters, nodes in tracing order, and outputs as bindings."""

    name: str
    format: Literal["mainspring.pipeline/1"] = FORMAT
    parameters: dict[str, Parameter] = {}
    steps: tuple[StepNode | CommandNode | CheckpointNode | GroupNode | RepeatNode, ...] = ()
    outputs: dict[str, Any] = {}
    bundle: str | None = None
    doc: str = ""
    where: str = ""
