"""`checkpoint(...)`: a recorded verdict on what was computed, which later decisions need."""

from __future__ import annotations

import sys
from typing import Any, Literal

from mainspring.definition.handles import result
from mainspring.definition.locations import location
from mainspring.definition.nodes import Callee, Site
from mainspring.definition.options import unknown
from mainspring.definition.tracing import Graph, required
from mainspring.definition.values import condition
from mainspring.records.errors import DefinitionError
from mainspring.records.expressions import binding_of, references
from mainspring.records.spec import CheckpointNode, Node

KINDS = ("data", "model", "performance")
ON_FAIL = ("stop", "warn")


def checkpoint(
    name: str,
    holds: object,
    *,
    kind: Literal["data", "model", "performance"] = "model",
    on_fail: Literal["stop", "warn"] = "stop",
) -> Any:
    """Record whether a condition over steps' results holds.

    With `on_fail="stop"` no later decision in the same scope is taken unless it does. Returns a
    handle for `after=`. Raises DefinitionError.
    """
    where = location()
    graph = required("`checkpoint`", where)
    add(graph, name, condition(holds, where), Site(name=name), kind=kind, on_fail=on_fail,
        where=where)  # fmt: skip
    return result(graph, name)


def add(
    graph: Graph, name: str, holds: Any, site: Site, *, kind: str, on_fail: str, where: str
) -> None:
    """Add a checkpoint to a graph; `holds` is its condition as an expression."""
    for given, known, label in ((kind, KINDS, "kind"), (on_fail, ON_FAIL, "on_fail")):
        if given not in known:
            raise unknown(str(given), known, f"`{label}` of a checkpoint:", where=where)
    made = graph.condition(holds, f"the condition of checkpoint `{name}`", where=where)
    if not any(found.root == "steps" for found in references(made)):
        raise DefinitionError(
            f"checkpoint `{name}` judges no step's result: `{made.text}`",
            where=where or None,
            hint="a checkpoint is a verdict on what was computed; use `when` for parameters",
        )

    def make(common: dict[str, Any], mapped: tuple[str, ...]) -> Node:
        assert not mapped  # a checkpoint has no inputs to map over
        # Interned, as the defaults are: a default is left out of a spec by identity.
        chosen: Any = {"kind": sys.intern(kind), "on_fail": sys.intern(on_fail)}
        return CheckpointNode(condition=binding_of(made), **chosen, **common)

    callee = Callee(
        kind="checkpoint",
        name=name,
        make=make,
        decides=True,
        stops=on_fail == "stop",
        judged=(made,),
    )
    graph.place(callee, {}, site, where=where)
