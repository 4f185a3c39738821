"""The verb `plan`: from a spec and the past to a plan, and the context that made it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from mainspring.app.project import Project
from mainspring.app.sources import check_uses, compare, resolve
from mainspring.planning.build import Frame, build
from mainspring.planning.decide import Context
from mainspring.records.canonical import digest_bytes
from mainspring.records.notebook import is_notebook
from mainspring.records.plan import Choice, Plan
from mainspring.records.sources import Source
from mainspring.records.spec import CommandNode, GroupNode, PipelineSpec, RepeatNode, StepNode
from mainspring.records.stores import History

_encode = msgspec.json.Encoder().encode
"""Not in canonical form: the order of outputs, inputs and parameters is part of a spec."""


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """A plan with what a run needs besides: the spec, its bytes, the deciding context."""

    plan: Plan
    spec: PipelineSpec
    spec_bytes: bytes
    context: Context

    @property
    def needs_workers(self) -> bool:
        """Whether anything may have to run."""
        return any(t.choice in (Choice.RUN, Choice.UNKNOWN) for t in self.plan.tasks)


def make_plan(
    project: Project,
    spec: PipelineSpec,
    snapshot: str,
    parameters: Mapping[str, Any],
    *,
    seed: int | None = None,
    force: Iterable[str] = (),
    wanted: Mapping[str, str] = {},
    recorded: Mapping[str, Source] = {},
) -> Planned:
    """Return what a run of `spec` would do now, from the given source snapshot.

    `parameters` are complete and checked. `force` names steps that must run again; what depends
    on them follows by its own key. Datasets and models are resolved here, once: to the versions
    that are `wanted` (`datasets.digits` -> `v2`), `recorded` of an earlier run, or newest. Raises
    DefinitionError, NotFoundError, BlobError.
    """
    data = _encode(spec)
    run_seed = project.settings.execution.seed if seed is None else seed
    context = make_context(
        project, spec.name, snapshot, run_seed, project.store.read, frozenset(force)
    )
    sources = resolve(project, spec, wanted, recorded)
    check_uses(project, spec, parameters, sources)
    frame = Frame(
        spec=digest_bytes(data),
        snapshot=snapshot,
        parameters=dict(parameters),
        sources=sources,
    )
    for work in work_of(spec):  # a bad lock is found now, not when its step is reached
        context.lock(work)
    plan = build(spec, frame, context)
    return Planned(plan=plan, spec=spec, spec_bytes=data, context=context)


def make_context(
    project: Project,
    pipeline: str,
    snapshot: str,
    seed: int,
    history: History,
    force: frozenset[str] = frozenset(),
) -> Context:
    """Return the context in which tasks of a run are decided."""
    code = project.code(snapshot)
    return Context(
        pipeline=pipeline,
        seed=seed,
        history=history,
        reader=project.artifacts,
        static=code.static,
        source_digest=code.source_digest,
        value_digest=code.value_digest,
        class_digest=code.class_digest,
        now=time.time,
        force=force,
        compare=lambda before, after: compare(project, before, after),
        lock=code.lock,
    )


def work_of(spec: PipelineSpec) -> Iterator[StepNode | CommandNode]:
    """Yield every step and command of a spec, at every depth."""
    for node in spec.steps:
        if isinstance(node, StepNode | CommandNode):
            yield node
        elif isinstance(node, GroupNode | RepeatNode):
            yield from work_of(node.pipeline)


def modules_of(spec: PipelineSpec) -> list[str]:
    """Return the modules that the steps of a spec are in; a notebook is in none, and those of a
    step with an image are not imported here."""
    steps = (node for node in work_of(spec) if isinstance(node, StepNode))
    uses = (node.uses for node in steps if node.options.environment is None)
    return sorted({use.partition(":")[0] for use in uses if not is_notebook(use)})
