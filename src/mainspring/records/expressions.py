"""Expressions over `steps`, `parameters` and `outputs`: parsed, rewritten, evaluated; never eval.

An expression is text over a closed list (see grammar.py). In a spec it stands in a binding as
`${{ text }}`. `steps.split.x_train` names an output; a node whose name is no identifier is written
`steps['my-name']`. A node with the single output `result` is that output: `steps.train`; a key
`result` inside its value is therefore `steps.train.result.result`.
"""

from __future__ import annotations

import ast
import functools
import keyword
import re
import unicodedata
from collections.abc import Callable, Collection, Iterator
from typing import Any, NamedTuple, TypeAlias

from mainspring.records import evaluation, grammar
from mainspring.records.errors import DefinitionError
from mainspring.records.grammar import FUNCTIONS, MAX_DEPTH, MAX_NODES, ROOTS, Path, path_of

__all__ = [
    "FUNCTIONS", "GENERATED_LIMIT", "HAND_LIMIT", "MAX_DEPTH", "MAX_NODES", "ROOTS",
    "Computed", "Constant", "DictOf", "Expression", "ListOf", "Located", "Reference", "Referred",
    "Shape", "binding_of", "escape", "evaluate", "evaluate_paths", "expression_of",
    "from_tree", "is_expression", "literal_of", "locate", "parse", "reference", "references",
    "replace_paths", "rewrite", "shape",
]  # fmt: skip

HAND_LIMIT = 20_000
GENERATED_LIMIT = 5_000_000
_ESCAPED = re.compile(r"\$+\{\{")


class Reference(NamedTuple):
    """`steps.split.x_train[0]` is root "steps", name "split", path ("x_train", 0)."""

    root: str
    name: str
    path: tuple[str | int, ...] = ()


class Expression:
    """A parsed expression: `text` is canonical (equal expressions have equal texts)."""

    __slots__ = ("text", "tree")

    def __init__(self, text: str, tree: ast.expr) -> None:
        self.text = text
        self.tree = tree

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Expression) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return f"Expression({self.text!r})"


def parse(text: str, *, where: str = "", limit: int = GENERATED_LIMIT) -> Expression:
    """Return the expression that `text` says. Raises DefinitionError.

    `where` is the file:line for errors, `limit` the longest text (HAND_LIMIT for typed text).
    """
    if len(text) > limit:
        raise grammar.refusal(f"is longer than {limit:,} characters", text, where=where)
    try:
        return _parse(text)
    except DefinitionError as error:
        raise DefinitionError(error.what, where=where or None, hint=error.hint) from None


@functools.lru_cache(maxsize=16384)  # a large pipeline is read more than once, in one order
def _parse(text: str) -> Expression:
    # Line breaks come from folded YAML; inside an expression they mean a space.
    line = " ".join(text.split("\n")).strip()
    if not line:
        raise DefinitionError("an expression is empty", hint="write ${{ steps.NAME }}")
    try:
        tree = ast.parse(line, mode="eval").body
    except SyntaxError as error:
        hint = "an expression must be the whole value" if "${{" in line else None
        place = f" (column {error.offset})" if error.offset else ""
        raise grammar.refusal(f"{error.msg}{place}", line, hint=hint) from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise grammar.refusal(_unreadable(error), line.replace("\0", "\\0")) from None
    return from_tree(tree, text=line)


def _unreadable(error: Exception) -> str:
    if isinstance(error, UnicodeEncodeError):
        return "has half of a surrogate pair, which is no character"
    return "has a NUL character" if isinstance(error, ValueError) else "is nested too deeply"


def from_tree(tree: ast.expr, *, text: str | None = None, where: str = "") -> Expression:
    """Return the expression of a tree, checked against the closed list."""
    grammar.check(tree, text or "(traced)", where)
    canonical = ast.unparse(_Canonical().visit(tree))
    # Parsed again so that columns in later errors are those of the text that is shown.
    return Expression(canonical, ast.parse(canonical, mode="eval").body)


class _Canonical(ast.NodeTransformer):
    def visit(self, node: ast.AST) -> Any:
        found = path_of(node)
        return reference(found.root, found.name, *found.path) if found else super().visit(node)


def reference(root: str, name: str, *path: str | int) -> ast.expr:
    """Return the tree of `root.name.path...`, with `['...']` where that is no plain identifier."""
    tree: ast.expr = ast.Name(root, ast.Load())
    for part in (name, *path):
        if isinstance(part, str) and _is_attribute(part):
            tree = ast.Attribute(tree, part, ast.Load())
        else:
            tree = ast.Subscript(tree, ast.Constant(part), ast.Load())
    return tree


@functools.lru_cache(maxsize=4096)
def _is_attribute(name: str) -> bool:
    # Python folds identifiers to NFKC while parsing: a name that would change stays quoted.
    plain = name.isidentifier() and not name.startswith("_") and not keyword.iskeyword(name)
    return plain and unicodedata.normalize("NFKC", name) == name


def is_expression(binding: object) -> bool:
    """Say whether a binding is `${{ ... }}`, not a literal."""
    return isinstance(binding, str) and binding.startswith("${{")


def expression_of(binding: str, *, where: str = "", limit: int = GENERATED_LIMIT) -> Expression:
    """Return the expression inside `${{ }}`."""
    text = binding.rstrip()
    if not is_expression(text) or not text.endswith("}}"):
        shown = binding if len(binding) <= 80 else binding[:77] + "..."
        raise DefinitionError(
            f"`{shown}` is not `${{{{ expression }}}}`",
            where=where or None,
            hint="close it with }}; a literal text that starts with ${{ is written $${{",
        )
    return parse(text[3:-2], where=where, limit=limit)


def binding_of(expression: Expression) -> str:
    """Return `${{ text }}`."""
    return "${{ " + expression.text + " }}"


def escape(literal: Any) -> Any:
    """Return the binding of a literal: text that looks like an expression gets one more `$`."""
    return "$" + literal if isinstance(literal, str) and _ESCAPED.match(literal) else literal


def literal_of(binding: Any) -> Any:
    """Return the literal that a binding means; the inverse of `escape`, at every depth."""
    if isinstance(binding, str):
        return binding[1:] if binding.startswith("$$") and _ESCAPED.match(binding) else binding
    if isinstance(binding, list):
        return [literal_of(item) for item in binding]  # pyright: ignore[reportUnknownVariableType]
    if isinstance(binding, dict):
        return {key: literal_of(item) for key, item in binding.items()}  # pyright: ignore[reportUnknownVariableType]
    return binding


def _paths(node: ast.AST) -> Iterator[Path]:
    found = path_of(node)
    if found is not None:
        yield found
        return
    for child in grammar.children(node):
        yield from _paths(child)


def references(expression: Expression) -> tuple[Reference, ...]:
    """Return what an expression refers to, each once, in order of appearance, as far as it is
    constant: `steps.a.x[parameters.i]` refers to `steps.a.x` and to `parameters.i`."""
    found = (Reference(p.root, p.name, p.path) for p in _paths(expression.tree))
    return tuple(dict.fromkeys(found))


Replace: TypeAlias = Callable[[str, str], Expression | None]
ReplacePath: TypeAlias = Callable[[Reference], "ast.expr | None"]


def rewrite(expression: Expression, replace: Replace) -> Expression:
    """Return the expression with each `root.name` replaced by `replace(root, name)` (None: kept).

    What followed the name is applied to what took its place.
    """

    def path(found: Reference) -> ast.expr | None:
        new = replace(found.root, found.name)
        return None if new is None else extend(new.tree, found.path)

    return replace_paths(expression, path)


def replace_paths(expression: Expression, replace: ReplacePath) -> Expression:
    """Return the expression with each whole reference replaced (None: kept)."""
    return from_tree(_Rewriter(replace).visit(expression.tree))


class _Rewriter(ast.NodeTransformer):
    def __init__(self, replace: ReplacePath) -> None:
        self._replace = replace

    def visit(self, node: ast.AST) -> Any:
        found = path_of(node)
        if found is None:
            return self._copy(node)
        return self._replace(Reference(found.root, found.name, found.path)) or node

    def _copy(self, node: ast.AST) -> ast.AST:
        """Rebuild a node: cached trees are shared and must never change."""
        fields = {name: self._field(value) for name, value in ast.iter_fields(node)}
        return type(node)(**fields)

    def _field(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._field(item) for item in value]  # pyright: ignore[reportUnknownVariableType]
        if isinstance(
            value, ast.expr_context | ast.operator | ast.cmpop | ast.boolop | ast.unaryop
        ):
            return value
        return self.visit(value) if isinstance(value, ast.AST) else value


def extend(tree: ast.expr, path: tuple[str | int, ...]) -> ast.expr:
    """Return the tree of `tree.path...`; a constant part of a display is taken at once."""
    for part in path:
        inside = _pick(tree, part)
        if inside is not None:
            tree = inside
        elif isinstance(part, str) and _is_attribute(part):
            tree = ast.Attribute(tree, part, ast.Load())
        else:
            tree = ast.Subscript(tree, ast.Constant(part), ast.Load())
    return tree


def _pick(tree: ast.expr, part: str | int) -> ast.expr | None:
    if isinstance(tree, ast.List | ast.Tuple) and isinstance(part, int):
        return tree.elts[part] if -len(tree.elts) <= part < len(tree.elts) else None
    if isinstance(tree, ast.Dict) and isinstance(part, str):
        for key, value in zip(tree.keys, tree.values, strict=True):
            if isinstance(key, ast.Constant) and key.value == part:
                return value
    return None


Lookup: TypeAlias = Callable[[str, str], Any]
Resolve: TypeAlias = Callable[[Reference], Any]


def evaluate(expression: Expression, lookup: Lookup, *, where: str = "") -> Any:
    """Return the value: `lookup(root, name)` gives plain data, into which paths then lead.

    An attribute of a mapping is its key. Raises DefinitionError with the place of a fault.
    """

    def resolve(found: Path) -> Any:
        value = lookup(found.root, found.name)
        for key in found.path:
            value = evaluation.step_into(value, key)
        return value

    return evaluation.compute(expression.tree, expression.text, resolve, where)


def evaluate_paths(expression: Expression, resolve: Resolve, *, where: str = "") -> Any:
    """Return the value when the caller follows whole references itself (see `locate`)."""

    def follow(found: Path) -> Any:
        return resolve(Reference(found.root, found.name, found.path))

    return evaluation.compute(expression.tree, expression.text, follow, where)


class Referred(NamedTuple):
    """The expression is one reference: what it names can be passed on without reading it."""

    reference: Reference


class Constant(NamedTuple):
    """The expression is a JSON value."""

    value: Any


class ListOf(NamedTuple):
    """A list display (or tuple display) of shapes."""

    items: tuple[Shape, ...]
    is_tuple: bool = False


class DictOf(NamedTuple):
    """A dict display with constant text keys."""

    items: dict[str, Shape]


class Computed(NamedTuple):
    """The expression must be evaluated on values."""

    expression: Expression


Shape: TypeAlias = "Referred | Constant | ListOf | DictOf | Computed"


def shape(expression: Expression) -> Shape:
    """Say how an expression is made, so that references are passed on without being read."""
    return _shape(expression.tree)


def _shape(tree: ast.expr) -> Shape:
    found = path_of(tree)
    if found is not None:
        return Referred(Reference(found.root, found.name, found.path))
    if isinstance(tree, ast.Constant):
        return Constant(tree.value)
    if isinstance(tree, ast.List | ast.Tuple):
        return ListOf(tuple(_shape(item) for item in tree.elts), isinstance(tree, ast.Tuple))
    if isinstance(tree, ast.Dict):
        keys = [key.value if isinstance(key, ast.Constant) else None for key in tree.keys]
        if all(isinstance(key, str) for key in keys):
            values = (_shape(value) for value in tree.values)
            return DictOf(dict(zip((str(key) for key in keys), values, strict=True)))
    return Computed(Expression(ast.unparse(tree), tree))


class Located(NamedTuple):
    """Where a reference leads in a node: `output` None is all of them as one value; `element` is
    the index of one element of a mapped node; `rest` is the path inside the value."""

    output: str | None
    element: int | None
    rest: tuple[str | int, ...]


def locate(
    path: tuple[str | int, ...], outputs: Collection[str], *, mapped: bool = False
) -> Located:
    """Split a reference's path by a node's outputs (in order).

    In a mapped node an integer means an element, before or after the output's name; in any other
    node an integer means the n-th output of several. A node whose single output is `result` is
    that output.
    """
    element: int | None = None
    if mapped and path and isinstance(path[0], int):
        element, path = path[0], path[1:]
    output, path = _output(path, list(outputs), mapped and element is None)
    if mapped and element is None and output is not None and path and isinstance(path[0], int):
        element, path = path[0], path[1:]
    return Located(output, element, path)


def _output(
    path: tuple[str | int, ...], outputs: list[str], by_name: bool
) -> tuple[str | None, tuple[str | int, ...]]:
    if path and isinstance(path[0], str) and path[0] in outputs:
        return path[0], path[1:]
    if outputs == ["result"]:
        return "result", path
    if (
        path
        and isinstance(path[0], int)
        and not by_name
        and -len(outputs) <= path[0] < len(outputs)
    ):
        return outputs[path[0]], path[1:]
    return None, path
