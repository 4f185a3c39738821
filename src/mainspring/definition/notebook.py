"""`notebook("analysis.ipynb")`: a notebook as a step; parameters in, what it hands out."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Unpack, cast

import msgspec

from mainspring.definition import literals, options, types
from mainspring.definition.calling import SiteWish, place
from mainspring.definition.command import relative
from mainspring.definition.handles import parameter
from mainspring.definition.locations import location, project_root
from mainspring.definition.nodes import Callee, Port
from mainspring.definition.options import SiteOptions, StepOptions
from mainspring.definition.step import StepDefinition, load_step
from mainspring.definition.tracing import Graph, required
from mainspring.definition.values import given as given_as
from mainspring.records import ipynb
from mainspring.records.errors import DefinitionError
from mainspring.records.notebook import SUFFIX, is_notebook
from mainspring.records.spec import Node, Options, PipelineSpec, StepNode

EXECUTED = "notebook"
"""The output that is the executed notebook itself."""


class NotebookDefinition:
    """A notebook as a step: call it with its parameters by name, inside a pipeline."""

    def __init__(
        self,
        path: str,
        name: str,
        inputs: dict[str, Port],
        outputs: dict[str, Any],
        run_options: Options,
        wish: SiteWish,
    ) -> None:
        self.path = path
        self.name = name
        self.inputs = inputs
        self.outputs = outputs
        self.run_options = run_options
        self._wish = wish

    def __repr__(self) -> str:
        return f"<notebook {self.path}>"

    def __call__(self, **inputs: Any) -> Any:
        where = location()
        graph = required(f"notebook `{self.name}`", where)
        return place(graph, self.callee(), (), inputs, self._wish, where=where)

    def map(self, *mapped: Any, **broadcast: Any) -> list[Any]:
        """Run the notebook for each element of the lists given by position, in the order of its
        parameters; what is given by name is the same for all."""
        where = location()
        graph = required(f"notebook `{self.name}`", where)
        return place(graph, self.callee(), mapped, broadcast, self._wish, where=where, mapped=True)

    def options(self, **changes: Unpack[SiteOptions]) -> NotebookDefinition:
        """Return the notebook with other options, and a name, condition or order for a call."""
        where = location()
        rest = cast("dict[str, Any]", dict(changes))
        wish = self._wish.updated(rest)
        changed = options.read(rest, base=self.run_options, where=where)
        return self.with_options(_checked(changed, where), wish)

    def with_options(
        self, run_options: Options, wish: SiteWish | None = None
    ) -> NotebookDefinition:
        """Return the notebook with options that are checked already."""
        return NotebookDefinition(
            self.path, self.name, self.inputs, self.outputs, run_options, wish or self._wish
        )

    def callee(self) -> Callee:
        """Return what tracing needs to place a call."""
        only = list(self.outputs) == [EXECUTED]
        return Callee(
            kind="notebook",
            name=self.name,
            make=self._make,
            ports=self.inputs,
            outputs=self.outputs,
            principal=EXECUTED if only else None,
            bundle=None if only else "dict",
            join=self.run_options.join,
        )

    def _make(self, common: dict[str, Any], mapped: tuple[str, ...]) -> Node:
        return StepNode(
            uses=self.path,
            map=mapped,
            inputs={name: types.text(port.annotation) for name, port in self.inputs.items()},
            outputs={name: types.text(kind) for name, kind in self.outputs.items()},
            bundle=None if list(self.outputs) == [EXECUTED] else "dict",
            options=self.run_options,
            **common,
        )


def notebook(
    path: str, /, *, outputs: Mapping[str, Any] | None = None, **given: Unpack[StepOptions]
) -> NotebookDefinition:
    """Return a step that executes a notebook of the project in a kernel of its own.

    Its inputs are the assignments of the cell tagged `parameters`, its outputs what its cells hand
    out with `mainspring.output(name=value)`, and `notebook`, the executed notebook. `outputs` maps
    names to types, for those whose types matter or whose names can't be read in the cells. Raises
    DefinitionError.
    """
    where = location()
    rest = cast("dict[str, Any]", dict(given))
    name = rest.pop("name", None)
    return define(
        path, outputs or {}, name=name, where=where, run_options=options.read(rest, where=where)
    )


def _checked(found: Options, where: str) -> Options:
    instead = "have a Python step do what needs it"
    return options.without_environment(found, "a notebook", instead, where=where)


def define(
    path: str, outputs: Mapping[str, Any], *, name: str | None, where: str, run_options: Options
) -> NotebookDefinition:
    """Return the checked definition of a notebook; `name` None: that of its file."""
    path = relative(path, "notebook", where)
    if not path.endswith(SUFFIX):
        raise DefinitionError(f"`{path}` is no notebook (*{SUFFIX})", where=where or None)
    cells = ipynb.read(_content(path, where), path)
    found = {each: Any for each in ipynb.outputs(cells)} | dict(outputs)
    for each in found:
        options.check_name(each, "an output", where=where)
    if EXECUTED in found:
        raise DefinitionError(
            f"the output `{EXECUTED}` is the executed notebook itself",
            where=where or None,
            hint="hand the value out under another name",
        )
    return NotebookDefinition(
        path,
        options.check_name(name or step_name(path), "a notebook", where=where),
        ports(cells),
        {EXECUTED: Path, **found},
        _checked(run_options, where),
        SiteWish(),
    )


def alone(definition: NotebookDefinition, given: Collection[str]) -> PipelineSpec:
    """Return a pipeline that is the notebook and nothing else, with the notebook's parameters.

    One whose default is computed is a parameter only if it is among those `given`.
    """
    ports = {
        name: port._replace(required=port.default is msgspec.UNSET)
        for name, port in definition.inputs.items()
        if port.default is not msgspec.UNSET or name in given
    }
    with Graph(definition.name, ports, where=definition.path) as graph:
        handles = {name: parameter(graph, name) for name in ports}
        made = place(graph, definition.callee(), (), handles, SiteWish(), where=definition.path)
        outputs = {name: given_as(made[name], definition.path) for name in definition.outputs}
        return graph.finish(outputs, bundle="dict", whole=dict).spec


def load_used(uses: str, *, name: str, where: str) -> NotebookDefinition | StepDefinition[..., Any]:
    """Return what `uses` of a pipeline's file names: a notebook, or a Python step."""
    if is_notebook(uses):
        return define(uses, {}, name=name, where=where, run_options=Options())
    return load_step(uses, where=where)


def _content(path: str, where: str) -> bytes:
    root = os.path.realpath(project_root())
    place = os.path.realpath(os.path.join(root, path))
    try:
        if not place.startswith(root + os.sep):
            raise FileNotFoundError
        return Path(place).read_bytes()
    except OSError:
        raise DefinitionError(
            f"there is no notebook {path} in the project",
            where=where or None,
            hint="its path is relative to the directory of mainspring.toml",
        ) from None


def step_name(path: str) -> str:
    """Return a name for a node: that of the file, without directories."""
    name = re.sub(r"[^\w-]", "_", path.rsplit("/", 1)[-1].removesuffix(SUFFIX)).strip("-")
    return name if name[:1].isalpha() or name[:1] == "_" else f"notebook_{name}"


def ports(cells: list[ipynb.CodeCell]) -> dict[str, Port]:
    """Return the parameters of a notebook as inputs, none of which has to be given."""
    return {
        name: _port(annotation, default)
        for name, (annotation, default) in ipynb.parameters(cells).items()
    }


def _port(annotation: str | None, default: ast.expr) -> Port:
    try:
        value: Any = literals.plain(ast.literal_eval(default))
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError, DefinitionError):
        value = msgspec.UNSET  # computed in the cell: it counts there
    if annotation is not None:
        return Port(_type(annotation), False, value)
    return Port(_KINDS.get(cast("type[Any]", type(value)), Any), False, value)


def _type(annotation: str) -> Any:
    """What an annotation of a cell says; one that is no text of a type says nothing."""
    try:
        return types.read(annotation)
    except DefinitionError:
        return Any


# What a default tells: an integer may be meant as any number. A list, or None, stands for anything.
_KINDS: dict[type[Any], Any] = {bool: bool, int: int | float, float: float, str: str}
