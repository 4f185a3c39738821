"""Type annotations: resolved without failing, written as text, read from text, taken apart."""

from __future__ import annotations

import ast
import difflib
import sys
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, cast

from mainspring.definition import session
from mainspring.records import notebook
from mainspring.records.errors import DefinitionError

NoneType = type(None)


class Unresolved:
    """An annotation that can't be looked up here (under TYPE_CHECKING, say): known by its text."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Unresolved) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __or__(self, other: Any) -> Any:
        return Any

    __ror__ = __or__


def is_unknown(annotation: Any) -> bool:
    """Say whether nothing certain is known of a value so annotated."""
    return (
        annotation is Any
        or annotation is object
        or annotation is ...
        or isinstance(annotation, Unresolved | str | typing.TypeVar | typing.ForwardRef)
        or getattr(annotation, "_is_protocol", False) is True
    )


def strip(annotation: Any) -> Any:
    """Return the annotation without wrappers that say nothing of the value: Annotated, NewType."""
    while True:
        origin = typing.get_origin(annotation)
        if origin in (typing.Annotated, typing.Final, typing.Required, typing.NotRequired):
            annotation = typing.get_args(annotation)[0]
        elif hasattr(annotation, "__supertype__"):
            annotation = annotation.__supertype__
        elif annotation is None:
            return NoneType
        else:
            return annotation


def members(annotation: Any) -> tuple[Any, ...]:
    """Return the members of a union, or the annotation alone."""
    annotation = strip(annotation)
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return tuple(part for arg in typing.get_args(annotation) for part in members(arg))
    return (annotation,)


def class_of(annotation: Any) -> Any:
    """Return the class of an annotation (`list` of `list[int]`), or None when it is not one."""
    found: Any = typing.get_origin(annotation) or annotation
    return found if isinstance(found, type) else None


def inherits(kind: Any, *bases: Any) -> bool:
    """Say whether a class is one of the bases or below it; False for what is no class."""
    return isinstance(kind, type) and issubclass(kind, bases)


def union(annotations: list[Any]) -> Any:
    """Return the union of annotations; Any when one of them is unknown, or there is none."""
    if not annotations or any(is_unknown(item) for item in annotations):
        return Any
    unique: list[Any] = []
    for item in annotations:
        if item not in unique:
            unique.append(item)
    return typing.Union[tuple(unique)] if len(unique) > 1 else unique[0]  # noqa: UP007


def resolve(annotations: Mapping[str, Any], names: Mapping[str, Any]) -> dict[str, Any]:
    """Return the annotations with text evaluated in `names`, one by one: none can fail another."""
    return {key: _resolved(value, names) for key, value in annotations.items()}


def _resolved(annotation: Any, names: Mapping[str, Any]) -> Any:
    if annotation is None:
        return NoneType
    holder = types.SimpleNamespace(__annotations__={"it": annotation})
    try:
        found = typing.get_type_hints(cast(Any, holder), dict(names), {}, include_extras=True)["it"]
    except Exception:
        return Unresolved(annotation) if isinstance(annotation, str) else Any
    return found


def function_hints(function: Callable[..., Any]) -> dict[str, Any]:
    """Return a function's annotations, resolved in its module."""
    inner = unwrap(function)
    names = getattr(inner, "__globals__", {})
    found = resolve(getattr(inner, "__annotations__", {}), names)
    if getattr(inner, "__module__", None) == "__main__":
        found = {key: _present(value, names) for key, value in found.items()}
    return found


def _present(annotation: Any, names: Mapping[str, Any]) -> Any:
    """An annotation with the classes of a notebook as they are now: a cell that defines one may
    have been run again after the cell with the function."""
    if isinstance(annotation, type) and getattr(annotation, "__module__", "") == "__main__":
        found = names.get(annotation.__name__)
        same = isinstance(found, type) and found.__qualname__ == annotation.__qualname__
        return found if same else annotation
    args = typing.get_args(annotation)
    present = tuple(_present(arg, names) for arg in args)
    if present == args:
        return annotation
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union:
        return typing.Union[present]  # noqa: UP007
    if isinstance(annotation, types.GenericAlias):
        return types.GenericAlias(typing.get_origin(annotation), present)
    return annotation


def unwrap(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the innermost function behind decorators that used functools.wraps."""
    for _ in range(100):
        inner = getattr(function, "__wrapped__", None)
        if inner is None:
            break
        function = inner
    return function


def fields_of(annotation: Any) -> dict[str, Any] | None:
    """Return the named parts of a dataclass, NamedTuple or (total) TypedDict; else None.

    A part whose name starts with `_` can't be addressed: such a class counts as one value.
    """
    found = _fields(class_of(annotation))
    return found if found and not any(name.startswith("_") for name in found) else None


def _fields(kind: Any) -> dict[str, Any] | None:
    if kind is None:
        return None
    if typing.is_typeddict(kind):
        if getattr(kind, "__optional_keys__", ()):
            return None
        names = list(kind.__annotations__)
    elif "__dataclass_fields__" in kind.__dict__:
        # A field's own marker tells it from ClassVar and InitVar, without importing dataclasses.
        found = cast("dict[str, Any]", kind.__dict__["__dataclass_fields__"])
        names = [n for n, field in found.items() if field._field_type.name == "_FIELD"]
    elif inherits(kind, tuple) and hasattr(kind, "_fields"):
        names = list(kind._fields)
    else:
        return None
    hints = _class_hints(kind)
    return {name: hints.get(name, Any) for name in names}


def _class_hints(kind: type) -> dict[str, Any]:
    hints: dict[str, Any] = {}
    for base in reversed(kind.__mro__):
        module = sys.modules.get(base.__module__)
        own = vars(base).get("__annotations__", {})  # inspect would cost 12 ms to import
        hints.update(resolve(own, vars(module or types)))
    return hints


def tuple_parts(annotation: Any) -> list[Any] | None:
    """Return A, B, ... of `tuple[A, B, ...]` of a fixed length above zero; else None."""
    if typing.get_origin(annotation) is not tuple:
        return None
    args = typing.get_args(annotation)
    return None if not args or args[-1] is ... or args == ((),) else list(args)


def module_of(thing: Any) -> str:
    """Return the module that a class or function can be imported from.

    A script run as a program is `__main__` now, but its file's name when a worker imports it; what
    a notebook's cell defines gets a module of its own.
    """
    name = getattr(thing, "__module__", None) or ""
    if name != "__main__":
        return name
    main = sys.modules.get("__main__")
    if session.notebook() is not None:
        return notebook.module_of(thing.__qualname__.partition(".")[0])
    spec = getattr(main, "__spec__", None)
    if spec is not None:
        return spec.name
    file: str = getattr(main, "__file__", None) or ""
    base = file.replace("\\", "/").rsplit("/", 1)[-1]
    return base.removesuffix(".py") if base.endswith(".py") else name


_BUILTIN = {
    kind.__name__: kind
    for kind in (bool, int, float, complex, str, bytes, list, tuple, dict, set, frozenset, object)
}


def text(annotation: Any) -> str:
    """Return an annotation as canonical text: `float`, `list[str]`, `numpy.ndarray`, `any`."""
    annotation = strip(annotation)
    if isinstance(annotation, Unresolved):
        return annotation.text
    if annotation is Any or isinstance(annotation, typing.TypeVar | str | typing.ForwardRef):
        return "any"
    if annotation is NoneType:
        return "None"
    parts = members(annotation)
    if len(parts) > 1:
        return " | ".join(text(part) for part in parts)
    origin = typing.get_origin(annotation)
    if origin is typing.Literal:
        values = (getattr(v, "value", v) for v in typing.get_args(annotation))
        return f"Literal[{', '.join(repr(value) for value in values)}]"
    if isinstance(origin, type):
        return _generic(origin, typing.get_args(annotation))
    if isinstance(annotation, type):
        return _class(annotation)
    return "any"


def _class(kind: type) -> str:
    if kind.__module__ == "builtins":
        return kind.__qualname__
    if kind.__module__.startswith("pathlib") and kind.__name__ == "Path":
        return "pathlib.Path"
    if kind.__module__ == "mainspring.definition.sources":
        return f"mainspring.{kind.__name__}"  # under its public name
    return f"{module_of(kind)}.{kind.__qualname__}"


def _generic(origin: type, args: tuple[Any, ...]) -> str:
    plain = origin.__module__ in ("builtins", "collections.abc") and origin is not type
    if not args or not plain or origin.__name__ == "Callable":
        return _class(origin)
    shown = ("..." if arg is ... else text(arg) for arg in args)
    return f"{_class(origin)}[{', '.join(shown)}]"


def read(source: str, *, where: str = "") -> Any:
    """Return the annotation of a type text. Names of modules that are not loaded stay unresolved.

    Raises DefinitionError for what is no type, or looks like a misspelt one.
    """
    try:
        return _annotation(ast.parse(source.strip(), mode="eval").body, source, where)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise _no_type(source, where) from None


def _annotation(node: ast.expr, source: str, where: str) -> Any:
    if isinstance(node, ast.Constant) and node.value in (None, ...):
        return NoneType if node.value is None else ...
    if isinstance(node, ast.Name):
        return _named(node.id, source, where)
    if isinstance(node, ast.Attribute):
        return _dotted(ast.unparse(node))
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        sides = [_annotation(side, source, where) for side in (node.left, node.right)]
        return Any if Any in sides else union(sides)
    if isinstance(node, ast.Subscript):
        return _subscripted(node, source, where)
    raise _no_type(source, where)


def _subscripted(node: ast.Subscript, source: str, where: str) -> Any:
    inner = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    if ast.unparse(node.value) == "Literal":
        values = tuple(ast.literal_eval(item) for item in inner)
        return typing.Literal[values]
    base = _annotation(node.value, source, where)
    args = tuple(_annotation(item, source, where) for item in inner)
    if not isinstance(base, type) or not hasattr(base, "__class_getitem__"):
        return Unresolved(source.strip())
    return types.GenericAlias(base, args)


def _named(name: str, source: str, where: str) -> Any:
    if name == "any":
        return Any
    if name in _BUILTIN:
        return _BUILTIN[name]
    alike = [known for known in (*_BUILTIN, "any") if abs(len(known) - len(name)) <= 1]
    near = difflib.get_close_matches(name.lower(), alike, 1)
    if near:
        raise DefinitionError(
            f"unknown type `{source}`", where=where or None, hint=f"did you mean `{near[0]}`?"
        )
    return Unresolved(name)


def _dotted(name: str) -> Any:
    if name == "pathlib.Path":
        import pathlib

        return pathlib.Path
    module, _, rest = name.rpartition(".")
    found = getattr(sys.modules.get(module), rest, None)
    return found if isinstance(found, type) else Unresolved(name)


def _no_type(source: str, where: str) -> DefinitionError:
    shown = source if len(source) <= 80 else source[:77] + "..."
    return DefinitionError(
        f"`{shown}` is not a type",
        where=where or None,
        hint="write bool, int, float, str, list[...], dict[str, ...], or module.Class",
    )
