"""One task considered: skipped, blocked, reused, run, expanded or decided, and why.

That is decided here only: `plan` prints what this says, the engine does it, `why` repeats it.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping as MappingOf
from typing import Any, TypeAlias

import msgspec

from mainspring.planning import sources
from mainspring.planning.elements import Elements, elements_of
from mainspring.planning.explain import Compare, differences
from mainspring.planning.graph import Graph, GraphNode
from mainspring.planning.keys import input_digest, short, task_key, task_seed
from mainspring.planning.resolve import ArtifactReader, Resolver
from mainspring.records.artifacts import (
    Absent,
    ArtifactRef,
    Bundle,
    ElementRef,
    Input,
    Mapping,
    Sequence,
    Stored,
)
from mainspring.records.canonical import digest_bytes
from mainspring.records.environments import Lock
from mainspring.records.errors import DefinitionError, MainspringError, StoreUnavailableError
from mainspring.records.expressions import Expression, from_tree, reference, references
from mainspring.records.plan import Cached
from mainspring.records.source import Static
from mainspring.records.spec import CheckpointNode, CommandNode, StepNode
from mainspring.records.status import TaskStatus
from mainspring.records.stores import History, KeyParts, Upstream


class Context(msgspec.Struct):
    """What deciding is given. An engine sets `history` to its present transaction.

    `static` gives the input-independent part of a node's key and its digest. `source_digest`
    gives the digest of a project file (or listing) in the run's snapshot, or "absent";
    `value_digest` and `class_digest` that of the project's code that a stored value, or a class,
    brings with it. `lock` is that of a step's own environment. `force` names the templates that
    must run whatever the cache says (`tune/`: all that is inside of `tune`). `now` is seconds since
    the epoch. `compare` says in what two versions of a dataset differ.
    """

    pipeline: str
    seed: int
    history: History
    reader: ArtifactReader
    static: Callable[[StepNode | CommandNode], tuple[str, Static]]
    source_digest: Callable[[str], str]
    value_digest: Callable[[ArtifactRef], str]
    class_digest: Callable[[str], str]
    now: Callable[[], float]
    force: frozenset[str] = frozenset()
    compare: Compare | None = None
    lock: Callable[[StepNode | CommandNode], Lock | None] = lambda _: None


class Skip(msgspec.Struct, frozen=True):
    """The task will not run, and its dependants neither, unless they join."""

    reason: str


class Block(msgspec.Struct, frozen=True):
    """Something it needs has failed."""

    reason: str


class Fault(msgspec.Struct, frozen=True):
    """It can't be decided: an expression fails on the actual values."""

    error: MainspringError


class Keyed(msgspec.Struct, frozen=True, kw_only=True):
    """A task whose inputs are known, and so its key."""

    key: str
    static: str
    seed: int
    inputs: dict[str, Input]
    digests: dict[str, tuple[str, str]]
    image: str = ""
    lock: Lock | None = None


class Reuse(msgspec.Struct, frozen=True):
    """An earlier result of the same key stands."""

    keyed: Keyed
    cached: Cached
    reason: str


class Execute(msgspec.Struct, frozen=True):
    """The task must run."""

    keyed: Keyed
    reason: str
    cacheable: bool


class Expand(msgspec.Struct, frozen=True):
    """A map whose elements are now known: `shared` inputs, and per mapped input its elements."""

    shared: dict[str, Input]
    elements: dict[str, Elements]
    count: int


class Round(msgspec.Struct, frozen=True):
    """A repeat may start its first round, with these inputs."""

    inputs: dict[str, Input]


class Judge(msgspec.Struct, frozen=True):
    """A checkpoint's verdict: `values` of what its condition speaks of, `evidence` digests."""

    passed: bool
    values: dict[str, Any]
    evidence: dict[str, str]


Decision: TypeAlias = Skip | Block | Fault | Reuse | Execute | Expand | Round | Judge

ABSENT = "absent"
_DID = {
    TaskStatus.FAILED: "failed", TaskStatus.BLOCKED: "was blocked",
    TaskStatus.CANCELLED: "was cancelled",
}  # fmt: skip
_STOPPED = frozenset(_DID)


def consider(
    node: GraphNode, upstream: MappingOf[str, Upstream], graph: Graph, context: Context
) -> Decision:
    """Decide of a task all of whose dependencies are settled."""
    stopped = _stopped(node, upstream)
    if stopped is not None:
        return stopped
    resolver = Resolver(upstream.__getitem__, context.reader, graph)
    try:
        if node.when is not None and not resolver.value(node.when):
            return Skip(f"its condition is false: {node.when.text}")
        return _considered(node, resolver, context)
    except StoreUnavailableError:
        raise
    except MainspringError as error:
        return Fault(error)


def _stopped(node: GraphNode, upstream: MappingOf[str, Upstream]) -> Skip | Block | None:
    joins = isinstance(node.work, StepNode | CommandNode) and node.work.options.join
    skipped: str | None = None
    for path in node.deps:
        status = upstream[path].status
        if status in _STOPPED:
            return Block(f"{path} {'did not pass' if path in node.guards else _DID[status]}")
        if status is TaskStatus.SKIPPED and path in node.data and skipped is None:
            skipped = path
    if skipped is None or joins:
        return None
    return Skip(f"{skipped} was skipped")


def _considered(node: GraphNode, resolver: Resolver, context: Context) -> Decision:
    if isinstance(node.work, CheckpointNode):
        return _judged(node, resolver)
    inputs = {
        name: sources.as_input(node, name, binding, resolver.graph.sources)
        or resolver.input(binding)
        for name, binding in node.bindings.items()
    }
    if node.kind == "repeat":
        return Round(inputs)
    if node.kind == "map":
        assert isinstance(node.work, StepNode | CommandNode)
        return _expanded(node.work, inputs, context.reader)
    return consider_inputs(node, inputs, context)


def _judged(node: GraphNode, resolver: Resolver) -> Judge:
    condition = node.bindings["condition"]
    if not isinstance(condition, Expression):
        raise DefinitionError("its condition is a constant", where=node.work.where)
    values: dict[str, Any] = {}
    evidence: dict[str, str] = {}
    for found in references(condition):
        named = from_tree(reference(found.root, found.name, *found.path))
        values[named.text.removeprefix("steps.")] = resolver.value(named)
        for name, ref in resolver.upstream(found.name).outputs.items():
            evidence[f"{found.name}.{name}"] = ref.digest
    return Judge(bool(resolver.value(condition)), values, evidence)


def _expanded(
    work: StepNode | CommandNode, inputs: dict[str, Input], reader: ArtifactReader
) -> Expand:
    elements = {name: elements_of(name, inputs[name], reader, work.where) for name in work.map}
    counts = {name: len(items) for name, items in elements.items()}
    if len(set(counts.values())) > 1:
        text = ", ".join(f"{name} has {count}" for name, count in counts.items())
        raise DefinitionError(f"the mapped inputs differ in length: {text}", where=work.where)
    shared = {name: value for name, value in inputs.items() if name not in work.map}
    return Expand(shared, elements, next(iter(counts.values())))


def element_inputs(expand: Expand, index: int) -> tuple[dict[str, Input], dict[str, ElementRef]]:
    """Return the inputs of one child of a map, and the index entries of its elements."""
    inputs = dict(expand.shared)
    entries: dict[str, ElementRef] = {}
    for name, elements in expand.elements.items():
        inputs[name], entry = elements.at(index)
        if entry is not None:
            entries[name] = entry
    return inputs, entries


def consider_inputs(
    node: GraphNode,
    inputs: dict[str, Input],
    context: Context,
    *,
    entries: MappingOf[str, ElementRef] = {},
    index: int | None = None,
) -> Reuse | Execute:
    """Decide of a step or command (or, with `index`, a child of a map) whose inputs are known."""
    work = node.work
    assert isinstance(work, StepNode | CommandNode)
    keyed = _keyed(node, work, inputs, entries, index, context)
    if work.options.cache is False:
        return Execute(keyed, "never reused: cache is off", cacheable=False)
    if _is_forced(node.template, context.force):
        return Execute(keyed, "asked to run again", cacheable=True)
    reason: str | None = None
    found = context.history.lookup(keyed.key)
    for cached in found if work.options.cache is True else reversed(found):
        reason = _unusable(cached, work, context)
        if reason is None:
            text = f"same code, inputs and parameters as {cached.run}/{cached.task}"
            return Reuse(keyed, cached, text)
    if reason is None:
        path = node.path if index is None else f"{node.path}[{index}]"
        reason = _why(path, work, keyed, context)
    return Execute(keyed, reason, cacheable=True)


def _is_forced(template: str, force: frozenset[str]) -> bool:
    inside = any(name.endswith("/") and template.startswith(name) for name in force)
    return inside or template in force


def _keyed(
    node: GraphNode,
    work: StepNode | CommandNode,
    inputs: dict[str, Input],
    entries: MappingOf[str, ElementRef],
    index: int | None,
    context: Context,
) -> Keyed:
    static, found = context.static(work)
    digests = {
        name: (
            input_digest(value, entries.get(name)) + _code_of(value, context),
            short(value, entries.get(name)),
        )
        for name, value in inputs.items()
        if not isinstance(value, Absent)
    }
    element = None if index is None else "\0".join(digests[name][0] for name in work.map)
    run_seed = context.seed if work.options.seed is None else work.options.seed
    if work.options.seed is None or element is not None:
        seed = task_seed(run_seed, node.path, element)
    else:
        seed = work.options.seed
    key = task_key(static, digests, seed)
    image = found.options.get("image", "")
    return Keyed(
        key=key, static=static, seed=seed, inputs=inputs, digests=digests, image=image,
        lock=context.lock(work),
    )  # fmt: skip


def _code_of(value: Input, context: Context) -> str:
    """What an input's classes are, as code: a value of a project's class does what it says now."""
    if isinstance(value, Stored):
        found = context.value_digest(value.ref)
    elif isinstance(value, Bundle):
        own = context.class_digest(value.type) if ":" in value.type else ""
        found = own + "".join(_code_of(item, context) for item in value.items.values())
    elif isinstance(value, Sequence):
        found = "".join(_code_of(item, context) for item in value.items)
    elif isinstance(value, Mapping):
        found = "".join(_code_of(item, context) for item in value.items.values())
    else:
        found = ""
    return f"+{digest_bytes(found.encode())[7:23]}" if found else ""


def _unusable(cached: Cached, work: StepNode | CommandNode, context: Context) -> str | None:
    """Why an earlier result can't be reused; None if it can."""
    age = work.options.cache
    # Modules that the key covers part by part: only what the step reaches in them counts.
    covered = {part.where.rpartition(":")[0] for part in context.static(work)[1].code}
    if not isinstance(age, bool) and context.now() - cached.ended > age:
        return f"the result of {cached.run} is older than {age:g} s"
    if cached.impure and work.options.impure != "ok":
        first, *others = cached.impure
        more = f" (and {len(others)} more)" if others else ""
        return f"its last result is impure: {first}{more}"
    for path, digest in cached.reads.items():
        if path.endswith("!") and path[:-1] in covered:
            continue
        now = context.source_digest(path)
        if now != digest:
            what = "appeared" if digest == ABSENT else "is gone" if now == ABSENT else "changed"
            return f"project file {path.rstrip('!?')} {what}"
    for name, ref in cached.outputs.items():
        if not context.reader.complete(ref):
            return f"the stored output {name} of {cached.run} is gone or damaged"
    return None


def _why(path: str, work: StepNode | CommandNode, keyed: Keyed, context: Context) -> str:
    before = context.history.previous(context.pipeline, path)
    _, static = context.static(work)
    if before is None:
        return "not computed before"
    now = KeyParts(
        run="", path=path, key=keyed.key, static=static, inputs=keyed.digests, seed=keyed.seed
    )
    found = differences(before, now, context.compare)
    return "; ".join(found[:3]) if found else f"no result of {before.run} is stored"
