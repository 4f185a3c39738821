"""`@step`: a Python function with typed ports; a plain function outside a pipeline."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Collection, Mapping
from types import FunctionType
from typing import Any, Generic, ParamSpec, TypeVar, Unpack, cast, overload

from mainspring.definition import options, types
from mainspring.definition.assignability import revive
from mainspring.definition.bundles import bundle_of, outputs_of, split
from mainspring.definition.calling import SiteWish, check_lengths, place
from mainspring.definition.load import load
from mainspring.definition.locations import location, of_code
from mainspring.definition.nodes import Callee, Port
from mainspring.definition.options import SiteOptions, StepOptions
from mainspring.definition.signatures import checked, ports_of, positional_only
from mainspring.definition.sources import Sourced, refuse_as_input
from mainspring.definition.tracing import current
from mainspring.records import notebook
from mainspring.records.errors import DefinitionError
from mainspring.records.spec import Node, Options, StepNode

P = ParamSpec("P")
R = TypeVar("R")


class StepDefinition(Generic[P, R]):
    """A function as a step. Inside a pipeline a call adds a node; elsewhere it is a plain call."""

    __name__: str
    __qualname__: str

    def __init__(
        self, function: Callable[P, R], run_options: Options, wish: SiteWish, *, where: str
    ) -> None:
        self._inner: FunctionType = checked(function, "step", where=where)
        functools.update_wrapper(self, function)
        self.function = function
        self.run_options = run_options
        self._wish = wish

    def __repr__(self) -> str:
        return f"<step {self.__module__}:{self.__qualname__}>"

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        graph = current()
        if graph is None:
            if any(isinstance(value, Sourced) for value in (*args, *kwargs.values())):
                return self._opened(args, kwargs)
            return self.function(*args, **kwargs)
        return place(graph, self.callee(), args, kwargs, self._wish, where=location())

    def _opened(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> R:
        """Call the function with what a worker would give it of datasets and models."""

        def plain(name: str, value: Any) -> Any:
            port = self.inputs.get(name)
            annotation = Any if port is None else port.annotation
            return value.value(annotation) if isinstance(value, Sourced) else value

        placed = [plain(name, value) for name, value in zip(self.inputs, args, strict=False)]
        named = {name: plain(name, value) for name, value in kwargs.items()}
        function = cast("Callable[..., R]", self.function)
        return function(*placed, *args[len(placed) :], **named)

    def map(self, *mapped: Any, **broadcast: Any) -> list[R]:
        """Run the step for each element of the lists given by position (taken together, as by
        zip); what is given by name is the same for all. Returns the list of results."""
        graph = current()
        if graph is not None:
            return place(
                graph, self.callee(), mapped, broadcast, self._wish, where=location(), mapped=True
            )
        check_lengths(f"step `{self.__name__}`", mapped, location())
        function = cast("Callable[..., R]", self.function)
        return [function(*items, **broadcast) for items in zip(*mapped, strict=True)]

    def options(self, **changes: Unpack[SiteOptions]) -> StepDefinition[P, R]:
        """Return the step with other options, and with a name, condition or order for a call."""
        where = location()
        rest = cast("dict[str, Any]", dict(changes))
        wish = self._wish.updated(rest)
        options.refuse_unknown(rest, (*options.OPTION_NAMES, "name", "when", "after"), "option",
                               where=where)  # fmt: skip
        changed = options.read(rest, base=self.run_options, where=where)
        return self.with_options(changed, wish)

    def with_options(
        self, run_options: Options, wish: SiteWish | None = None
    ) -> StepDefinition[P, R]:
        """Return the step with options that are checked already."""
        where = self.where
        made = StepDefinition(self.function, run_options, wish or self._wish, where=where)
        made.__name__ = self.__name__
        return made

    # -- what tracing and the worker read

    @property
    def where(self) -> str:
        """The `file:line` of the function."""
        return of_code(self._inner.__code__)

    def renew(self) -> None:
        """Forget what was found of the signature: a class that it names was defined again."""
        for name in ("inputs", "outputs", "returns", "bundle"):
            self.__dict__.pop(name, None)

    @functools.cached_property
    def inputs(self) -> dict[str, Port]:
        """The inputs by name, in order."""
        ports = ports_of(self.function)
        annotations = {name: port.annotation for name, port in ports.items()}
        refuse_as_input(annotations, f"step `{self.__name__}`", self.where)
        return ports

    @functools.cached_property
    def returns(self) -> Any:
        """The annotation of what the function returns; Any when there is none."""
        return types.function_hints(self.function).get("return", Any)

    @functools.cached_property
    def outputs(self) -> dict[str, Any]:
        """The outputs by name: `result`, or one for each part of a tuple or named class."""
        return outputs_of(self.returns)

    @functools.cached_property
    def bundle(self) -> str | None:
        """How several outputs form one value: "module:Class", "tuple", or None for a single one."""
        return bundle_of(self.returns)

    @property
    def uses(self) -> str:
        """The text by which a worker imports the step: "module:name". Raises DefinitionError."""
        module = sys.modules.get(self._inner.__module__)
        name = self.__qualname__ if self._is_at(module, self.__qualname__) else None
        if name is None:
            found = (key for key in vars(module or options) if self._is_at(module, key))
            name = next(found, None)
        if name is None:
            raise DefinitionError(
                f"step `{self.__name__}` can't be imported by a worker",
                where=self.where,
                hint="define it at the top level of a module, under its own name",
            )
        home = types.module_of(self._inner)
        return f"{notebook.module_of(name) if notebook.is_cell(home) else home}:{name}"

    def _is_at(self, module: object, path: str) -> bool:
        found = module
        for part in path.split("."):
            found = getattr(found, part, None)
        if not isinstance(found, StepDefinition):
            return False
        inner = cast("StepDefinition[..., Any]", found)._inner
        # After a reload the function is another object, but it is the same definition.
        return inner is self._inner or inner.__qualname__ == self._inner.__qualname__ == path

    def callee(self) -> Callee:
        """Return what tracing needs to place a call."""
        return Callee(
            kind="step",
            name=self.__name__,
            make=self._node,
            ports=self.inputs,
            outputs=self.outputs,
            whole=self.returns,
            principal="result" if list(self.outputs) == ["result"] else None,
            bundle=self.bundle,
            join=self.run_options.join,
        )

    def _node(self, common: dict[str, Any], mapped: tuple[str, ...]) -> Node:
        return StepNode(
            uses=self.uses,
            map=mapped,
            inputs={name: types.text(port.annotation) for name, port in self.inputs.items()},
            outputs={name: types.text(found) for name, found in self.outputs.items()},
            bundle=self.bundle,
            options=self.run_options,
            **common,
        )

    def invoke(self, inputs: Mapping[str, Any], *, literals: Collection[str] = ()) -> R:
        """Call the function with inputs by name. `literals` are those that came as JSON: they get
        the Python form that their annotation asks for (a Path, an Enum member, a tuple)."""
        values = {
            name: revive(value, self.inputs[name].annotation) if name in literals else value
            for name, value in inputs.items()
        }
        by_place = [values.pop(n) for n in positional_only(self.function) if n in values]
        return cast("Callable[..., R]", self.function)(*by_place, **values)

    def split(self, value: R) -> dict[str, object]:
        """Return the outputs by name. Raises DefinitionError when `value` has another shape than
        the annotation says."""
        return split(value, self.returns, title=f"step `{self.__name__}`", where=self.where)


def load_step(uses: str, *, where: str = "") -> StepDefinition[..., Any]:
    """Return the step that "module:name" names. Raises DefinitionError."""
    return load(uses, StepDefinition, "step", where=where)


@overload
def step(function: Callable[P, R], /) -> StepDefinition[P, R]: ...
@overload
def step(
    **given: Unpack[StepOptions],
) -> Callable[[Callable[P, R]], StepDefinition[P, R]]: ...
def step(function: Any = None, /, **given: Any) -> Any:
    """Make a function a step: `@step` or `@step(cpus=2, retries=2, timeout="30m")`.

    Raises DefinitionError for a wrong option, or for what can't be a step.
    """
    where = location()
    rest = dict(given)
    name = rest.pop("name", None)
    if name is not None:
        options.check_name(name, "a step", where=where)
    options.refuse_unknown(rest, (*options.OPTION_NAMES, "name"), "option", where=where)
    run_options = options.read(rest, where=where)

    def wrap(target: Callable[..., Any]) -> StepDefinition[..., Any]:
        made = StepDefinition(target, run_options, SiteWish(), where=where)
        if name is not None:
            made.__name__ = name
        return made

    return wrap if function is None else wrap(function)
