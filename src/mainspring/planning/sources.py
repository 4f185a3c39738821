"""Datasets and models among a pipeline's bindings: which are named, and what a step is given."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from mainspring.planning.graph import Binding, Graph, GraphNode, flatten_round
from mainspring.records.artifacts import Stored
from mainspring.records.errors import DefinitionError
from mainspring.records.expressions import (
    Expression,
    Reference,
    Referred,
    expression_of,
    is_expression,
    references,
    shape,
)
from mainspring.records.sources import ROOTS, Named, Source, named
from mainspring.records.spec import (
    CommandNode,
    GroupNode,
    PipelineSpec,
    RepeatNode,
    StepNode,
)

TABLES = ("pandas", "polars", "pyarrow")
"""Libraries whose tables a file is read as: `pandas.DataFrame`, `pyarrow.Table`."""

_NAMES = {"pandas": "DataFrame", "polars": "DataFrame", "pyarrow": "Table"}


class Use(NamedTuple):
    """A source as it is given to a step: to which input, of which type (as text), and where."""

    key: str
    step: str
    port: str
    type: str
    where: str


def names_in(spec: PipelineSpec) -> dict[str, tuple[Named, str]]:
    """Return every source that a pipeline names, at every depth, by key, with the place of the
    first use. Raises DefinitionError."""
    found: dict[str, tuple[Named, str]] = {}
    for binding, where in _bindings(spec):
        for ref in references(expression_of(binding, where=where)):
            if ref.root in ROOTS:
                made = named(ROOTS[ref.root], ref.name, where=where)
                found.setdefault(made.key, (made, where))
    return found


def _bindings(spec: PipelineSpec) -> Iterator[tuple[str, str]]:
    for node in spec.steps:
        for value in node.bindings.values():
            if is_expression(value):
                yield value, node.where
        if isinstance(node, GroupNode | RepeatNode):
            yield from _bindings(node.pipeline)
    for value in spec.outputs.values():
        if is_expression(value):
            yield value, spec.where


def key_of(found: Reference) -> str:
    """Return the key in `Run.sources` of a reference: `datasets.digits@v3`."""
    return f"{found.root}.{found.name}"


def stored(sources: Mapping[str, Source], found: Reference) -> Stored:
    """Return the input that a reference to a source stands for. Raises DefinitionError where the
    run has no version of it."""
    source = sources.get(key_of(found))
    if source is None:
        raise DefinitionError(
            f"the run has no version of `{key_of(found)}` on record",
            hint="start a new run of the pipeline",
        )
    word = "data" if source.kind == "dataset" else "model"
    return Stored(ref=source.ref, source=f"{word} {source.title}", identity=source.digest)


def as_input(
    node: GraphNode, name: str, binding: Binding, sources: Mapping[str, Source]
) -> Stored | None:
    """Return the input that a binding stands for where it is a source and nothing else: read as a
    table where the step's annotation asks for one. None for any other binding."""
    key = _whole_source(binding)
    if key is None or not isinstance(node.work, StepNode):
        return None
    made = shape(binding) if isinstance(binding, Expression) else None
    assert isinstance(made, Referred)
    given = stored(sources, made.reference)
    table = table_of(node.work.inputs.get(name, "any"))
    if table is None or given.ref.format not in ("file", "directory"):
        return given
    return Stored(ref=given.ref, source=given.source, identity=given.identity, table=table)


def _whole_source(binding: Any) -> str | None:
    made = shape(binding) if isinstance(binding, Expression) else None
    if isinstance(made, Referred) and made.reference.root in ROOTS:
        return key_of(made.reference)
    return None


def table_of(text: str) -> str | None:
    """Return the library of the table that a type's text asks for, unless a path will do too."""
    members = type_members(text)
    if any(takes_path(member) for member in members):
        return None
    for member in members:
        library, name = member.partition(".")[0], member.rpartition(".")[2]
        if _NAMES.get(library) == name:
            return library
    return None


def type_members(text: str) -> list[str]:
    """Return the members of a type text: `a | b` has two; a bar in brackets divides nothing."""
    try:
        tree = ast.parse(text, mode="eval").body
    except SyntaxError:
        return [text]
    found: list[str] = []
    while isinstance(tree, ast.BinOp) and isinstance(tree.op, ast.BitOr):
        found.insert(0, ast.unparse(tree.right))
        tree = tree.left
    return [ast.unparse(tree), *found]


def takes_path(member: str) -> bool:
    """Whether a port of this type can be given a path."""
    return member in ("any", "object", "os.PathLike") or member.startswith("pathlib.")


def uses(graph: Graph) -> Iterator[Use]:
    """Yield how each source is given to steps and commands, in repeats too."""
    yield from _uses(graph.nodes.values())


def _uses(nodes: Iterable[GraphNode]) -> Iterator[Use]:
    for node in nodes:
        if isinstance(node.work, RepeatNode):
            yield from _uses(flatten_round(node, 1, node.bindings).nodes.values())
        elif isinstance(node.work, StepNode | CommandNode):
            types = node.work.inputs
            for name, binding in node.bindings.items():
                key = _whole_source(binding)
                if key is not None:
                    yield Use(key, node.path, name, types.get(name, "any"), node.work.where)
