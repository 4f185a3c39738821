"""A notebook's file as data: its code cells in order, without outputs."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from mainspring.records.errors import DefinitionError

PARAMETERS = "parameters"
"""The tag of the cell whose assignments are the notebook's parameters, as papermill has it."""

_QUIET = frozenset(
    {
        *("time", "timeit", "capture", "matplotlib", "load_ext", "reload_ext", "autoreload"),
        *("config", "who", "whos", "precision", "pdb", "pprint", "xmode", "colors"),
    }
)
"""Magics that reach no other code of the project."""

_ASSIGNED = re.compile(r"(\s*)([\w.,\[\]\s]+?)=\s*([!%].*)")


class CodeCell(NamedTuple):
    """A code cell. `number` counts the code cells from 1; `code` is Python: what is none of that
    in the source (magics, shell lines) is replaced by statements that stand for it."""

    number: int
    source: str
    code: str
    tags: tuple[str, ...]

    @property
    def tree(self) -> ast.Module:
        """The tree of its code; empty where that can't be read."""
        try:
            return ast.parse(self.code)
        except (SyntaxError, ValueError, RecursionError):
            return ast.Module(body=[], type_ignores=[])


class _Cell(msgspec.Struct):
    cell_type: str
    source: str | list[str] = ""
    metadata: dict[str, Any] = {}


class _Notebook(msgspec.Struct):
    nbformat: int
    cells: list[_Cell] = []
    metadata: dict[str, Any] = {}


_decode = msgspec.json.Decoder(_Notebook).decode


def read(data: bytes, path: str) -> list[CodeCell]:
    """Return the code cells of a notebook's file. Raises DefinitionError for what is no notebook,
    or one of another language than Python."""
    try:
        found = _decode(data)
    except (msgspec.DecodeError, RecursionError) as error:
        raise DefinitionError(f"this is no notebook: {error}", where=path) from None
    if found.nbformat < 4:
        raise DefinitionError(
            f"the notebook has the format {found.nbformat}, which is older than 4",
            where=path,
            hint="open it in Jupyter and save it",
        )
    language = _language(found.metadata)
    if language != "python":
        raise DefinitionError(f"the notebook is written in {language}, not in Python", where=path)
    codes = [cell for cell in found.cells if cell.cell_type == "code"]
    return [_code_cell(number, cell) for number, cell in enumerate(codes, start=1)]


def _language(metadata: dict[str, Any]) -> str:
    for table, key in (("language_info", "name"), ("kernelspec", "language")):
        inner = metadata.get(table)
        name: object = inner.get(key) if isinstance(inner, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        if isinstance(name, str):
            return name.lower()
    return "python"


def _code_cell(number: int, cell: _Cell) -> CodeCell:
    source = cell.source if isinstance(cell.source, str) else "".join(cell.source)
    tags = cell.metadata.get("tags", [])
    known = tuple(tag for tag in tags if isinstance(tag, str)) if isinstance(tags, list) else ()  # pyright: ignore[reportUnknownVariableType]
    return CodeCell(number, source, python(source), known)


def python(source: str) -> str:
    """Return a cell's source as Python with as many lines: magics replaced by what they may do."""
    if not source.lstrip().startswith(("%", "!", "?")):
        try:
            ast.parse(source)
        except (SyntaxError, ValueError, RecursionError):
            pass
        else:
            return source
    lines = source.splitlines()
    first = lines[0].strip() if lines else ""
    if first.startswith("%%"):
        name = first[2:].split(maxsplit=1)[0] if first[2:].strip() else ""
        if name not in _QUIET:
            return _stand_in("!" if name in ("bash", "sh", "script", "!") else "%" + name)
        lines[0] = "pass"
    return "\n".join(_line(line) for line in lines) + "\n"


def _line(line: str) -> str:
    text = line.strip()
    indent = line[: len(line) - len(line.lstrip())]
    if text.startswith(("%", "!")):
        return indent + _stand_in(text)
    if text.startswith("?") or (text.endswith("?") and not text.startswith("#")):
        return indent + "pass"
    found = _ASSIGNED.fullmatch(line)
    return f"{found[1]}{found[2]}= None; {_stand_in(found[3])}" if found else line


def _stand_in(magic: str) -> str:
    """A statement that reaches what a magic may reach: a program any file, `%run` any code."""
    if magic.startswith("!"):
        return "import subprocess; subprocess.run([])"
    name = magic.lstrip("%").split(maxsplit=1)
    return "pass" if name and name[0] in _QUIET else 'exec("")'


def parameters(cells: list[CodeCell]) -> dict[str, tuple[str | None, ast.expr]]:
    """Return the parameters: the annotation (as text) and the default's tree, by name, in order."""
    found: dict[str, tuple[str | None, ast.expr]] = {}
    for cell in cells:
        for node in cell.tree.body if PARAMETERS in cell.tags else ():
            if isinstance(node, ast.Assign):
                names = [each.id for each in node.targets if isinstance(each, ast.Name)]
                found.update({name: (None, node.value) for name in names})
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                hint = _hint(node.annotation)
                found.update({node.target.id: (hint, node.value)} if node.value else {})
    return found


def _hint(annotation: ast.expr) -> str:
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        return annotation.value
    return ast.unparse(annotation)


def outputs(cells: list[CodeCell]) -> list[str]:
    """Return the names that the cells hand out by `mainspring.output(name=value)`, in order."""
    modules: set[str] = set()
    functions: set[str] = set()
    found: dict[str, None] = {}
    for cell in cells:
        for node in ast.walk(cell.tree):
            if isinstance(node, ast.Import):
                modules |= {each.asname or each.name for each in node.names
                            if each.name == "mainspring"}  # fmt: skip
            elif isinstance(node, ast.ImportFrom) and node.module == "mainspring":
                functions |= {each.asname or each.name for each in node.names
                              if each.name == "output"}  # fmt: skip
    for cell in cells:
        for node in ast.walk(cell.tree):
            if isinstance(node, ast.Call) and _hands_out(node.func, modules, functions):
                found.update({each.arg: None for each in node.keywords if each.arg})
    return list(found)


def _hands_out(node: ast.expr, modules: set[str], functions: set[str]) -> bool:
    if isinstance(node, ast.Attribute):
        return (
            node.attr == "output" and isinstance(node.value, ast.Name) and node.value.id in modules
        )
    return isinstance(node, ast.Name) and node.id in functions


def module(cells: list[CodeCell], entry: str) -> str:
    """Return the cells as the text of one module, with a function `entry` that stands for all."""
    return "".join(_lines(cells)) + f"def {entry}(): pass\n"


def _lines(cells: list[CodeCell]) -> Iterator[str]:
    for cell in cells:
        yield cell.code if cell.code.endswith("\n") else cell.code + "\n"
