"""A spec flattened: groups inlined, names absolute, every dependency an explicit edge."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any, TypeAlias, cast

import msgspec

from mainspring.records.errors import DefinitionError
from mainspring.records.expressions import (
    Constant,
    Expression,
    Referred,
    expression_of,
    from_tree,
    is_expression,
    literal_of,
    parse,
    reference,
    references,
    rewrite,
    shape,
)
from mainspring.records.sources import Source
from mainspring.records.spec import (
    CheckpointNode,
    CommandNode,
    GroupNode,
    Node,
    PipelineSpec,
    RepeatNode,
    StepNode,
)

Binding: TypeAlias = Expression | Constant
Work: TypeAlias = StepNode | CommandNode | CheckpointNode | RepeatNode
Bindings: TypeAlias = dict[str, Binding]

BUNDLE = "$bundle"
"""In the display of a group's outputs, the key that names the class which they form."""


class GraphNode(msgspec.Struct, frozen=True, kw_only=True):
    """A node with absolute references.

    `path` is its path in the run (`prep/clean`; inside round 2 of a repeat, `tune#2/train`) and
    `template` the same without rounds. `data` are the paths whose outputs it reads, `guards` the
    checkpoints that must have passed, `deps` all that must be settled first.
    """

    path: str
    template: str
    kind: str
    work: Work
    bindings: Bindings
    when: Expression | None
    data: tuple[str, ...]
    guards: tuple[str, ...]
    deps: tuple[str, ...]


class Graph(msgspec.Struct, frozen=True, kw_only=True):
    """The nodes of one body, upstream first, its outputs, and what `datasets.NAME` and
    `models.NAME` stand for in the run."""

    nodes: dict[str, GraphNode]
    outputs: Bindings
    sources: Mapping[str, Source] = {}


class _Scope(msgspec.Struct, frozen=True, kw_only=True):
    """Where a body is inlined: how its local names become absolute ones."""

    prefix: str
    template: str
    parameters: Mapping[str, Binding]
    when: Expression | None = None
    after: tuple[str, ...] = ()
    guards: tuple[str, ...] = ()


def flatten(
    spec: PipelineSpec, parameters: Mapping[str, Any], sources: Mapping[str, Source] = {}
) -> Graph:
    """Return the graph of a pipeline for given parameter values and sources.

    Raises DefinitionError for a cycle or a name that does not exist.
    """
    values = {name: Constant(value) for name, value in parameters.items()}
    made = _graph(spec, _Scope(prefix="", template="", parameters=values))
    return msgspec.structs.replace(made, sources=sources)


def flatten_round(node: GraphNode, number: int, parameters: Mapping[str, Binding]) -> Graph:
    """Return the graph of one round of a repeat, its parameters bound to `parameters`."""
    assert isinstance(node.work, RepeatNode)
    spec = node.work.pipeline
    scope = _Scope(
        prefix=f"{node.path}#{number}/",
        template=f"{node.template}/",
        parameters={**_defaults(spec), **parameters},
    )
    return _graph(spec, scope)


def until_of(node: RepeatNode) -> Expression:
    """Return the `until` of a repeat, over `outputs.NAME`."""
    return _expression(node.until, node.where)


def paths_in(expression: Expression) -> Iterable[str]:
    """Return the names of the steps that an expression reads, in order."""
    return dict.fromkeys(r.name for r in references(expression) if r.root == "steps")


def _graph(spec: PipelineSpec, scope: _Scope) -> Graph:
    nodes: dict[str, GraphNode] = {}
    outputs = _inline(spec, scope, nodes)
    return Graph(nodes=nodes, outputs=outputs)


def _inline(spec: PipelineSpec, scope: _Scope, nodes: dict[str, GraphNode]) -> Bindings:
    """Add the nodes of a body, and of the groups in it, to `nodes`; return its outputs."""
    names = _Names(scope)
    for node in _in_order(spec):
        before = len(nodes)
        inner = _Scope(
            prefix=f"{scope.prefix}{node.name}/",
            template=f"{scope.template}{node.name}/",
            parameters={n: names.binding(v, node.where) for n, v in node.bindings.items()},
            when=names.condition(node),
            after=(*scope.after, *names.members_of(node.after)),
            guards=(*scope.guards, *names.members_of(node.guards)),
        )
        if isinstance(node, GroupNode):
            bound = {**_defaults(node.pipeline), **inner.parameters}
            inner = msgspec.structs.replace(inner, parameters=bound)
            made = _as_one(_inline(node.pipeline, inner, nodes), node.pipeline.bundle)
            names.add(node.name, made, _last_of(nodes, len(nodes) - before))
        else:
            path = scope.prefix + node.name
            nodes[path] = _graph_node(path, node, inner, names)
            names.add(node.name, _step(path) if scope.prefix else None, (path,))
    return {name: names.binding(value, spec.where) for name, value in spec.outputs.items()}


def _last_of(nodes: dict[str, GraphNode], count: int) -> tuple[str, ...]:
    """Of the `count` newest nodes (a group's), those that no other of them waits for: once they
    are settled so are all, and one that is stopped stops them. An edge from each would make a
    group of a thousand steps after another one a million edges."""
    group = list(islice(reversed(nodes), count))
    inner = {dep for path in group for dep in nodes[path].deps}
    return tuple(path for path in reversed(group) if path not in inner)


class _Names:
    """The names of one body: what each stands for, and rewriting by that."""

    def __init__(self, scope: _Scope) -> None:
        self._scope = scope
        self._steps: dict[str, Expression | None] = {}
        self._members: dict[str, tuple[str, ...]] = {}

    def add(self, name: str, stands_for: Expression | None, members: tuple[str, ...]) -> None:
        """`stands_for` None: the name is absolute as it is."""
        self._steps[name] = stands_for
        self._members[name] = members

    def members_of(self, names: Iterable[str]) -> Iterable[str]:
        return (path for name in names for path in self._members[name])

    def binding(self, value: Any, where: str) -> Binding:
        if not is_expression(value):
            return Constant(literal_of(value))
        written = expression_of(value, where=where)
        made = shape(written)
        if isinstance(made, Referred) and made.reference.root == "parameters":
            bound = self._parameter(made.reference.name, where)
            if isinstance(bound, Constant) and not made.reference.path:
                return bound  # as it is: it may be too large to be part of an expression
        found = self._absolute(written, where)
        made = shape(found)
        return made if isinstance(made, Constant) else found

    def condition(self, node: Node) -> Expression | None:
        outer = self._scope.when
        if node.when is None:
            return outer
        own = self._absolute(_expression(node.when, node.where), node.where)
        return own if outer is None else from_tree(ast.BoolOp(ast.And(), [outer.tree, own.tree]))

    def _absolute(self, expression: Expression, where: str) -> Expression:
        found = references(expression)
        if all(r.root == "steps" and self._stands_for(r.name, where) is None for r in found):
            return expression
        return rewrite(expression, lambda root, name: self._replace(root, name, where))

    def _replace(self, root: str, name: str, where: str) -> Expression | None:
        if root == "steps":
            return self._stands_for(name, where)
        if root != "parameters":
            return None
        found = self._parameter(name, where)
        return found if isinstance(found, Expression) else from_tree(_display(found.value))

    def _parameter(self, name: str, where: str) -> Binding:
        found = self._scope.parameters.get(name)
        if found is None:
            raise _unknown("parameter", name, self._scope.parameters, where)
        return found

    def _stands_for(self, name: str, where: str) -> Expression | None:
        if name not in self._steps:
            raise _unknown("step", name, self._steps, where)
        return self._steps[name]


def _graph_node(path: str, node: Work, scope: _Scope, names: _Names) -> GraphNode:
    bindings: Bindings = dict(scope.parameters)
    if isinstance(node, CheckpointNode):
        condition = names.binding(node.condition, node.where)
        bindings["condition"] = condition
    read: dict[str, None] = {}
    for binding in (*bindings.values(), scope.when):
        if isinstance(binding, Expression):
            read.update(dict.fromkeys(paths_in(binding)))
    return GraphNode(
        path=path,
        template=scope.template[:-1],
        kind=_kind(node),
        work=node,
        bindings=bindings,
        when=scope.when,
        data=tuple(read),
        guards=scope.guards,
        deps=tuple(dict.fromkeys((*read, *scope.after, *scope.guards))),
    )


def _kind(node: Work) -> str:
    if isinstance(node, StepNode | CommandNode):
        if node.map:
            return "map"
        return "step" if isinstance(node, StepNode) else "command"
    return "checkpoint" if isinstance(node, CheckpointNode) else "repeat"


def _step(path: str) -> Expression:
    return from_tree(reference("steps", path))


def _as_one(outputs: Bindings, bundle: str | None) -> Expression:
    """What a group's name stands for: its single result, or its outputs as one value."""
    if list(outputs) == ["result"]:
        return _as_expression(outputs["result"])
    values = [_as_expression(value).tree for value in outputs.values()]
    if bundle == "tuple":
        return from_tree(ast.Tuple(values, ast.Load()))
    keys: list[ast.expr | None] = [ast.Constant(name) for name in outputs]
    if bundle is not None and ":" in bundle:
        keys, values = [ast.Constant(BUNDLE), *keys], [ast.Constant(bundle), *values]
    return from_tree(ast.Dict(keys, values))


def _as_expression(binding: Binding) -> Expression:
    return binding if isinstance(binding, Expression) else from_tree(_display(binding.value))


def _display(value: Any) -> ast.expr:
    """The tree of a JSON value."""
    if isinstance(value, list):
        return ast.List([_display(v) for v in cast("list[Any]", value)], ast.Load())
    if isinstance(value, dict):
        table = cast("dict[str, Any]", value)
        keys: list[ast.expr | None] = [ast.Constant(k) for k in table]
        return ast.Dict(keys, [_display(v) for v in table.values()])
    if isinstance(value, int | float) and not isinstance(value, bool) and value < 0:
        return ast.UnaryOp(ast.USub(), ast.Constant(-value))
    return ast.Constant(value)


def _defaults(spec: PipelineSpec) -> Bindings:
    return {
        name: Constant(parameter.default)
        for name, parameter in spec.parameters.items()
        if parameter.default is not msgspec.UNSET
    }


def _expression(text: str, where: str) -> Expression:
    return expression_of(text, where=where) if is_expression(text) else parse(text, where=where)


def _unknown(what: str, name: str, known: Iterable[str], where: str) -> DefinitionError:
    names = ", ".join(sorted(known)) or "none"
    return DefinitionError(f"{what} {name!r} does not exist", where=where, hint=f"there is {names}")


def _in_order(spec: PipelineSpec) -> list[Node]:
    """The nodes of one body, upstream first; raises DefinitionError for a cycle."""
    nodes = {node.name: node for node in spec.steps}
    needs = {node.name: _needs(node, nodes) for node in spec.steps}
    done: dict[str, Node] = {}
    for node in spec.steps:
        if node.name not in done:
            _append_with_needs(node.name, needs, nodes, done)
    return list(done.values())


def _append_with_needs(
    start: str, needs: Mapping[str, list[str]], nodes: Mapping[str, Node], done: dict[str, Node]
) -> None:
    path: dict[str, int] = {start: 0}
    while path:
        name, at = path.popitem()
        if at == len(needs[name]):
            done[name] = nodes[name]
            continue
        path[name] = at + 1
        below = needs[name][at]
        if below in path:
            ring = [*list(path)[list(path).index(below) :], below]
            text = " → ".join(reversed(ring))
            raise DefinitionError(f"the steps form a cycle: {text}", where=nodes[below].where)
        if below not in done:
            path[below] = 0


def _needs(node: Node, known: Mapping[str, Node]) -> list[str]:
    texts = [value for value in node.bindings.values() if is_expression(value)]
    if node.when is not None:
        texts.append(node.when)
    if isinstance(node, CheckpointNode):
        texts.append(node.condition)
    found = [name for text in texts for name in paths_in(_expression(text, node.where))]
    needs = list(dict.fromkeys((*found, *node.after, *node.guards)))
    for name in needs:
        if name not in known:
            raise _unknown("step", name, known, node.where)
    return needs
