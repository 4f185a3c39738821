"""`@pipeline`: a function that is run once, with handles for its parameters, to trace the graph."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from importlib import import_module
from types import FunctionType
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    Generic,
    ParamSpec,
    TypeVar,
    Unpack,
    cast,
    overload,
)

from mainspring.definition import literals, options, types
from mainspring.definition.bundles import class_path
from mainspring.definition.calling import SiteWish, place, positional
from mainspring.definition.handles import parameter
from mainspring.definition.load import load
from mainspring.definition.locations import location, of_code
from mainspring.definition.nodes import Callee, Port
from mainspring.definition.signatures import checked, ports_of
from mainspring.definition.sources import Sourced
from mainspring.definition.tracing import Graph, Traced, current
from mainspring.definition.values import Symbol, given, graph_of, has_symbol, raw_tree
from mainspring.records.errors import DefinitionError
from mainspring.records.grammar import path_of
from mainspring.records.sources import wanted_of
from mainspring.records.spec import GroupNode, Node, PipelineSpec

if TYPE_CHECKING:
    from typing import Protocol, TypedDict

    R_co = TypeVar("R_co", covariant=True)

    class Started(Protocol[R_co]):
        """A run, as `Pipeline.run` returns it (mainspring.Run)."""

        @property
        def id(self) -> str: ...
        @property
        def result(self) -> R_co: ...

    class Planned(Protocol):
        """A plan, as `Pipeline.plan` returns it."""

        @property
        def tasks(self) -> dict[str, Any]: ...

    class PlaceOptions(TypedDict, total=False):
        """What `.options(...)` of a pipeline takes."""

        name: str
        when: Any
        after: Any


P = ParamSpec("P")
R = TypeVar("R")


class Pipeline(Generic[P, R]):
    """A pipeline; called inside another one it becomes a group of that one's graph."""

    # The one seam to the layer above: `run` calls `runner(pipeline, parameters)`, by default
    # mainspring.app.api.run_pipeline, found by name because this layer may not import that one.
    runner: ClassVar[Callable[[Any, dict[str, Any]], Any] | None] = None

    __name__: str
    __qualname__: str

    def __init__(self, function: Callable[P, R], name: str, wish: SiteWish, *, where: str) -> None:
        self._inner: FunctionType = checked(function, "pipeline", where=where)
        functools.update_wrapper(self, function)
        self.function = function
        self.name = options.check_name(name, "a pipeline", where=where)
        self._wish = wish
        self._tracing = False
        self.wanted: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"<pipeline {self.name}>"

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        graph = current()
        if graph is None:
            return self.function(*args, **kwargs)
        if self.wanted:
            raise DefinitionError(
                f"`using` chooses versions for a run, and {self.name} is called in a pipeline here",
                where=location() or None,
                hint='choose them where the run is started, or write Dataset("digits@v2")',
            )
        return place(graph, self.callee(), args, kwargs, self._wish, where=location())

    def using(
        self, *, data: Mapping[str, Any] | None = None, models: Mapping[str, Any] | None = None
    ) -> Pipeline[P, R]:
        """Return the pipeline with these versions (`{"digits": "v2"}`) of the datasets and models
        that it names without one: for `run` and `plan`. Raises DefinitionError."""
        made = self.options()
        made.wanted = {
            **self.wanted,
            **wanted_of("dataset", data or {}, location()),
            **wanted_of("model", models or {}, location()),
        }
        return made

    def _chosen(self, kwargs: dict[str, Any]) -> Pipeline[P, R]:
        """Take `data=` and `models=` out of a call's arguments, unless they are parameters."""
        names = [name for name in ("data", "models") if name not in self.parameters]
        taken = {name: kwargs.pop(name) for name in names if name in kwargs}
        return self.using(**taken) if taken else self

    def run(self, *args: P.args, **kwargs: P.kwargs) -> Started[R]:
        """Run the pipeline with these parameters and wait for it; returns the run.

        `data={"digits": "v2"}` and `models=...` are as in `using`, unless the pipeline has a
        parameter of that name."""
        chosen = self._chosen(cast("dict[str, Any]", kwargs))
        names = positional(self.callee(), args, kwargs, location())
        parameters = {**dict(zip(names, args, strict=True)), **kwargs}
        runner = Pipeline.runner or import_module("mainspring.app.api").run_pipeline
        return runner(chosen, parameters)

    def plan(self, *args: P.args, **kwargs: P.kwargs) -> Planned:
        """Return what a run with these parameters would do now, and why; nothing runs."""
        chosen = self._chosen(cast("dict[str, Any]", kwargs))
        names = positional(self.callee(), args, kwargs, location())
        parameters = {**dict(zip(names, args, strict=True)), **kwargs}
        return import_module("mainspring.app.api").plan_pipeline(chosen, parameters)

    def _repr_html_(self) -> str:
        return import_module("mainspring.interactive.shown").pipeline(self)

    @classmethod
    def forbid_runs(cls, why: str) -> None:
        """Have every `run` in this process raise DefinitionError: it only imports the module."""

        def refuse(pipeline: Pipeline[..., Any], _parameters: dict[str, Any]) -> Any:
            raise DefinitionError(
                f"{pipeline.name}.run() was reached while {why}",
                where=location(),
                hint='put it under `if __name__ == "__main__":`',
            )

        cls.runner = refuse
        Sourced.forbidden = why

    def options(self, **changes: Unpack[PlaceOptions]) -> Pipeline[P, R]:
        """Return the pipeline with a name, condition or order for a call inside another one."""
        where = location()
        rest = cast("dict[str, Any]", dict(changes))
        options.refuse_unknown(rest, SiteWish._fields, "option", where=where)
        made = Pipeline(self.function, self.name, self._wish.updated(rest), where=where)
        made.__dict__["traced"] = self.traced
        made.wanted = self.wanted
        return made

    @property
    def where(self) -> str:
        """The `file:line` of the function."""
        return of_code(self._inner.__code__)

    def renew(self) -> None:
        """Forget what was traced: what the function names was defined again."""
        for name in ("parameters", "traced"):
            self.__dict__.pop(name, None)

    @functools.cached_property
    def parameters(self) -> dict[str, Port]:
        """The parameters by name, in order; defaults in their JSON form."""
        return {
            key: port
            if port.required
            else port._replace(default=self._default(key, port))
            for key, port in ports_of(self.function).items()
        }  # fmt: skip

    def _default(self, key: str, port: Port) -> Any:
        label = f"the default of parameter `{key}` of pipeline `{self.name}`"
        return literals.default(port.default, port.annotation, label, where=self.where)

    @property
    def spec(self) -> PipelineSpec:
        """The traced pipeline. Raises DefinitionError when it is wrong."""
        return self.traced.spec

    @functools.cached_property
    def traced(self) -> Traced:
        """The spec and the types of the outputs; traced once."""
        if self._tracing:
            raise DefinitionError(
                f"pipeline `{self.name}` calls itself",
                where=self.where,
                hint="use `repeat(pipeline, until=...)` to go round",
            )
        self._tracing = True
        try:
            with Graph(self.name, self.parameters, where=self.where) as graph:
                handles: dict[str, Any] = {key: parameter(graph, key) for key in self.parameters}
                returned = cast("Callable[..., Any]", self.function)(**handles)
                return _finish(graph, returned, (self.function.__doc__ or "").strip(), self.where)
        finally:
            self._tracing = False

    def callee(self) -> Callee:
        """Return what tracing needs to place a call."""
        return group(self.name, self.traced)


def group(name: str, traced: Traced) -> Callee:
    """Return a traced pipeline as something to call inside another."""

    def make(common: dict[str, Any], mapped: tuple[str, ...]) -> Node:
        assert not mapped  # there is no way to map over a pipeline
        return GroupNode(pipeline=traced.spec, **common)

    return Callee(
        kind="pipeline",
        name=name,
        make=make,
        ports=traced.ports,
        outputs=traced.outputs,
        whole=traced.whole,
        principal="result" if list(traced.outputs) == ["result"] else None,
        bundle=traced.spec.bundle,
        decides=traced.decides,
        absent=traced.absent,
        depth=traced.depth,
    )


def _finish(graph: Graph, returned: Any, doc: str, where: str) -> Traced:
    outputs, bundle, whole = _outputs(graph, returned, where)
    made = {key: given(value, where) for key, value in outputs.items()}
    return graph.finish(made, bundle=bundle, whole=whole, doc=doc)


def _outputs(graph: Graph, returned: Any, where: str) -> tuple[Mapping[str, Any], str | None, Any]:
    """Return the outputs by name, how they form one value, and the annotation of that."""
    if returned is None:
        return {}, None, None
    if isinstance(returned, Symbol):
        return _from_handle(graph, returned)
    kind = cast(Any, type(returned))
    named = types.fields_of(kind)
    if named is not None and not isinstance(returned, dict):
        values = {key: getattr(returned, key) for key in named}
        return values, class_path(kind), kind
    if isinstance(returned, tuple) and returned:
        items = cast("tuple[Any, ...]", returned)
        return {str(index): item for index, item in enumerate(items)}, "tuple", tuple
    if isinstance(returned, dict) and returned:
        table = cast("dict[str, Any]", returned)
        for key in table:
            options.check_name(key, "an output", where=where)
        return table, "dict", dict
    if isinstance(returned, list) and not has_symbol(cast(Any, returned)):
        raise DefinitionError(
            f"pipeline `{graph.name}` returns a plain list", where=where or None,
            hint="return handles: one, a tuple, a dict or a dataclass of them",
        )  # fmt: skip
    return {"result": returned}, None, Any


def _from_handle(graph: Graph, returned: Symbol) -> tuple[Mapping[str, Any], str | None, Any]:
    """A step's result with several outputs is passed on as these outputs."""
    found = path_of(raw_tree(returned))
    if (
        found is not None
        and found.root == "steps"
        and not found.path
        and graph_of(returned) is graph
    ):
        placed = graph.node(found.name, "")
        callee = placed.callee
        if callee.bundle is not None and not placed.mapped and not callee.principal:
            parts = {key: cast(Any, returned)[key] for key in callee.outputs}
            return parts, callee.bundle, callee.whole
    return {"result": returned}, None, Any


def load_pipeline(uses: str, *, where: str = "") -> Pipeline[..., Any]:
    """Return the pipeline that "module:name" names. Raises DefinitionError."""
    return load(uses, Pipeline, "pipeline", where=where)


@overload
def pipeline(function: Callable[P, R], /) -> Pipeline[P, R]: ...
@overload
def pipeline(*, name: str | None = None) -> Callable[[Callable[P, R]], Pipeline[P, R]]: ...
def pipeline(function: Any = None, /, *, name: str | None = None) -> Any:
    """Make a function a pipeline: `@pipeline` or `@pipeline(name="digits")`.

    Raises DefinitionError for what can't be a pipeline; the graph is traced when it is first asked
    for.
    """
    where = location()

    def wrap(target: Callable[..., Any]) -> Pipeline[..., Any]:
        title = name or getattr(target, "__name__", "pipeline")
        return Pipeline(target, title, SiteWish(), where=where)

    return wrap if function is None else wrap(function)
