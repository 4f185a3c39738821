"""The graph being built: names, ports, branches and guards, checked as each node is placed.

Python tracing and YAML both place nodes here, so that both meet the same checks.
"""

from __future__ import annotations

import ast
import types as python
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from typing import Any, NamedTuple

from mainspring.definition import literals, nodes, sources, types
from mainspring.definition.assignability import assignable, element_of, is_listlike
from mainspring.definition.conditions import conjunction, conjuncts, may_be_bool, negated
from mainspring.definition.inference import descend, infer
from mainspring.definition.nodes import Callee, Placed, Port, Site
from mainspring.definition.options import check_name, refuse_unknown, unknown
from mainspring.records.errors import DefinitionError
from mainspring.records.expressions import (
    Expression,
    Reference,
    binding_of,
    from_tree,
    reference,
    references,
    replace_paths,
)
from mainspring.records.spec import Parameter, PipelineSpec

_current: ContextVar[Graph | None] = ContextVar("mainspring_graph", default=None)


class Traced(NamedTuple):
    """A pipeline as traced: its spec, and what a caller has to know of its types.

    `absent` names the outputs that a branch may leave out; `decides` says whether a checkpoint is
    anywhere inside; `depth` is 1, or more with pipelines in it.
    """

    spec: PipelineSpec
    ports: dict[str, Port]
    outputs: dict[str, Any]
    whole: Any
    absent: frozenset[str]
    decides: bool
    depth: int


def current() -> Graph | None:
    """Return the graph that is being traced, or None outside a pipeline."""
    return _current.get()


def required(what: str, where: str) -> Graph:
    """Return the graph being traced; `what` may only be used in one. Raises DefinitionError."""
    graph = _current.get()
    if graph is None:
        raise DefinitionError(
            f"{what} can be used only inside a @pipeline function", where=where or None
        )
    return graph


class Graph:
    """A pipeline under construction. As a context manager it is the one being traced."""

    def __init__(self, name: str, ports: Mapping[str, Port], *, where: str = "") -> None:
        self.name = check_name(name, "a pipeline", where=where)
        self.ports = dict(ports)
        self.where = where
        self.conditions: list[Expression] = []
        self.placed: dict[str, Placed] = {}
        self._stops: dict[str, Placed] = {}
        self._numbers: dict[str, int] = {}
        self._token: Any = None
        self._level = 1

    def __enter__(self) -> Graph:
        outer = _current.get()
        if outer is not None:
            self._level = nodes.check_depth(outer._level + 1, self.where)
        self._token = _current.set(self)
        return self

    def __exit__(self, *_: object) -> None:
        _current.reset(self._token)

    # -- what expressions refer to

    def normal(self, expression: Expression, *, where: str = "") -> Expression:
        """Return the expression with every reference in its canonical form. Raises
        DefinitionError for an unknown step, output or parameter."""
        return replace_paths(expression, lambda found: self.canonical(found, where))

    def canonical(self, found: Reference, where: str) -> ast.expr:
        """Return the one tree by which a reference is written. Raises DefinitionError."""
        if found.root == "parameters":
            if found.name not in self.ports:
                raise unknown(found.name, self.ports, "parameter", where=where)
            return reference(*found[:2], *found.path)
        if found.root in sources.CLASSES:
            return sources.canonical(found, where)
        if found.root == "outputs":
            raise DefinitionError(
                "`outputs` is known only in `until`", where=where or None, hint="write steps.NAME"
            )
        return self.node(found.name, where).canonical(found.path, where)

    def node(self, name: str, where: str) -> Placed:
        """Return a node by name. Raises DefinitionError with the nearest name."""
        if name not in self.placed:
            raise unknown(name, self.placed, "step", where=where)
        return self.placed[name]

    def type_of(self, found: Reference) -> Any:
        """Return the annotation of a reference in canonical form."""
        if found.root == "steps":
            return self.placed[found.name].type_of(found.path)
        if found.root in sources.CLASSES:
            return sources.CLASSES[found.root]
        annotation = self.ports[found.name].annotation
        for key in found.path:
            annotation = descend(annotation, key)
        return annotation

    def infer(self, expression: Expression, *, where: str = "") -> Any:
        """Return the annotation of a canonical expression. Raises DefinitionError."""
        return infer(expression, self.type_of, where=where)

    def _nodes_in(self, expressions: Iterable[Expression]) -> list[Placed]:
        found = (ref for one in expressions for ref in references(one))
        return [self.placed[ref.name] for ref in found if ref.root == "steps"]

    def presence(self, expressions: Iterable[Expression]) -> frozenset[str]:
        """Return the conditions (texts) under which the values referred to exist."""
        found: set[str] = set()
        for one in expressions:
            for ref in references(one):
                if ref.root == "steps":
                    found |= self.placed[ref.name].presence_of(ref.path)
        return frozenset(found)

    # -- conditions

    def condition(self, given: object, what: str, *, where: str) -> Expression:
        """Return a canonical condition: of type bool, over a step or parameter."""
        if not isinstance(given, Expression):
            raise DefinitionError(
                f"{what} is {given!r}, known before the run",
                where=where or None,
                hint="compare a step's result or a parameter",
            )
        made = self.normal(given, where=where)
        annotation = self.infer(made, where=where)
        if not references(made):
            raise DefinitionError(
                f"{what} `{made.text}` is constant: one branch could never run",
                where=where or None,
                hint="compare a step's result or a parameter",
            )
        if not any(may_be_bool(member) for member in types.members(annotation)):
            raise DefinitionError(
                f"{what} `{made.text}` is {types.text(annotation)}, not a truth value",
                where=where or None,
                hint="compare it, as in `x > 0`",
            )
        return made

    def check_reachable(self, condition: Expression, *, where: str) -> None:
        """Refuse a branch inside the branch of its own opposite."""
        active = {part.text for one in self.conditions for part in conjuncts(one)}
        if any(negated(part).text in active for part in conjuncts(condition)):
            raise DefinitionError(
                f"the branch `{condition.text}` is inside its opposite: it could never run",
                where=where or None,
            )

    # -- placing

    def place(self, callee: Callee, given: Mapping[str, Any], site: Site, *, where: str) -> Placed:
        """Check a call and add its node. `given` maps inputs to expressions or plain values;
        `site.mapped` names those over whose elements the call fans out."""
        name = self._free_name(callee, site, where)
        title = f"{callee.kind} `{name}`"
        for key in given:
            at = site.places.get(key, where)
            refuse_unknown([key], callee.ports, "input", where=at, of=title)
        for port_name, port in callee.ports.items():
            if port.required and port_name not in given:
                raise DefinitionError(
                    f"{title} needs the input `{port_name}`", where=where or None,
                    hint=f"give `{port_name}=...`",
                )  # fmt: skip
        bound: dict[str, Any] = {}
        used: list[Expression] = []
        for key, value in given.items():
            at = site.places.get(key, where)
            made = self._bind(
                callee.ports[key], f"input `{key}` of {title}", value,
                mapped=key in site.mapped, where=at,
            )  # fmt: skip
            bound[key] = binding_of(made) if isinstance(made, Expression) else made
            used.extend([made] if isinstance(made, Expression) else [])
            if callee.join and isinstance(made, Expression):
                self._check_join(callee.ports[key], key, made, title, site, at)
        return self._add(callee, name, bound, used, site, where)

    def _add(
        self, callee: Callee, name: str, bound: dict[str, Any], used: list[Expression],
        site: Site, where: str,
    ) -> Placed:  # fmt: skip
        own = self._own_conditions(site, where)
        texts = {part.text for part in own}
        waits_for = own if callee.join else [*used, *own, *callee.judged]
        common: dict[str, Any] = {
            "name": name,
            "bindings": bound,
            "when": binding_of(conjunction(own)) if own else None,
            "after": tuple(self.node(item, where).name for item in site.after),
            "guards": self._guards(texts) if callee.decides else (),
            "where": where,
        }
        node = callee.make(common, site.mapped)
        made = Placed(
            name, node, callee, mapped=bool(site.mapped), presence=self.presence(waits_for) | texts,
            conditions=frozenset(texts),
        )  # fmt: skip
        self.placed[name] = made
        if callee.stops:
            self._stops[name] = made
        return made

    def _free_name(self, callee: Callee, site: Site, where: str) -> str:
        if site.name is not None:
            name = check_name(site.name, f"a {callee.kind}", where=where)
            if name in self.placed:
                first = self.placed[name].node.where
                raise DefinitionError(
                    f"there is a step `{name}` already{f' ({first})' if first else ''}",
                    where=where or None,
                    hint="give one of them another name",
                )
            return name
        name = check_name(callee.name, f"a {callee.kind}", where=where)
        number = self._numbers.get(name, 1)  # those below are taken: nothing is ever removed
        while (free := name if number == 1 else f"{name}_{number}") in self.placed:
            number += 1
        self._numbers[name] = number
        return free

    def _bind(
        self, port: Port, label: str, value: Any, *, mapped: bool, where: str
    ) -> Expression | Any:
        """Return the canonical expression, or the JSON binding, of what is given to a port."""
        wanted = port.annotation
        if mapped:
            wanted = nodes.list_of(wanted)
        if not isinstance(value, Expression):
            return self._literal(value, wanted, label, mapped=mapped, where=where)
        made = self.normal(value, where=where)
        known = literals.constant(made)
        if known is not None:
            return literals.encode(known[0], wanted, label, where=where)
        if mapped:
            made = self._listed(made)
        annotation = self.infer(made, where=where)
        if mapped:
            self._check_mapped(annotation, port, label, made, where)
        elif not assignable(annotation, wanted):
            raise _wrong_type(label, wanted, made, annotation, where)
        return made

    def _listed(self, made: Expression) -> Expression:
        """Return a node with tuple outputs as the list of them, so that each can be mapped."""
        found = references(made)
        if len(found) == 1 and made == from_tree(reference(*found[0][:2])):
            one = self.placed.get(found[0].name) if found[0].root == "steps" else None
            if one is not None and one.unpacks():
                items = [one.canonical((name,), "") for name in one.parts()]
                return from_tree(ast.List(items, ast.Load()))
        return made

    def _literal(
        self, value: Any, wanted: Any, label: str, *, mapped: bool, where: str
    ) -> Expression | Any:
        if mapped and not isinstance(value, list | tuple | range):
            raise DefinitionError(
                f"{label} is mapped over {value!r}, which is no list",
                where=where or None,
                hint="give what is the same for every element by name, after the mapped lists",
            )
        return literals.encode(value, wanted, label, where=where)

    def _check_mapped(
        self, annotation: Any, port: Port, label: str, made: Expression, where: str
    ) -> None:
        if not is_listlike(annotation):
            raise DefinitionError(
                f"{label} is mapped over `{made.text}`, which is {types.text(annotation)}, no list",
                where=where or None,
                hint="give what is the same for every element by name, after the mapped lists",
            )
        if not assignable(element_of(annotation), port.annotation):
            raise _wrong_type(label, port.annotation, made, element_of(annotation), where)

    def _check_join(
        self, port: Port, key: str, made: Expression, title: str, site: Site, where: str
    ) -> None:
        own = {part.text for part in self._own_conditions(site, where)}
        missing = self.presence([made]) - own
        nullable = any(
            types.is_unknown(member) or member is types.NoneType
            for member in types.members(port.annotation)
        )
        if missing and port.required and not nullable:
            raise DefinitionError(
                f"input `{key}` of {title} may be absent: `{made.text}` comes from a branch",
                where=where or None,
                hint=f"give `{key}` a default, or annotate it as `{types.text(port.annotation)}"
                " | None`",
            )

    def _own_conditions(self, site: Site, where: str) -> list[Expression]:
        given = list(self.conditions)
        if site.when is not None:
            at = site.places.get("when", where)
            made = self.condition(site.when, "`when`", where=at)
            self.check_reachable(made, where=at)
            given.append(made)
        found = {part.text: part for one in given for part in conjuncts(one)}
        return list(found.values())

    def _guards(self, conditions: set[str]) -> tuple[str, ...]:
        """Return the checkpoints that must have passed before a decision under `conditions`.

        A checkpoint inside a branch guards what is under the same conditions: elsewhere it may not
        have been reached.
        """
        return tuple(name for name, one in self._stops.items() if one.conditions <= conditions)

    # -- the end

    def finish(
        self,
        returned: Mapping[str, Any],
        *,
        bundle: str | None,
        whole: Any,
        doc: str = "",
        places: Mapping[str, str] = {},
    ) -> Traced:
        """Return the finished pipeline with its outputs: expressions or plain values by name."""
        outputs: dict[str, Any] = {}
        found: dict[str, Any] = {}
        absent: set[str] = set()
        for key, value in returned.items():
            where = places.get(key, self.where)
            made = self._bind(
                Port(), f"output `{key}` of pipeline `{self.name}`", value,
                mapped=False, where=where,
            )  # fmt: skip
            outputs[key] = binding_of(made) if isinstance(made, Expression) else made
            if isinstance(made, Expression):
                found[key] = self.infer(made, where=self.where)
                absent |= {key} if self.presence([made]) else set()
            else:
                found[key] = type(value)
        parameters = {
            key: Parameter(type=types.text(port.annotation))
            if port.required
            else Parameter(type=types.text(port.annotation), default=port.default)
            for key, port in self.ports.items()
        }
        steps = tuple(one.node for one in self.placed.values())
        spec = PipelineSpec(
            name=self.name, parameters=parameters, steps=steps, outputs=outputs, bundle=bundle,
            doc=doc, where=self.where,
        )  # fmt: skip
        if whole is tuple:
            whole = python.GenericAlias(tuple, tuple(found.values()))
        decides = any(one.callee.decides for one in self.placed.values())
        depth = nodes.depth_with(self.placed.values(), self.where)
        return Traced(spec, self.ports, found, whole, frozenset(absent), decides, depth)


def _wrong_type(
    label: str, wanted: Any, made: Expression, annotation: Any, where: str
) -> DefinitionError:
    return DefinitionError(
        f"{label} is {types.text(wanted)}, but `{made.text}` is {types.text(annotation)}",
        where=where or None,
    )
