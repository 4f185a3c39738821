"""YAML text to located data: YAML 1.2's core types, every key and value with its line."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from typing import Any, NamedTuple, cast

from mainspring.records.errors import DefinitionError

MAX_CHARACTERS = 5_000_000
MAX_VALUES = 200_000
_MAX_DEPTH = 200

_CORE = "tag:yaml.org,2002:"
_RESOLVERS: dict[str, tuple[str, str]] = {
    "null": (r"(?:~|null|Null|NULL|)", "~nN\0"),
    "bool": (r"(?:true|True|TRUE|false|False|FALSE)", "tTfF"),
    "int": (r"(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)", "-+0123456789"),
    "float": (
        r"(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
        r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))",
        "-+.0123456789",
    ),
}


class Item(NamedTuple):
    """A value with its line and path: a dict of items, a list of items, or a scalar."""

    value: Any
    line: int
    path: str

    @property
    def table(self) -> dict[str, Item] | None:
        """The mapping that it is, or None."""
        found: object = self.value
        return cast("dict[str, Item]", found) if isinstance(found, dict) else None

    @property
    def items(self) -> list[Item] | None:
        """The list that it is, or None."""
        found: object = self.value
        return cast("list[Item]", found) if isinstance(found, list) else None


def plain(item: Item) -> Any:
    """Return the data of an item without places."""
    if item.table is not None:
        return {key: plain(inner) for key, inner in item.table.items()}
    if item.items is not None:
        return [plain(inner) for inner in item.items]
    return item.value


@functools.cache
def resolvers() -> list[tuple[str, re.Pattern[str], list[str]]]:
    """Return the implicit types of YAML 1.2's core schema: tag, pattern, first characters."""
    return [
        (
            _CORE + name,
            re.compile(rf"{pattern}\Z"),
            ["" if first == "\0" else first for first in firsts],
        )
        for name, (pattern, firsts) in _RESOLVERS.items()
    ]


@functools.cache
def _loader() -> Any:
    import yaml

    class Loader(yaml.SafeLoader):
        """PyYAML's parser with YAML 1.2's types: `on`, `yes`, 012 and dates are what they look."""

        yaml_implicit_resolvers: Any = {}

    loader: Any = Loader
    for tag, pattern, firsts in resolvers():
        loader.add_implicit_resolver(tag, pattern, firsts)
    return loader


def parse(text: str, name: str) -> Item:
    """Return the one document in a text. Raises DefinitionError; `name` is the file's."""
    import yaml

    if len(text) > MAX_CHARACTERS:
        raise DefinitionError(f"the file has more than {MAX_CHARACTERS:,} characters", where=name)
    try:
        root = yaml.compose(text, Loader=_loader())
    except yaml.MarkedYAMLError as error:
        raise _syntax(error, name) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, _position(text, error)) + 1
        raise DefinitionError(
            f"the character U+{_code(error):04X} is not allowed in YAML", where=f"{name}:{line}"
        ) from None
    except RecursionError:
        raise DefinitionError("the file is nested too deeply", where=name) from None
    if root is None:
        raise DefinitionError(
            "the file is empty", where=name, hint="begin with `pipeline: NAME` and `steps:`"
        )
    return _Walk(name).item(root, "", 0)


def _code(error: Any) -> int:
    return error.character if isinstance(error.character, int) else ord(error.character)


def _position(text: str, error: Any) -> int:
    # PyYAML counts from the start of its buffer, which is the whole text here.
    return min(int(error.position), len(text))


def _syntax(error: Any, name: str) -> DefinitionError:
    mark = error.problem_mark or error.context_mark
    where = name if mark is None else f"{name}:{mark.line + 1}"
    problem = str(error.problem or error.context or "not YAML")
    if "\\t" in problem:
        return DefinitionError("a tab is used for indentation", where=where, hint="use spaces")
    if "but found another document" in problem:
        return DefinitionError("there is more than one document", where=where, hint="remove `---`")
    return DefinitionError(f"this is not YAML: {problem}", where=where)


class _Walk:
    """Turns PyYAML's nodes into items; aliases are followed, within a bound on what they make."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._count = 0
        self._open: set[int] = set()

    def item(self, node: Any, path: str, depth: int) -> Item:
        line = node.start_mark.line + 1
        self._count += 1
        if self._count > MAX_VALUES:
            what = f"the file has more than {MAX_VALUES:,} values, counting what aliases repeat"
            raise DefinitionError(what, where=self._name)
        if id(node) in self._open or depth > _MAX_DEPTH:
            what = "an alias contains itself" if id(node) in self._open else "nested too deeply"
            raise self._bad(what, line, path)
        self._open.add(id(node))
        try:
            return Item(self._value(node, path, line, depth), line, path)
        finally:
            self._open.discard(id(node))

    def _bad(self, what: str, line: int, path: str, hint: str | None = None) -> DefinitionError:
        shown = f"`{path}`: {what}" if path else what
        return DefinitionError(shown, where=f"{self._name}:{line}", hint=hint)

    def _check_text(self, text: str, line: int, path: str) -> None:
        if not text.isascii():
            try:
                text.encode()
            except UnicodeEncodeError:
                what = "a text has half of a surrogate pair, which is no character"
                raise self._bad(
                    what, line, path, "write the character itself, or \\U and 8 digits"
                ) from None

    def _value(self, node: Any, path: str, line: int, depth: int) -> Any:
        kind = str(node.tag).removeprefix(_CORE)
        value: object = node.value
        if kind == "map" and isinstance(value, list):
            return dict(self._pairs(node, path, depth))
        if kind == "seq" and isinstance(value, list):
            inner = enumerate(cast("list[Any]", value))
            return [self.item(one, f"{path}[{index}]", depth + 1) for index, one in inner]
        if isinstance(node.value, str):
            if kind == "str":
                self._check_text(node.value, line, path)
                return node.value
            if kind in _SCALARS:
                try:
                    return _SCALARS[kind](node.value)
                except (ValueError, OverflowError):
                    raise self._bad(f"`{node.value[:40]}` is no {kind}", line, path) from None
        raise self._bad(f"the tag `{node.tag}` is not allowed", line, path, "remove it")

    def _pairs(self, node: Any, path: str, depth: int) -> Iterator[tuple[str, Item]]:
        seen: dict[str, int] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            key = key_node.value
            if not isinstance(key, str) or key_node.tag != _CORE + "str":
                shown = key if isinstance(key, str) else "a list or mapping"
                raise self._bad(f"the key {shown} is not text", line, path, "put it in quotes")
            self._check_text(key, line, path)
            inner = f"{path}.{key}" if path else key
            if key in seen:
                what = f"the key is there twice, first in line {seen[key]}"
                raise self._bad(what, line, inner, "keep one")
            seen[key] = line
            found = self.item(value_node, inner, depth + 1)
            yield key, found._replace(line=line)


def _integer(text: str) -> int:
    if len(text) > 30:
        raise ValueError(text)
    value = int(text, 0) if text[:2] in ("0o", "0x") else int(text)
    if not -(2**63) <= value < 2**64:
        raise ValueError(text)
    return value


def _float(text: str) -> float:
    return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))


def _none(_: str) -> None:
    return None


def _truth(text: str) -> bool:
    return text.lower() == "true"


_SCALARS: dict[str, Any] = {"null": _none, "bool": _truth, "int": _integer, "float": _float}
