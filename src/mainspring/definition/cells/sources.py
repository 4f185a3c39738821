"""The source of what a notebook's cells define: found by the code object, or by the name."""

from __future__ import annotations

import ast
import linecache
from collections.abc import Iterator
from functools import cached_property
from types import CodeType, FunctionType
from typing import Any, NamedTuple, cast

from mainspring.definition import session

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
_MAGICS = frozenset({"time", "timeit", "capture", "prun"})
"""Cell magics whose body is Python code of the notebook."""


class Piece(NamedTuple):
    """A statement of a cell: its text, and where it stands."""

    text: str
    label: str
    line: int
    node: ast.stmt


class Cell:
    """A cell's source (or a notebook's file) as text and as tree. `first` is its first line."""

    def __init__(self, filename: str, lines: list[str], first: int = 1) -> None:
        self.filename = filename
        self.first = first
        self._lines = lines

    @cached_property
    def tree(self) -> ast.Module:
        """The tree; empty where the text can't be read as Python."""
        try:
            return ast.parse("".join(self._lines))
        except (SyntaxError, ValueError, RecursionError):
            return ast.Module(body=[], type_ignores=[])

    def statements(self) -> Iterator[ast.stmt]:
        """Every statement at the level of the cell; of a file, those in its functions too."""
        waiting: list[ast.AST] = list(reversed(self.tree.body))
        in_file = self.filename.endswith(".py") and session.label(self.filename) is None
        while waiting:
            node = waiting.pop()
            if isinstance(node, ast.stmt):
                yield node
            inner: list[ast.AST] = []
            if isinstance(node, Definition) and not (
                in_file and isinstance(node, ast.FunctionDef) and _is_app_cell(node)
            ):
                continue
            if isinstance(node, ast.stmt | ast.ExceptHandler | ast.match_case):
                inner = [each for each in ast.iter_child_nodes(node) if _holds(each)]
            waiting.extend(reversed(inner))

    def piece(self, node: ast.stmt) -> Piece:
        """The text of a statement, without its indentation."""
        first = _first_line(node)
        label = session.label(self.filename) or self.filename.replace("\\", "/").rpartition("/")[2]
        if isinstance(node, Definition):
            text = _dedented(self._lines[first - 1 : node.end_lineno], node)
        else:
            text = ast.unparse(node) + "\n"
        return Piece(text, label, first + self.first - 1, node)


def _is_app_cell(node: ast.FunctionDef) -> bool:
    """marimo's cells lie in a file as functions with the decorator `app.cell`."""
    for each in node.decorator_list:
        found = each.func if isinstance(each, ast.Call) else each
        if isinstance(found, ast.Attribute) and found.attr == "cell":
            return True
    return False


def _holds(node: ast.AST) -> bool:
    return isinstance(node, ast.stmt | ast.ExceptHandler | ast.match_case)


def _first_line(node: ast.stmt) -> int:
    if isinstance(node, Definition) and node.decorator_list:
        return node.decorator_list[0].lineno
    return node.lineno


def _dedented(lines: list[str], node: Definition) -> str:
    """The lines of a definition less the indentation of its first; texts keep theirs."""
    inside = {
        number
        for each in ast.walk(node)
        if isinstance(each, ast.Constant | ast.JoinedStr) and each.end_lineno
        for number in range(each.lineno + 1, each.end_lineno + 1)
    }
    first, indent = _first_line(node), node.col_offset
    kept = [
        line if first + at in inside or not line[:indent].isspace() else line[indent:]
        for at, line in enumerate(lines)
    ]
    return "".join(kept).rstrip("\n") + "\n"


class Sources:
    """The cells of the session, read once each."""

    def __init__(self) -> None:
        self._known: dict[str, Cell] = {}

    @cached_property
    def cells(self) -> list[Cell]:
        """The cells that were run, newest first."""
        found: list[Cell] = []
        for name in session.cells():
            cell = self.cell(name)
            found += [cell, *_bodies(cell)]
        return found

    def cell(self, filename: str) -> Cell:
        """The cell whose code has this file name."""
        if filename not in self._known:
            self._known[filename] = Cell(filename, linecache.getlines(filename))
        return self._known[filename]

    def of_function(self, function: FunctionType) -> Piece | None:
        """The statement that made a function: a `def`, or `name = lambda ...`."""
        code = function.__code__
        own = self.cell(code.co_filename)
        for cell in [own, *_bodies(own), *(self.cells if not own.tree.body else [])]:
            for node in cell.statements():
                if _makes(node, function, cell):
                    return cell.piece(node)
        return None

    def of_class(self, kind: type) -> Piece | None:
        """The statement that made a class."""
        for cell in self.cells:
            for node in cell.statements():
                if isinstance(node, ast.ClassDef) and _is_of(node, kind, cell):
                    return cell.piece(node)
        return None

    def binding(self, name: str) -> Piece | None:
        """The statement that bound a name last, as far as the cells' texts tell."""
        for cell in self.cells:
            for node in reversed(list(cell.statements())):
                if name in _binds(node):
                    return cell.piece(node)
        return None


def _bodies(cell: Cell) -> list[Cell]:
    """The bodies of cell magics (`%%time`) in a cell."""
    found: list[Cell] = []
    for node in cell.tree.body:
        call: Any = node.value if isinstance(node, ast.Expr) else None
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
            continue
        words = [each.value for each in call.args if isinstance(each, ast.Constant)]
        if call.func.attr == "run_cell_magic" and len(words) == 3 and words[0] in _MAGICS:
            body = cast("str", words[2]).splitlines(keepends=True)
            found.append(Cell(cell.filename, body, first=node.lineno + 1))
    return found


def _makes(node: ast.stmt, function: FunctionType, cell: Cell) -> bool:
    code = function.__code__
    here = cell.first == 1 and cell.filename == code.co_filename
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        if node.name != code.co_name:
            return False
        return _first_line(node) == code.co_firstlineno if here else _compiles_to(node, code)
    if code.co_name == "<lambda>" and isinstance(node, ast.Assign):
        return isinstance(node.value, ast.Lambda) and node.value.lineno == code.co_firstlineno
    return False


def _compiles_to(node: ast.stmt, code: CodeType) -> bool:
    """Whether a `def` has the code of a function whose file is not known (`%%time`)."""
    made = compile(ast.Module(body=[node], type_ignores=[]), "<cell>", "exec")
    return any(
        isinstance(found, CodeType)
        and found.co_name == code.co_name
        and found.co_code == code.co_code
        and found.co_names == code.co_names
        for found in made.co_consts
    )


def _is_of(node: ast.ClassDef, kind: type, cell: Cell) -> bool:
    """Whether a class statement is the one of a class that is there."""
    if node.name != kind.__name__:
        return False
    line: int | None = getattr(kind, "__firstlineno__", None)  # from Python 3.13
    if line is not None and cell.first == 1:
        return line == _first_line(node)
    names = {
        each.target.id
        for each in node.body
        if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)
    }
    if not names <= set(vars(kind).get("__annotations__", names)):
        return False
    plain = (each for each in node.body if isinstance(each, ast.FunctionDef))
    return all(_is_method(each, kind, cell) for each in plain if not each.decorator_list)


def _is_method(node: ast.FunctionDef, kind: type, cell: Cell) -> bool:
    """Whether a class has the method of a class statement."""
    found = vars(kind).get(node.name)
    if not isinstance(found, FunctionType):
        return True  # replaced since, or no longer there: the annotations have to tell
    code = found.__code__
    if code.co_filename == cell.filename and cell.first == 1:
        return code.co_firstlineno == node.lineno
    return code.co_filename.startswith("<") and _compiles_to(node, code)


def _binds(node: ast.stmt) -> set[str]:
    """The names that a statement binds, itself (not what lies in it)."""
    if isinstance(node, Definition):
        return {node.name}
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {each.asname or each.name.partition(".")[0] for each in node.names}
    targets: list[ast.expr] = []
    if isinstance(node, ast.Assign):
        targets = node.targets
    elif isinstance(node, ast.AnnAssign | ast.AugAssign | ast.For):
        targets = [node.target]
    elif isinstance(node, ast.With):
        targets = [each.optional_vars for each in node.items if each.optional_vars]
    names = (each for target in targets for each in ast.walk(target))
    return {each.id for each in names if isinstance(each, ast.Name)}
