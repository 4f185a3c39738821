"""What tracing knows of a thing that can be called, and of a call that was placed in the graph."""

from __future__ import annotations

import ast
import types as python
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from mainspring.definition import types
from mainspring.definition.inference import descend
from mainspring.definition.options import unknown
from mainspring.records.errors import DefinitionError
from mainspring.records.expressions import Expression, locate, reference
from mainspring.records.spec import Node


class Port(NamedTuple):
    """An input: its annotation, whether it must be given, and its default if not."""

    annotation: Any = Any
    required: bool = True
    default: Any = None


MAX_DEPTH = 100
"""How deep pipelines may be nested: everything that walks through a spec calls itself so often."""


def check_depth(depth: int, where: str) -> int:
    """Return how deep pipelines are nested. Raises DefinitionError when that is too deep."""
    if depth > MAX_DEPTH:
        raise DefinitionError(
            f"pipelines are nested more than {MAX_DEPTH} deep", where=where or None
        )
    return depth


class Site(NamedTuple):
    """What holds for one call: its name, condition, order, and the inputs mapped over.

    `places` says where single inputs, or `when`, were written, if not where the call was.
    """

    name: str | None = None
    when: Expression | None = None
    after: tuple[str, ...] = ()
    mapped: tuple[str, ...] = ()
    places: Mapping[str, str] = {}


class Callee(NamedTuple):
    """What is called: its ports, outputs and how to write its node.

    `whole` is the annotation of all outputs as one value, `bundle` how they form it; `principal`
    is the output meant by the node itself. `absent` names outputs that may be left out, `judged`
    the expressions that a decision looks at. A checkpoint `decides`, and `stops` what follows;
    `depth` is how deep pipelines are nested in it.
    """

    kind: str
    name: str
    make: Callable[[dict[str, Any], tuple[str, ...]], Node]
    ports: Mapping[str, Port] = {}
    outputs: Mapping[str, Any] = {}
    whole: Any = Any
    principal: str | None = None
    bundle: str | None = None
    join: bool = False
    decides: bool = False
    stops: bool = False
    absent: frozenset[str] = frozenset()
    judged: tuple[Expression, ...] = ()
    depth: int = 0


class Placed:
    """A node of the graph, with the types of its outputs and the conditions that it is under."""

    __slots__ = ("callee", "conditions", "mapped", "name", "node", "presence")

    def __init__(
        self,
        name: str,
        node: Node,
        callee: Callee,
        *,
        mapped: bool,
        presence: frozenset[str],
        conditions: frozenset[str],
    ) -> None:
        self.name = name
        self.node = node
        self.callee = callee
        self.mapped = mapped
        self.presence = presence
        self.conditions = conditions

    def canonical(self, path: tuple[str | int, ...], where: str) -> ast.expr:
        """Return the one tree by which `steps.NAME.path` is written in a spec."""
        outputs = list(self.callee.outputs)
        output, element, rest = locate(path, outputs, mapped=self.mapped)
        if not outputs:
            raise DefinitionError(
                f"{self.callee.kind} `{self.name}` has no outputs", where=where or None,
                hint="it can stand in `after` only",
            )  # fmt: skip
        if output is None and self.callee.principal:
            output = self.callee.principal
        if output is None and rest:
            raise self._no_output(rest[0], where)
        lead = () if element is None else (element,)
        if output is None:
            return self._whole(lead, where)
        return reference("steps", self.name, *lead, *self._names(output, rest), *rest)

    def _names(self, output: str, rest: tuple[str | int, ...]) -> tuple[str | int, ...]:
        if list(self.callee.outputs) == ["result"]:
            # A key `result` inside the value would read as the output's own name.
            return ("result",) if rest[:1] == ("result",) else ()
        return (int(output),) if output.isdecimal() and not self.mapped else (output,)

    def _no_output(self, key: str | int, where: str) -> DefinitionError:
        of = f"{self.callee.kind} `{self.name}`"
        return unknown(str(key), list(self.callee.outputs), "output", where=where, of=of)

    def _whole(self, lead: tuple[int, ...], where: str) -> ast.expr:
        """Return all outputs as one value: as a display where an expression can say it."""
        outputs = {name: reference("steps", self.name, *lead, name) for name in self.parts()}
        bundle = self.callee.bundle
        if bundle == "dict":
            keys: list[ast.expr | None] = [ast.Constant(name) for name in outputs]
            return ast.Dict(keys, list(outputs.values()))
        if bundle is None:
            raise DefinitionError(
                f"{self.callee.kind} `{self.name}` has several outputs",
                where=where or None,
                hint=f"choose one: {', '.join(outputs)}",
            )
        return reference("steps", self.name, *lead)

    def type_of(self, path: tuple[str | int, ...]) -> Any:
        """Return the annotation of a canonical path. Raises DefinitionError (without a place)."""
        output, element, rest = locate(path, list(self.callee.outputs), mapped=self.mapped)
        annotation = self.callee.whole if output is None else self.callee.outputs[output]
        if self.mapped and element is None:
            annotation = list_of(annotation)
        for key in rest:
            annotation = descend(annotation, key)
        return annotation

    def parts(self) -> tuple[str, ...]:
        """Return the outputs that form the node's value; the rounds of a repeat are beside it."""
        return tuple(
            n for n in self.callee.outputs if (self.callee.kind, n) != ("repeat", "rounds")
        )

    def unpacks(self) -> bool:
        """Say whether iterating over the node's value gives its outputs."""
        return not self.mapped and types.inherits(types.class_of(self.callee.whole), tuple)

    def presence_of(self, path: tuple[str | int, ...]) -> frozenset[str]:
        """Return the conditions under which the value at a path exists."""
        if not self.callee.absent:
            return self.presence
        output, _, _ = locate(path, list(self.callee.outputs), mapped=self.mapped)
        inside = output is None or output in self.callee.absent
        return self.presence | {f"inside {self.name}"} if inside else self.presence


def list_of(annotation: Any) -> Any:
    """Return the annotation of a list of such values."""
    return list if types.is_unknown(annotation) else python.GenericAlias(list, (annotation,))


def depth_with(placed: Iterable[Placed], where: str) -> int:
    """Return how deep a pipeline with these nodes is. Raises DefinitionError when too deep."""
    return check_depth(1 + max((one.callee.depth for one in placed), default=0), where)
