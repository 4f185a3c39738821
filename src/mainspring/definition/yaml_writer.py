"""A PipelineSpec as YAML text, which reads back as the same spec (but for file:line)."""

from __future__ import annotations

import ast
import functools
from collections.abc import Callable
from typing import Any, cast

import msgspec

from mainspring.definition import types
from mainspring.definition.literals import constant
from mainspring.definition.step import load_step
from mainspring.definition.yaml_syntax import resolvers
from mainspring.records.errors import MainspringError
from mainspring.records.expressions import (
    binding_of,
    escape,
    expression_of,
    from_tree,
    is_expression,
)
from mainspring.records.spec import (
    CheckpointNode,
    CommandNode,
    GroupNode,
    Node,
    Options,
    Parameter,
    PipelineSpec,
    RepeatNode,
    StepNode,
)


def dump(spec: PipelineSpec) -> str:
    """Return the YAML of a pipeline. Guards are left out: reading works them out again."""
    import yaml

    text: Any = yaml.dump(
        _pipeline(spec), Dumper=_dumper(), sort_keys=False, allow_unicode=True, width=100
    )
    return text


@functools.cache
def _dumper() -> Any:
    import yaml

    class Dumper(yaml.SafeDumper):
        """Quotes all text that YAML 1.1 or 1.2 would read as something else; no aliases."""

        yaml_implicit_resolvers: Any = {
            key: list(value) for key, value in yaml.SafeDumper.yaml_implicit_resolvers.items()
        }

        def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002  yaml calls it by name
            return True

    def text(dumper: Any, data: str) -> Any:
        # Outside of double quotes these would be read back as other line breaks.
        style = '"' if any(sign in data for sign in "\x85\u2028\u2029\ufeff") else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", data, style=style)

    dumper: Any = Dumper
    dumper.add_representer(str, text)
    for tag, pattern, firsts in resolvers():
        dumper.add_implicit_resolver(tag, pattern, firsts)
    return dumper


def _pipeline(spec: PipelineSpec) -> dict[str, Any]:
    made: dict[str, Any] = {"pipeline": spec.name, "format": spec.format}
    if spec.doc:
        made["doc"] = spec.doc
    if spec.parameters:
        made["parameters"] = {key: _parameter(one) for key, one in spec.parameters.items()}
    made["steps"] = {node.name: _node(node) for node in spec.steps}
    if spec.outputs:
        made["outputs"] = _bindings(spec.outputs)
    if spec.bundle is not None:
        made["bundle"] = spec.bundle
    return made


def _parameter(one: Parameter) -> Any:
    default = cast(object, one.default)
    if default is msgspec.UNSET:
        return {"type": one.type}
    inferred = "any" if default is None else types.text(type(default))
    if inferred == one.type and one.type != "dict":
        return default
    return {"type": one.type, "default": default}


def _bindings(bindings: dict[str, Any]) -> dict[str, Any]:
    return {key: _binding(value) for key, value in bindings.items()}


def _binding(value: Any) -> Any:
    return _shaped(expression_of(value).tree) if is_expression(value) else _literal(value)


def _shaped(tree: ast.expr) -> Any:
    """Return a list or dict display with each part on its own; anything else as one expression."""
    if isinstance(tree, ast.List):
        return [_shaped(item) for item in tree.elts]
    if isinstance(tree, ast.Dict):
        keys = [key.value if isinstance(key, ast.Constant) else None for key in tree.keys]
        if all(isinstance(key, str) for key in keys):
            return dict(zip(keys, map(_shaped, tree.values), strict=True))
    made = from_tree(tree)
    known = constant(made)
    return binding_of(made) if known is None else _literal(escape(known[0]))


def _literal(value: Any) -> Any:
    if isinstance(value, list):
        return [_literal(item) for item in cast("list[Any]", value)]
    if isinstance(value, dict):
        return {key: _literal(item) for key, item in cast("dict[str, Any]", value).items()}
    if isinstance(value, str) and "${{" in value and not value.startswith("$$"):
        return "${{ " + repr(value) + " }}"
    return value


def _node(node: Node) -> dict[str, Any]:
    made = _WRITERS[type(node)](node)
    if node.bindings:
        made["with"] = _bindings(node.bindings)
    if node.when is not None:
        made["when"] = node.when
    if node.after:
        made["after"] = list(node.after)
    return made


def _step(node: StepNode) -> dict[str, Any]:
    made: dict[str, Any] = {"uses": node.uses}
    if node.map:
        made["map"] = list(node.map)
    return {**made, **_options(node.options, _base(node.uses))}


def _base(uses: str) -> Options:
    """Return the options that the step's decorator gives: what differs from them is written."""
    try:
        return load_step(uses).run_options
    except MainspringError:
        return Options()


def _command(node: CommandNode) -> dict[str, Any]:
    made: dict[str, Any] = {"run": node.command, "inputs": dict(node.inputs)}
    if node.outputs:
        made["outputs"] = dict(node.outputs)
    if node.files:
        made["files"] = list(node.files)
    if node.shell:
        made["shell"] = True
    if node.image:
        made["image"] = node.image
    if node.network:
        made["network"] = True
    if node.map:
        made["map"] = list(node.map)
    return {**made, **_options(node.options, Options())}


def _options(given: Options, base: Options) -> dict[str, Any]:
    changed = {
        name: getattr(given, name)
        for name in given.__struct_fields__
        if getattr(given, name) != getattr(base, name)
    }
    resources = {key: changed.pop(key) for key in ("cpus", "gpus", "memory") if key in changed}
    resources.update(changed.pop("resources", {}))
    if "env" in changed:
        changed["env"] = list(changed["env"])
    return {**({"resources": resources} if resources else {}), **changed}


def _checkpoint(node: CheckpointNode) -> dict[str, Any]:
    return {"checkpoint": node.condition, "kind": node.kind, "on_fail": node.on_fail}


def _group(node: GroupNode) -> dict[str, Any]:
    return {"pipeline": _pipeline(node.pipeline)}


def _repeat(node: RepeatNode) -> dict[str, Any]:
    rounds: dict[str, Any] = {
        "pipeline": _pipeline(node.pipeline),
        "until": node.until,
        "max": node.max,
        "carry": dict(node.carry),
        "exhausted": node.exhausted,
    }
    return {"repeat": rounds}


_WRITERS: dict[type[Any], Callable[[Any], dict[str, Any]]] = {
    StepNode: _step,
    CommandNode: _command,
    CheckpointNode: _checkpoint,
    GroupNode: _group,
    RepeatNode: _repeat,
}
