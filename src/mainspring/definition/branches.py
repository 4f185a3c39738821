"""`with when(...)`: what is inside runs only when the condition holds; `otherwise` is the rest."""

from __future__ import annotations

from typing import Any, cast

from mainspring.definition.locations import location
from mainspring.definition.tracing import Graph, negated, required
from mainspring.definition.values import condition
from mainspring.records.errors import DefinitionError
from mainspring.records.expressions import Expression


class Branch:
    """One side of a condition; a context manager."""

    def __init__(self, graph: Graph, chosen: Expression) -> None:
        self._graph = graph
        self._chosen = chosen

    def __enter__(self) -> Branch:
        where = location()
        if required("a branch", where) is not self._graph:
            raise DefinitionError("the branch belongs to another pipeline", where=where or None)
        self._graph.check_reachable(self._chosen, where=where)
        self._graph.conditions.append(self._chosen)
        return self

    def __exit__(self, *_: object) -> None:
        self._graph.conditions.remove(self._chosen)

    def otherwise(self) -> Branch:
        """Return the other side: `with branch.otherwise(): ...`."""
        return Branch(self._graph, negated(self._chosen))


def when(chosen: object) -> Branch:
    """Return the branch of a condition: `with when(scores.accuracy > 0.9) as branch: ...`.

    Raises DefinitionError for a condition that is constant or no truth value.
    """
    where = location()
    graph = required("`when`", where)
    made = condition(cast(Any, chosen), where)
    return Branch(graph, graph.condition(made, "the condition", where=where))
