"""Bindings to inputs: artifacts are passed on by reference, expressions on values computed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol, cast

import msgspec

from mainspring.planning import sources
from mainspring.planning.graph import BUNDLE, Binding, Graph, GraphNode
from mainspring.planning.keys import input_digest
from mainspring.records.artifacts import (
    Absent,
    ArtifactRef,
    Bundle,
    ElementRef,
    Input,
    Literal,
    Sequence,
    Stored,
)
from mainspring.records.artifacts import Mapping as MappingInput
from mainspring.records.errors import DefinitionError
from mainspring.records.evaluation import step_into
from mainspring.records.expressions import (
    Constant,
    DictOf,
    Expression,
    ListOf,
    Located,
    Reference,
    Referred,
    Shape,
    evaluate_paths,
    from_tree,
    locate,
    reference,
    shape,
)
from mainspring.records.sources import ROOTS
from mainspring.records.spec import RepeatNode, StepNode
from mainspring.records.status import TASK_HAS_OUTPUTS
from mainspring.records.stores import Upstream


class ArtifactReader(Protocol):
    """What deciding needs to read of artifacts."""

    def value(self, ref: ArtifactRef, index: int | None = None) -> Any:
        """The value (of one element) of a data-only artifact that is small enough for an
        expression; DefinitionError otherwise."""
        ...

    def elements(self, ref: ArtifactRef) -> tuple[ElementRef, ...]:
        """The index of a list artifact, or of a JSON artifact that holds a list."""
        ...

    def list_of(self, elements: Iterable[ArtifactRef]) -> ArtifactRef:
        """The list artifact of these elements, in order."""
        ...

    def json_of(self, value: Any) -> ArtifactRef:
        """The JSON artifact of a computed value."""
        ...

    def complete(self, ref: ArtifactRef) -> bool:
        """Its blob, and every blob that it refers to, is there and intact."""
        ...


Lookup = Callable[[str], Upstream]
"""Path of an upstream task -> its status and outputs."""


class Resolver(msgspec.Struct, frozen=True):
    """Resolves the bindings of one task of the run whose graph this is."""

    upstream: Lookup
    reader: ArtifactReader
    graph: Graph

    def input(self, binding: Binding) -> Input:
        """Return the input that a binding stands for."""
        if isinstance(binding, Constant):
            return Literal(value=binding.value)
        return self._shaped(shape(binding))

    def value(self, expression: Expression) -> Any:
        """Return an expression's value, reading artifacts as needed."""
        return evaluate_paths(expression, self._value_of)

    def _shaped(self, made: Shape) -> Input:
        if isinstance(made, Constant):
            return Literal(value=made.value)
        if isinstance(made, Referred):
            return self._referred(made.reference)
        if isinstance(made, ListOf):
            items = tuple(self._shaped(item) for item in made.items)
            if made.is_tuple:
                return Bundle(type="tuple", items={str(i): v for i, v in enumerate(items)})
            return _plain_list(items)
        if isinstance(made, DictOf):
            items = {key: self._shaped(item) for key, item in made.items.items()}
            bundle = items.pop(BUNDLE, None)
            if isinstance(bundle, Literal):
                return Bundle(type=bundle.value, items=items)
            return _plain_dict(items)
        return Literal(value=self.value(made.expression))

    def _referred(self, wanted: Reference) -> Input:
        if wanted.root in ROOTS:
            return sources.stored(self.graph.sources, wanted)
        found = self.upstream(wanted.name)
        if found.status not in TASK_HAS_OUTPUTS:
            return Absent()
        output, index, rest = self._located(wanted, found)
        if output is not None and len(rest) == 1 and found.outputs[output].format == "json":
            element = self._tagged_element(found.outputs[output], rest[0])
            if element is not None:
                return element
        if rest:
            named = from_tree(reference(wanted.root, wanted.name, *wanted.path))
            return Literal(value=self.value(named))
        if output is None:
            if index is not None:
                raise DefinitionError(f"steps.{wanted.name}[{index}] names no single output")
            bundle, names = _whole_of(self.graph.nodes.get(wanted.name), found.outputs)
            items: dict[str, Input] = {name: Stored(ref=found.outputs[name]) for name in names}
            if bundle is None or bundle == "dict":
                return MappingInput(items=items)
            return Bundle(type=bundle, items=items)
        ref = found.outputs[output]
        return Stored(ref=ref) if index is None else self.element(ref, index)

    def element(self, ref: ArtifactRef, index: int) -> Input:
        """Return one element of a list artifact."""
        elements = self.reader.elements(ref)
        if not -len(elements) <= index < len(elements):
            raise DefinitionError(f"there is no element {index}: it has {len(elements)}")
        if ref.format == "json":
            plain = Literal(value=self.reader.value(ref, index % len(elements)))
            return self._tagged_element(ref, index) or plain
        return element_input(ref, elements, index)

    def _located(self, wanted: Reference, found: Upstream) -> Located:
        """Where a reference leads; an index into a list artifact means one of its elements."""
        node = self.graph.nodes.get(wanted.name)
        mapped = node is not None and node.kind == "map"
        made = locate(wanted.path, found.outputs, mapped=mapped)
        first = made.rest[0] if made.rest and made.element is None else None
        if made.output is None or not isinstance(first, int):
            return made
        if found.outputs[made.output].format != "list":
            return made
        return Located(made.output, first, made.rest[1:])

    def _tagged_element(self, ref: ArtifactRef, index: str | int) -> Input | None:
        """An element of a JSON list that plain data can't stand for (of a class, a tuple)."""
        value = self.reader.value(ref)
        if not isinstance(value, list) or not isinstance(index, int):
            return None
        items = cast("list[Any]", value)
        if not -len(items) <= index < len(items):
            return None
        plain = input_digest(Literal(value=items[index]))
        entry = self.reader.elements(ref)[index]
        tagged = plain != f"{entry.format}:{entry.digest}"
        return Stored(ref=ref, index=index % len(items), element=entry) if tagged else None

    def _value_of(self, wanted: Reference) -> Any:
        if wanted.root in ROOTS:
            raise DefinitionError(
                f"an expression can't read `{sources.key_of(wanted)}`", hint="read it in a step"
            )
        found = self.upstream(wanted.name)
        if found.status not in TASK_HAS_OUTPUTS:
            return None
        output, index, rest = self._located(wanted, found)
        if output is None:
            raise DefinitionError(f"steps.{wanted.name} has several outputs: name one")
        value = self._read(found.outputs[output], index)
        for key in rest:
            value = step_into(value, key)
        return value

    def _read(self, ref: ArtifactRef, index: int | None) -> Any:
        if ref.format == "list" and index is None:
            return [self.reader.value(ref, i) for i in range(len(self.reader.elements(ref)))]
        if index is None:
            return self.reader.value(ref)
        count = len(self.reader.elements(ref))
        if not -count <= index < count:
            raise KeyError(f"there is no element {index}: it has {count}")
        return self.reader.value(ref, index % count)


def whole(element: ElementRef) -> ArtifactRef:
    """Return the artifact that an element with a blob of its own is."""
    return ArtifactRef(
        digest=element.digest,
        size=element.size,
        format=element.format,
        type=element.type,
        data_only=element.data_only,
    )


def element_input(ref: ArtifactRef, elements: tuple[ElementRef, ...], index: int) -> Input:
    """Return an element as an input: by its own blob where it has one."""
    element = elements[index]
    if element.offset < 0:
        return Stored(ref=whole(element))
    return Stored(ref=ref, index=index % len(elements))


def _whole_of(
    node: GraphNode | None, outputs: Mapping[str, ArtifactRef]
) -> tuple[str | None, list[str]]:
    """How the outputs of a node form one value, and which of them do."""
    work = node.work if node is not None else None
    if isinstance(work, RepeatNode):
        return work.pipeline.bundle, [name for name in outputs if name in work.pipeline.outputs]
    return work.bundle if isinstance(work, StepNode) else None, list(outputs)


def _plain_list(items: tuple[Input, ...]) -> Input:
    if all(isinstance(item, Literal) for item in items):
        return Literal(value=[item.value for item in items if isinstance(item, Literal)])
    return Sequence(items=items)


def _plain_dict(items: Mapping[str, Input]) -> Input:
    if all(isinstance(item, Literal) for item in items.values()):
        return Literal(value={k: v.value for k, v in items.items() if isinstance(v, Literal)})
    return MappingInput(items=dict(items))
