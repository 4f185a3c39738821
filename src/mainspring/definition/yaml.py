"""Pipelines in YAML: read through the same graph, and so the same checks, as Python's."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, cast

from mainspring.definition import checkpoint, command, container, literals, options, schema, types
from mainspring.definition.bundles import load_class
from mainspring.definition.calling import SiteWish
from mainspring.definition.locations import at
from mainspring.definition.nodes import Callee, Port, Site
from mainspring.definition.notebook import load_used
from mainspring.definition.pipeline import group, load_pipeline
from mainspring.definition.repeat import read, repeated
from mainspring.definition.tracing import Graph, Traced
from mainspring.definition.yaml_syntax import Item, parse, plain
from mainspring.definition.yaml_writer import dump
from mainspring.records.errors import DefinitionError
from mainspring.records.expressions import (
    HAND_LIMIT,
    Expression,
    expression_of,
    from_tree,
    is_expression,
    literal_of,
    references,
)
from mainspring.records.spec import FORMAT, PipelineSpec

__all__ = ["dump", "load", "trace"]

OPTION_KEYS = tuple(name for name in options.OPTION_NAMES if name not in ("cpus", "gpus", "memory"))
_MISSING = Item(None, 0, "")


def load(source: Path | str, *, name: str = "pipeline.yaml") -> PipelineSpec:
    """Return the pipeline of a YAML file (a Path) or text (`name` is shown in errors).

    Steps are imported: their modules must be on sys.path. Raises DefinitionError.
    """
    return trace(source, name=name).spec


def trace(source: Path | str, *, name: str = "pipeline.yaml") -> Traced:
    """Return the traced pipeline of a YAML file or text. Raises DefinitionError."""
    if isinstance(source, Path):
        name = at(str(source), 0).rpartition(":")[0]
        try:
            source = source.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            line = error.object.count(b"\n", 0, error.start) + 1
            raise DefinitionError("the file is not UTF-8", where=f"{name}:{line}") from None
        except OSError as error:
            raise DefinitionError(f"the file can't be read: {error.strerror}", where=name) from None
    return _Reader(name).pipeline(parse(source.removeprefix("\ufeff"), name))


class _Step(NamedTuple):
    """One entry under `steps:`, with its values read as far as they need no other step."""

    name: str
    item: Item
    kind: str
    given: dict[str, Any]
    when: Expression | None
    after: tuple[str, ...]
    judged: Expression | None

    def needs(self) -> Iterable[str]:
        """Yield the steps that this one comes after."""
        found = [*self.given.values(), self.when, self.judged]
        for one in found:
            if isinstance(one, Expression):
                yield from (ref.name for ref in references(one) if ref.root == "steps")
        yield from self.after


class _Reader:
    def __init__(self, file: str) -> None:
        self._file = file

    # -- shapes

    def _where(self, item: Item) -> str:
        return f"{self._file}:{item.line}"

    def _bad(self, item: Item, what: str, hint: str | None = None) -> DefinitionError:
        shown = f"`{item.path}`: {what}" if item.path else what
        return DefinitionError(shown, where=self._where(item), hint=hint)

    def _table(self, item: Item, known: Iterable[str] | None = None) -> dict[str, Item]:
        """Return a mapping, its keys known. Raises DefinitionError with the nearest key."""
        if item.table is None:
            got = "nothing" if item.value is None else repr(plain(item))[:60]
            raise self._bad(item, f"a mapping is needed, not {got}")
        for key, inner in item.table.items() if known is not None else ():
            names = list(known or ())
            if key not in names:
                error = options.unknown(key, names, "key", where="")
                raise self._bad(inner._replace(path=item.path), error.what, error.hint)
        return item.table

    def _text(self, item: Item) -> str:
        if isinstance(item.value, str):
            return item.value
        raise self._bad(item, f"text is needed, not {plain(item)!r}"[:120])

    def _texts(self, item: Item) -> list[str]:
        """Return a list of texts; one text counts as a list of one."""
        if isinstance(item.value, str):
            return [item.value]
        if item.items is None:
            raise self._bad(item, "a list of names is needed")
        return [self._text(inner) for inner in item.items]

    # -- values

    def _expression(self, item: Item) -> Expression:
        text = self._text(item)
        if not is_expression(text):
            raise self._bad(item, f"`{text[:60]}` is no expression", "write ${{ ... }}")
        return expression_of(text, where=self._where(item), limit=HAND_LIMIT)

    def _given(self, item: Item) -> Any:
        """Return an expression (also for a list or mapping with some inside), or plain data."""
        if is_expression(item.value):
            return self._expression(item)
        if not self._has_expression(item):
            return literal_of(plain(item))
        return from_tree(self._display(item), where=self._where(item))

    def _has_expression(self, item: Item) -> bool:
        if isinstance(item.value, str):
            if "${{" in item.value and not item.value.startswith(("${{", "$$")):
                raise self._bad(
                    item, "an expression must be the whole value",
                    "write ${{ 'text' + str(...) }}, or ${{ 'text' }} for text with ${{ in it",
                )  # fmt: skip
            return is_expression(item.value)
        inner = list(item.table.values()) if item.table is not None else item.items or []
        return any([self._has_expression(one) for one in inner])

    def _display(self, item: Item) -> ast.expr:
        if is_expression(item.value):
            return self._expression(item).tree
        if item.table is not None:
            keys: list[ast.expr | None] = [ast.Constant(key) for key in item.table]
            return ast.Dict(keys, [self._display(one) for one in item.table.values()])
        if item.items is not None:
            return ast.List([self._display(one) for one in item.items], ast.Load())
        return literals.tree_of(literal_of(item.value))

    # -- a pipeline

    def pipeline(self, item: Item) -> Traced:
        """Return the traced pipeline that a mapping says."""
        if item.table is not None and "format" in item.table:
            self._check_format(item.table["format"])
        table = self._table(item, schema.keys_of(schema.Pipeline))
        if "pipeline" not in table:
            raise self._bad(item, "`pipeline: NAME` is missing")
        ports = self._parameters(table.get("parameters", _MISSING))
        graph = Graph(self._text(table["pipeline"]), ports, where=self._where(item))
        steps = self._steps(table.get("steps", _MISSING))
        with graph:
            for one in self._ordered(steps):
                self._place(graph, one)
        outputs = table.get("outputs", _MISSING)
        returned = {} if outputs is _MISSING else self._table(outputs)
        made = {key: self._given(value) for key, value in returned.items()}
        bundle = self._bundle(table.get("bundle"), list(made))
        doc = self._text(table["doc"]) if "doc" in table else ""
        places = {key: self._where(value) for key, value in returned.items()}
        return graph.finish(made, bundle=bundle[0], whole=bundle[1], doc=doc, places=places)

    def _check_format(self, item: Item) -> None:
        if item.value != FORMAT:
            raise DefinitionError(
                f"the file has the format {item.value!r}, this version reads {FORMAT!r}",
                where=self._where(item),
                hint="use the version of Mainspring that wrote it, or write the file again",
            )

    def _bundle(self, item: Item | None, outputs: list[str]) -> tuple[str | None, Any]:
        if item is None or item.value is None:
            return None, Any
        text = self._text(item)
        if text == "tuple":
            if outputs != [str(index) for index in range(len(outputs))]:
                raise self._bad(item, "a tuple's outputs are named 0, 1, 2, ...")
            return text, tuple
        if text == "dict":
            return text, dict
        kind = load_class(text, where=self._where(item))
        named = types.fields_of(kind)
        if named is None or set(named) != set(outputs):
            raise self._bad(item, f"the outputs are not the fields of `{text}`")
        return text, kind

    def _parameters(self, item: Item) -> dict[str, Port]:
        if item is _MISSING or item.value is None:
            return {}
        return {key: self._parameter(key, one) for key, one in self._table(item).items()}

    def _parameter(self, key: str, item: Item) -> Port:
        where = self._where(item)
        if not key.isidentifier() or not options.is_composed(key):
            raise self._bad(item, "a parameter's name is letters, digits and `_`")
        if len(key) > options.NAME_LIMIT:
            raise self._bad(item, f"a parameter's name has at most {options.NAME_LIMIT} characters")
        if item.table is None:
            given = plain(item)
            kind = Any if given is None else cast(Any, type(given))
            return Port(kind, False, self._default(key, given, kind, where))
        table = self._table(item, schema.keys_of(schema.Parameter))
        kind = types.read(self._text(table["type"]), where=where) if "type" in table else Any
        if "default" not in table:
            return Port(kind, True)
        where = self._where(table["default"])
        return Port(kind, False, self._default(key, plain(table["default"]), kind, where))

    def _default(self, key: str, given: Any, kind: Any, where: str) -> Any:
        return literals.default(given, kind, f"the default of parameter `{key}`", where=where)

    # -- steps

    def _steps(self, item: Item) -> dict[str, _Step]:
        if item is _MISSING or item.value is None:
            return {}
        return {key: self._step(key, one) for key, one in self._table(item).items()}

    def _step(self, name: str, item: Item) -> _Step:
        table = self._table(item)
        kinds = [key for key in schema.KINDS if key in table]
        if len(kinds) != 1:
            known = ", ".join(schema.KINDS)
            what = f"it has {' and '.join(kinds)}" if kinds else "it does not say what to run"
            near = None if kinds else self._near_kind(table)
            raise self._bad(item, what, near or f"give one of: {known}")
        kind = kinds[0]
        self._table(item, schema.keys_of(schema.KINDS[kind]))
        given = table.get("with", _MISSING)
        return _Step(
            name=name,
            item=item,
            kind=kind,
            given={} if given is _MISSING else self._with(given),
            when=self._expression(table["when"]) if "when" in table else None,
            after=tuple(self._texts(table["after"])) if "after" in table else (),
            judged=self._expression(table["checkpoint"]) if kind == "checkpoint" else None,
        )

    def _near_kind(self, table: Mapping[str, Item]) -> str | None:
        for key in table:
            hint = options.unknown(key, list(schema.KINDS), "key", where="").hint
            if hint is not None and hint.startswith("did you mean"):
                return hint
        return None

    def _with(self, item: Item) -> dict[str, Any]:
        return {key: self._given(value) for key, value in self._table(item).items()}

    def _ordered(self, steps: Mapping[str, _Step]) -> list[_Step]:
        """Return the steps, each after those that it needs; else in the order of the file."""
        done: dict[str, _Step] = {}
        for first in steps:
            # Those begun and what each still needs: a stack of our own, as chains may be long.
            path = {} if first in done else {first: iter(steps[first].needs())}
            while path:
                name = next(reversed(path))
                other = next(path[name], None)
                if other is None:
                    del path[name]
                    done[name] = steps[name]
                elif other in path:
                    raise self._circle(steps[other], list(path))
                elif other in steps and other not in done:
                    path[other] = iter(steps[other].needs())
        return list(done.values())

    def _circle(self, step: _Step, path: list[str]) -> DefinitionError:
        circle = [*path[path.index(step.name) :], step.name]
        if len(circle) > 12:
            circle[6:-6] = ["..."]
        return self._bad(step.item, f"steps go round in a circle: {' -> '.join(circle)}")

    def _place(self, graph: Graph, one: _Step) -> None:
        table = self._table(one.item)
        where = self._where(one.item)
        inner = table["with"].table or {} if "with" in table else {}
        places = {key: self._where(value) for key, value in inner.items()}
        if "when" in table:
            places["when"] = self._where(table["when"])
        site = Site(one.name, one.when, one.after, self._mapped(one, table), places)
        if one.kind == "checkpoint":
            checkpoint.add(
                graph, one.name, one.judged, site, where=where,
                kind=plain(table.get("kind", Item("model", 0, ""))),
                on_fail=plain(table.get("on_fail", Item("stop", 0, ""))),
            )  # fmt: skip
            return
        graph.place(self._callee(one, table), one.given, site, where=where)

    def _callee(self, one: _Step, table: Mapping[str, Item]) -> Callee:
        if one.kind == "uses":
            return self._function(one, table)
        if one.kind == "run":
            return self._program(one, table)
        if one.kind == "pipeline":
            return group(one.name, self._body(table["pipeline"]))
        return self._rounds(one, table)

    def _mapped(self, one: _Step, table: Mapping[str, Item]) -> tuple[str, ...]:
        names = self._texts(table["map"]) if "map" in table else []
        for name in names:
            if name not in one.given:
                error = options.unknown(name, list(one.given), "input", where="")
                raise self._bad(table["map"], error.what + " (not in `with`)", error.hint)
        return tuple(names)

    def _options(self, table: Mapping[str, Item]) -> dict[str, Any]:
        """Return the options that a step's mapping gives, under their Python names."""
        found = {key: plain(table[key]) for key in OPTION_KEYS if key in table}
        if "resources" in table:
            given = {k: plain(v) for k, v in self._table(table["resources"]).items()}
            own = {key: given.pop(key) for key in ("cpus", "gpus", "memory") if key in given}
            found.pop("resources")
            found.update(own, **({"resources": given} if given else {}))
        return found

    def _function(self, one: _Step, table: Mapping[str, Item]) -> Callee:
        uses = table["uses"]
        definition = load_used(self._text(uses), name=one.name, where=self._where(uses))
        read_options = options.read(
            self._options(table), base=definition.run_options, where=self._where(one.item)
        )
        return definition.with_options(read_options).callee()

    def _program(self, one: _Step, table: Mapping[str, Item]) -> Callee:
        where = self._where(one.item)
        return command.define(
            self._text(table["run"]),
            self._command_inputs(table.get("inputs")),
            {k: self._text(v) for k, v in self._table(table["outputs"]).items()}
            if "outputs" in table
            else {},
            self._texts(table["files"]) if "files" in table else [],
            shell=bool(plain(table["shell"])) if "shell" in table else False,
            name=one.name,
            where=where,
            run_options=options.read(self._options(table), where=where),
            wish=SiteWish(),
            image=container.check_image(self._text(table["image"]), where)
            if "image" in table
            else "",
            network=container.check_network(
                plain(table["network"]) if "network" in table else False, "image" in table, where
            ),
        ).callee()

    def _command_inputs(self, item: Item | None) -> dict[str, Any] | None:
        if item is None:
            return None
        return {
            key: types.read(self._text(one), where=self._where(one))
            for key, one in self._table(item).items()
        }

    def _body(self, item: Item) -> Traced:
        if isinstance(item.value, str):
            return load_pipeline(item.value, where=self._where(item)).traced
        return self.pipeline(item)

    def _rounds(self, one: _Step, table: Mapping[str, Item]) -> Callee:
        item = table["repeat"]
        inner = self._table(item, schema.keys_of(schema.Rounds))
        for key in ("pipeline", "until"):
            if key not in inner:
                raise self._bad(item, f"`{key}` is missing")
        traced = self._body(inner["pipeline"])
        carry = plain(inner["carry"]) if "carry" in inner else None
        if carry is not None:
            carry = {k: self._text(v) for k, v in self._table(inner["carry"]).items()}
        rounds = read(
            traced.spec.name,
            traced,
            self._expression(inner["until"]),
            plain(inner["max"]) if "max" in inner else 5,
            carry,
            plain(inner["exhausted"]) if "exhausted" in inner else "continue",
            where=self._where(item),
        )
        return repeated(one.name, traced, rounds)
