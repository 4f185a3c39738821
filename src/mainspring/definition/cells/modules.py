"""From captured units to the modules of the snapshot: one file for each global name."""

from __future__ import annotations

from collections.abc import Mapping

from mainspring.definition.cells.capture import Unit
from mainspring.records.errors import DefinitionError
from mainspring.records.notebook import PACKAGE, marker, module_of, said

_HEAD = "# Made by Mainspring from the cells of a notebook.\n"


def modules(units: Mapping[str, Unit]) -> dict[str, bytes]:
    """Return the files of the package `__notebook__`, by path.

    Names that need each other lie in one file, and each of the others' files takes them from there.
    Raises DefinitionError for definitions that could not have been made in any order.
    """
    files = {f"{PACKAGE}/__init__.py": _HEAD}
    for together in _components(units):
        home = min(together)
        files[_path(home)] = _text([units[name] for name in _ordered(together, units)], units)
        for name in together:
            if name != home:
                files[_path(name)] = f"{_HEAD}from {module_of(home)} import {units[name].own}\n"
    return {path: text.encode() for path, text in sorted(files.items())}


def _path(name: str) -> str:
    return f"{PACKAGE}/{name}.py"


def _text(members: list[Unit], units: Mapping[str, Unit]) -> str:
    inside = {unit.name for unit in members}
    imports = {line for unit in members for line in unit.imports}
    for unit in members:
        for alias, name in unit.uses.items():
            if name not in inside:
                own = units[name].own
                renamed = "" if alias == own else f" as {alias}"
                imports.add(f"from {module_of(name)} import {own}{renamed}")
    lines = [_HEAD]
    if any(unit.lazy for unit in members):
        lines.append("from __future__ import annotations\n")
    lines += [f"{line}\n" for line in sorted(imports)]
    for unit in members:
        lines += [f"{marker(unit.label, unit.line)}\n", unit.text]
    return "".join(lines)


def _components(units: Mapping[str, Unit]) -> list[list[str]]:
    """The names in groups that need each other, directly or not (Tarjan's algorithm)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []
    for start in sorted(units):
        if start in index:
            continue
        work = [(start, iter(_next(units, start)))]
        index[start] = low[start] = len(index)
        stack.append(start)
        while work:
            name, rest = work[-1]
            for after in rest:
                if after not in index:
                    index[after] = low[after] = len(index)
                    stack.append(after)
                    work.append((after, iter(_next(units, after))))
                    break
                if after in stack:
                    low[name] = min(low[name], index[after])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[name])
                if low[name] == index[name]:
                    cut = stack.index(name)
                    found.append(sorted(stack[cut:]))
                    del stack[cut:]
    return found


def _next(units: Mapping[str, Unit], name: str) -> list[str]:
    return sorted(set(units[name].uses.values()))


def _ordered(together: list[str], units: Mapping[str, Unit]) -> list[str]:
    """The names of a group so that each comes after what its definition needs."""
    left = list(together)
    done: list[str] = []
    while left:
        ready = [name for name in left if not units[name].early & set(left) - {name}]
        if not ready:
            first, second = left[:2]
            unit = units[first]
            raise DefinitionError(
                f"`{first}` and `{second}` of this notebook need each other to be defined",
                where=said(unit.label, unit.line),
                hint="run the cells from the top, in order, and see what is missing",
            )
        done += ready
        left = [name for name in left if name not in ready]
    return done
