"""A run as an RO-Crate: `ro-crate-metadata.json` by the Workflow Run profiles.

https://www.researchobject.org/workflow-run-crate/ (Process, Workflow and Provenance Run Crate 0.5,
on RO-Crate 1.1). What the profiles have no word for is in `capsule.json`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, cast

import msgspec

from mainspring.app.capsule import packing
from mainspring.app.capsule.entities import (
    Entity,
    Telling,
    file_entities,
    file_entity,
    listed,
    name_of,
    ref,
)
from mainspring.app.capsule.provenance import moment
from mainspring.records.capsule import PastTask, PastVerdict
from mainspring.records.metrics import MetricSummary
from mainspring.records.spec import CommandNode, GroupNode, PipelineSpec, RepeatNode, StepNode
from mainspring.records.status import RunStatus, TaskStatus

CONTEXT = "https://w3id.org/ro/crate/1.1/context"
TERMS = "https://w3id.org/ro/terms/workflow-run#"
PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": ("Process Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/workflow/0.5": ("Workflow Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/provenance/0.5": ("Provenance Run Crate", "0.5"),
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": ("Workflow RO-Crate", "1.0"),
}
LICENCES = ("LICENSE", "LICENSE.txt", "LICENSE.md", "LICENCE", "COPYING")
_LANGUAGE, _ENGINE, _RUN, _ORGANISED = "#yaml", "#mainspring", "#run", "#engine-run"
_PARAMETERS = {"int": "Integer", "float": "Float", "bool": "Boolean", "str": "Text"}


def crate(told: Telling) -> bytes:
    """Return the crate's metadata."""
    tasks = [task for task in told.past.tasks if task.index is None and _has_run(task)]
    tools = [(task, f"#tool-{name_of(task.node)}") for task in tasks]
    graph = [
        _descriptor(),
        _root(told, tools),
        *_profiles(),
        _workflow(told, tools),
        *_ends(),
        *_parameters(told),
        *_run(told, tools),
        *(e for place, (task, tool) in enumerate(tools) for e in _task(told, task, tool, place)),
        *_engine(told, tools),
        *file_entities(told),
    ]
    terms = ("ParameterConnection", "sourceParameter", "targetParameter", "connection", "sha256")
    context = [CONTEXT, {name: TERMS + name for name in terms}]
    found = {"@context": context, "@graph": _distinct(graph)}
    return msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n"


def _distinct(graph: list[Entity]) -> list[Entity]:
    """Each entity once: a value may be the output of several tasks. A list of one is that one."""
    found: dict[str, Entity] = {}
    for entity in graph:
        found.setdefault(entity["@id"], {name: _single(value) for name, value in entity.items()})
    return list(found.values())


def _single(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    items = cast("list[Any]", value)
    return items[0] if len(items) == 1 else items


def _has_run(task: PastTask) -> bool:
    work = task.kind in ("step", "command", "map", "checkpoint")
    return work and task.status in (TaskStatus.SUCCEEDED, TaskStatus.REUSED, TaskStatus.FAILED)


def _descriptor() -> Entity:
    return {
        "@id": packing.CRATE,
        "@type": "CreativeWork",
        "about": ref("./"),
        "conformsTo": [
            ref("https://w3id.org/ro/crate/1.1"),
            ref("https://w3id.org/workflowhub/workflow-ro-crate/1.0"),
        ],
    }


def _root(told: Telling, tools: list[tuple[PastTask, str]]) -> Entity:
    run, spec = told.past.run, told.spec
    doc = " ".join(spec.doc.split()) or f"A run of the pipeline {spec.name}"
    actions = [ref(_RUN), *(ref(_action(task)) for task, _ in tools)]
    return {
        "@id": "./",
        "@type": "Dataset",
        "name": f"{spec.name}, run {run.id}",
        "description": f"{doc}. With its source, parameters, results and provenance.",
        "datePublished": moment(run.ended or run.created),
        "license": ref(_licence(told)),
        "conformsTo": [ref(name) for name in PROFILES],
        "mainEntity": ref(packing.WORKFLOW),
        "mentions": actions,
        "hasPart": [ref(name_of(path)) for path in sorted(listed(told))],
    }


def _licence(told: Telling) -> str:
    found = [packing.SOURCE + name for name in LICENCES if packing.SOURCE + name in told.files]
    return name_of(found[0]) if found else "#no-licence"


def _profiles() -> Iterator[Entity]:
    for name, (title, version) in PROFILES.items():
        yield {"@id": name, "@type": "CreativeWork", "name": title, "version": version}


def _ends() -> Iterator[Entity]:
    yield {
        "@id": "#no-licence",
        "@type": "CreativeWork",
        "name": "No licence is given",
        "description": "The source has no licence file: ask its author before you use it.",
    }
    yield {
        "@id": _LANGUAGE,
        "@type": "ComputerLanguage",
        "name": "Mainspring pipeline",
        "alternateName": "YAML",
    }


# The workflow, and what it orchestrates.


def _workflow(told: Telling, tools: list[tuple[PastTask, str]]) -> Entity:
    made: Entity = {
        **file_entity(told, packing.WORKFLOW),
        "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"],
        "name": told.spec.name,
        "version": told.past.run.spec,
        "conformsTo": ref("https://bioschemas.org/profiles/ComputationalWorkflow/1.0-RELEASE"),
        "programmingLanguage": ref(_LANGUAGE),
        "hasPart": [ref(tool) for tool in dict.fromkeys(tool for _, tool in tools)],
        "step": [ref(_step(task)) for task, _ in tools],
        "input": [ref(_formal(name)) for name in told.past.run.parameters],
    }
    if not tools:
        # The profile asks for one: with nothing run, it is the engine.
        made["hasPart"] = [ref(_ENGINE)]
    return {name: value for name, value in made.items() if value}


def _formal(name: str) -> str:
    return f"#parameter-{name_of(name)}"


def _parameters(told: Telling) -> Iterator[Entity]:
    declared = told.spec.parameters
    for name, value in told.past.run.parameters.items():
        kind = declared[name].type if name in declared else "any"
        yield {
            "@id": _formal(name),
            "@type": "FormalParameter",
            "name": name,
            "additionalType": _PARAMETERS.get(kind, "PropertyValue"),
            "conformsTo": ref("https://bioschemas.org/profiles/FormalParameter/1.0-RELEASE"),
            "workExample": ref(_given(name)),
        }
        yield {
            "@id": _given(name),
            "@type": "PropertyValue",
            "name": name,
            "value": _shown(value),
            "exampleOfWork": ref(_formal(name)),
        }


def _given(name: str) -> str:
    return f"#value-{name_of(name)}"


def _shown(value: Any) -> Any:
    if isinstance(value, str | bool | int | float):
        return value
    return msgspec.json.encode(value).decode()


# What was done.


def _action(task: PastTask) -> str:
    return f"#task-{name_of(task.path)}"


def _step(task: PastTask) -> str:
    return f"{packing.WORKFLOW}#{name_of(task.path)}"


def _run(told: Telling, tools: list[tuple[PastTask, str]]) -> Iterator[Entity]:
    run = told.past.run
    results = [place for task, _ in tools for place in _results(told, task)]
    metrics = [_metric(found) for found in told.metrics]
    yield {
        "@id": _RUN,
        "@type": "CreateAction",
        "name": f"Run {run.id} of {told.spec.name}",
        "description": f"Seed {run.seed}; source {run.snapshot}; {run.status.value}",
        "instrument": ref(packing.WORKFLOW),
        "object": [ref(_given(name)) for name in run.parameters],
        "result": [ref(name) for name in dict.fromkeys(results)]
        + [ref(found["@id"]) for found in metrics],
        "startTime": moment(run.started or run.created),
        "endTime": moment(run.ended or run.created),
        **_status(run.status is RunStatus.SUCCEEDED, run.reason),
    }
    yield from metrics


def _metric(found: MetricSummary) -> Entity:
    return {
        "@id": f"#metric-{name_of(found.task)}-{name_of(found.name)}",
        "@type": "PropertyValue",
        "name": f"{found.task}: {found.name}",
        "value": found.last if found.last - found.last == 0 else str(found.last),
    }


def _task(told: Telling, task: PastTask, tool: str, place: int) -> Iterator[Entity]:
    work = _work(told.spec, task.node)
    yield {
        "@id": tool,
        "@type": "SoftwareApplication",
        "name": task.node,
        "description": _described(task, work),
        "softwareVersion": task.static or told.past.run.snapshot,
    }
    judged = [_judged(found) for found in told.past.verdicts if found.task == task.path]
    yield from judged
    yield {
        "@id": _step(task),
        "@type": "HowToStep",
        "name": task.path,
        "position": str(place + 1),
        "workExample": ref(tool),
    }
    yield {
        "@id": _action(task),
        "@type": "CreateAction",
        "name": task.path,
        "description": task.reason or task.status.value,
        "instrument": ref(tool),
        "object": [ref(name) for name in _objects(told, task)],
        "result": [ref(name) for name in _results(told, task)]
        + [ref(found["@id"]) for found in judged],
        **({"startTime": moment(task.started)} if task.started else {}),
        "endTime": moment(task.ended or told.past.run.created),
        **_status(task.status is not TaskStatus.FAILED, task.error and task.error.message),
    }
    yield {
        "@id": f"#control-{name_of(task.path)}",
        "@type": "ControlAction",
        "name": f"{task.path}: {task.status.value}",
        "instrument": ref(_step(task)),
        "object": ref(_action(task)),
    }


def _judged(found: PastVerdict) -> Entity:
    return {
        "@id": f"#verdict-{name_of(found.task)}",
        "@type": "PropertyValue",
        "name": f"{found.name}: {found.condition}",
        "value": "passed" if found.passed else "failed",
    }


def _described(task: PastTask, work: Any) -> str:
    if isinstance(work, StepNode):
        return f"The step {work.uses}"
    if isinstance(work, CommandNode):
        return f"The command {work.command}"
    return f"A {task.kind}"


def _work(spec: PipelineSpec, node: str) -> Any:
    """The node of a template (`tune/train`) in a spec."""
    name, _, rest = node.partition("/")
    for found in spec.steps:
        if found.name == name:
            if isinstance(found, GroupNode | RepeatNode) and rest:
                return _work(found.pipeline, rest)
            return found
    return None


def _objects(told: Telling, task: PastTask) -> list[str]:
    """The files that went in, as far as an input is a whole artifact that is in the capsule."""
    names = (name.rpartition("blake3:")[2][:64] for name, _ in task.inputs.values())
    return _held(told, (f"blake3:{name}" for name in names))


def _results(told: Telling, task: PastTask) -> list[str]:
    return _held(told, (output.digest for output in task.outputs.values()))


def _held(told: Telling, digests: Iterable[str]) -> list[str]:
    return [name_of(told.places[name]) for name in dict.fromkeys(digests) if name in told.places]


def _status(good: bool, error: str | None) -> Entity:
    word = "Completed" if good else "Failed"
    found: Entity = {"actionStatus": f"http://schema.org/{word}ActionStatus"}
    if not good and error:
        found["error"] = error
    return found


def _engine(told: Telling, tools: list[tuple[PastTask, str]]) -> Iterator[Entity]:
    name, _, version = told.program.partition(" ")
    yield {
        "@id": _ENGINE,
        "@type": "SoftwareApplication",
        "name": name.capitalize(),
        "softwareVersion": version,
    }
    if tools:
        yield {
            "@id": _ORGANISED,
            "@type": "OrganizeAction",
            "name": f"Mainspring drives run {told.past.run.id}",
            "instrument": ref(_ENGINE),
            "object": [ref(f"#control-{name_of(task.path)}") for task, _ in tools],
            "result": ref(_RUN),
        }
