"""From a Python call inside a pipeline to a node: arguments to ports, site options to names."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, NamedTuple, cast

from mainspring.definition.handles import result
from mainspring.definition.nodes import Callee, Port, Site
from mainspring.definition.tracing import Graph
from mainspring.definition.values import Symbol, condition, given, node_of
from mainspring.records.errors import DefinitionError


class SiteWish(NamedTuple):
    """What `.options(...)` said of one call, as it was given."""

    name: str | None = None
    when: Any = None
    after: Any = ()

    def updated(self, options: dict[str, Any]) -> SiteWish:
        """Return the wish with its own keys taken out of `options`."""
        own = {key: options.pop(key) for key in self._fields if key in options}
        return self._replace(**own)


def place(
    graph: Graph,
    callee: Callee,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    wish: SiteWish,
    *,
    where: str,
    mapped: bool = False,
) -> Any:
    """Add a call to the graph and return the handle of its result.

    With `mapped` the positional arguments are the lists whose elements the call is made for.
    """
    names = positional(callee, args, kwargs, where)
    lists = names[: len(args)] if mapped else ()
    if mapped:
        check_lengths(f"{callee.kind} `{callee.name}`", args, where)
    values = {**dict(zip(names, args, strict=True)), **kwargs}
    site = Site(
        name=wish.name,
        when=cast(Any, condition(wish.when, where)),
        after=names_after(wish.after, where),
        mapped=tuple(lists),
    )
    made = {key: given(value, where) for key, value in values.items()}
    return result(graph, graph.place(callee, made, site, where=where).name)


def positional(
    callee: Callee, args: tuple[Any, ...], kwargs: Mapping[str, Any], where: str
) -> tuple[str, ...]:
    """Return the names of the inputs that positional arguments are for."""
    title = f"{callee.kind} `{callee.name}`"
    if len(args) > len(callee.ports):
        raise DefinitionError(
            f"{title} has {_inputs(callee.ports)}, {len(args)} were given", where=where or None
        )
    names = tuple(callee.ports)[: len(args)]
    twice = [name for name in names if name in kwargs]
    if twice:
        raise DefinitionError(f"{title} got `{twice[0]}` twice", where=where or None)
    return names


def _inputs(ports: Mapping[str, Port]) -> str:
    return f"{len(ports)} input{'' if len(ports) == 1 else 's'}"


def check_lengths(title: str, lists: tuple[Any, ...], where: str) -> None:
    """Refuse a map over nothing, or over plain lists of unequal lengths."""
    if not lists:
        raise DefinitionError(
            f"{title}: `.map` needs a list", where=where or None, hint="`.map(list, other=value)`"
        )
    lengths = {
        len(cast("list[Any]", one)) for one in lists if isinstance(one, list | tuple | range)
    }
    if len(lengths) > 1:
        shown = ", ".join(str(length) for length in sorted(lengths))
        raise DefinitionError(
            f"{title} is mapped over lists of unequal lengths: {shown}", where=where or None
        )


def names_after(after: Any, where: str) -> tuple[str, ...]:
    """Return the names of the steps that `after=` means: handles or names, one or several."""
    items = cast("list[Any]", after) if isinstance(after, list | tuple | set) else [after]
    found: list[str] = []
    for item in items:
        if isinstance(item, Symbol):
            found.append(node_of(item, where))
        elif isinstance(item, str):
            found.append(item)
        else:
            raise DefinitionError(
                f"`after` is {item!r}", where=where or None, hint="give a step's handle or name"
            )
    return tuple(dict.fromkeys(found))


def nearest(name: str, known: list[str]) -> str | None:
    """Return a hint with the nearest known name, or None."""
    near = difflib.get_close_matches(name, known, 1)
    return f"did you mean `{near[0]}`?" if near else None
