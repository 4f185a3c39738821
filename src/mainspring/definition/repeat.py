"""`repeat(pipeline, until=..., max=5)`: a pipeline run again, with new values, until enough."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

from mainspring.definition import types
from mainspring.definition.assignability import assignable
from mainspring.definition.calling import SiteWish, place
from mainspring.definition.handles import Handle
from mainspring.definition.inference import descend
from mainspring.definition.locations import location
from mainspring.definition.nodes import Callee
from mainspring.definition.options import refuse_unknown, unknown
from mainspring.definition.pipeline import Pipeline
from mainspring.definition.tracing import Graph, Traced, required
from mainspring.definition.values import condition
from mainspring.records.errors import DefinitionError
from mainspring.records.expressions import Expression, Reference, binding_of, reference
from mainspring.records.spec import Node, RepeatNode

EXHAUSTED = ("continue", "fail")
ROUNDS = "rounds"


class Rounds(NamedTuple):
    """How a pipeline is repeated; `until` is over `outputs.NAME`."""

    until: Expression
    max: int
    carry: dict[str, str]
    exhausted: str


class RoundGraph(Graph):
    """The graph in which `until` is traced: it knows nothing but a round's outputs."""

    def __init__(self, name: str, outputs: Mapping[str, Any], *, where: str) -> None:
        super().__init__(name, {}, where=where)
        self._outputs = outputs

    def canonical(self, found: Reference, where: str) -> ast.expr:
        """Return the tree of `outputs.NAME...`. Raises DefinitionError for all else."""
        if found.root != "outputs":
            raise DefinitionError(
                f"`until` can't see `{found.root}.{found.name}`",
                where=where or None,
                hint="it sees the outputs of a round: return what it needs from the pipeline",
            )
        if found.name not in self._outputs:
            raise unknown(found.name, list(self._outputs), "output", where=where, of=self.name)
        return reference(*found[:2], *found.path)

    def type_of(self, found: Reference) -> Any:
        """Return the annotation of an output of the round."""
        annotation = self._outputs[found.name]
        for key in found.path:
            annotation = descend(annotation, key)
        return annotation


class Repeat:
    """A pipeline that is repeated; call it inside a pipeline, with its first round's inputs."""

    def __init__(self, name: str, traced: Traced, rounds: Rounds, wish: SiteWish) -> None:
        self.name = name
        self._traced = traced
        self._rounds = rounds
        self._wish = wish

    def __repr__(self) -> str:
        return f"<repeat {self.name}>"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        where = location()
        graph = required("`repeat`", where)
        return place(
            graph, repeated(self.name, self._traced, self._rounds), args, kwargs, self._wish,
            where=where,
        )  # fmt: skip

    def options(self, **changes: Any) -> Repeat:
        """Return it with a name, condition or order for a call: `name`, `when`, `after`."""
        where = location()
        refuse_unknown(changes, SiteWish._fields, "option", where=where)
        return Repeat(self.name, self._traced, self._rounds, self._wish.updated(dict(changes)))


def repeat(
    pipeline: Pipeline[..., Any],
    *,
    until: Callable[[Any], object],
    max: int = 5,
    carry: Mapping[str, str] | None = None,
    exhausted: Literal["continue", "fail"] = "continue",
) -> Repeat:
    """Repeat a pipeline until `until(outputs)` holds, at most `max` times.

    `carry` maps a parameter to the output whose value it takes in the next round; by default each
    output goes to the parameter of the same name. The result has the outputs of the last round
    and `rounds`. When `max` rounds were not enough, `exhausted` says whether that is a failure.
    Raises DefinitionError.
    """
    where = location()
    if not isinstance(pipeline, Pipeline):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise DefinitionError(
            f"`repeat` is for pipelines, not for {pipeline!r}", where=where or None,
            hint="put the step in a @pipeline function",
        )  # fmt: skip
    traced = pipeline.traced
    if not callable(until):
        raise DefinitionError(
            f"`until` is {until!r}", where=where or None,
            hint="give a function of the outputs: `until=lambda out: out.score >= 0.9`",
        )  # fmt: skip
    with RoundGraph(pipeline.name, traced.outputs, where=where) as graph:
        single = list(traced.outputs) == ["result"]
        tree = reference("outputs", "result") if single else ast.Name("outputs", ast.Load())
        chosen = condition(until(Handle(graph, tree)), where)
    rounds = read(pipeline.name, traced, chosen, max, carry, exhausted, where=where)
    return Repeat(pipeline.name, traced, rounds, SiteWish())


def read(
    name: str,
    traced: Traced,
    until: Any,
    most: object,
    carry: Mapping[str, str] | None,
    exhausted: str,
    *,
    where: str,
) -> Rounds:
    """Return how a traced pipeline is repeated, checked. Raises DefinitionError."""
    if ROUNDS in traced.outputs:
        raise DefinitionError(
            f"pipeline `{name}` has an output `{ROUNDS}`, which `repeat` adds itself",
            where=where or None,
        )
    graph = RoundGraph(name, traced.outputs, where=where)
    made = graph.condition(until, "`until`", where=where)
    if not isinstance(most, int) or isinstance(most, bool) or most < 1:
        raise DefinitionError(
            f"`max` is {most!r}", where=where or None, hint="give a whole number, one or more"
        )
    if exhausted not in EXHAUSTED:
        raise unknown(str(exhausted), EXHAUSTED, "`exhausted`:", where=where)
    return Rounds(made, most, _carried(name, traced, carry, where), exhausted)


def _carried(
    name: str, traced: Traced, carry: Mapping[str, str] | None, where: str
) -> dict[str, str]:
    if carry is None:
        chosen = {key: key for key in traced.ports if key in traced.outputs}
    else:
        chosen = dict(carry)
    title = f"pipeline `{name}`"
    for key, output in chosen.items():
        if key not in traced.ports:
            raise unknown(key, traced.ports, "parameter", where=where, of=title)
        if output not in traced.outputs:
            raise unknown(str(output), traced.outputs, "output", where=where, of=title)
        given, wanted = traced.outputs[output], traced.ports[key].annotation
        if not assignable(given, wanted):
            raise DefinitionError(
                f"the output `{output}` of {title} is {types.text(given)}, the parameter `{key}` "
                f"that takes it in the next round is {types.text(wanted)}",
                where=where or None,
            )
    return chosen


def repeated(name: str, traced: Traced, rounds: Rounds) -> Callee:
    """Return a repeated pipeline as something to call."""

    def make(common: dict[str, Any], mapped: tuple[str, ...]) -> Node:
        assert not mapped  # there is no way to map over a repeat
        chosen: Any = {"exhausted": sys.intern(rounds.exhausted)}
        return RepeatNode(
            pipeline=traced.spec, until=binding_of(rounds.until), max=rounds.max,
            carry=rounds.carry, **chosen, **common,
        )  # fmt: skip

    return Callee(
        kind="repeat",
        name=name,
        make=make,
        ports=traced.ports,
        outputs={**traced.outputs, ROUNDS: int},
        whole=traced.whole,
        principal="result" if list(traced.outputs) == ["result"] else None,
        bundle=traced.spec.bundle,
        decides=traced.decides,
        absent=traced.absent,
        depth=traced.depth,
    )
