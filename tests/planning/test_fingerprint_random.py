"""Random programs, random edits: whenever the result changes, so must the fingerprint."""

from __future__ import annotations

import importlib.abc
import importlib.util
import os
import random
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from mainspring.planning.fingerprint import CodeBase, compare
from mainspring.records.canonical import digest_bytes
from mainspring.records.source import Manifest, SourceFile

Program = dict[str, list[str]]

# Modules of the random programs, by file; `rnd_h` holds what all of them use.
MODULES = {
    "rnd_steps": "rnd_steps.py",
    "rnd_a": "rnd_a.py",
    "rnd_b": "rnd_b.py",
    "rnd_p": "rnd_p/__init__.py",
    "rnd_p.k": "rnd_p/k.py",
}
NAMES = ["u", "v", "w", "x", "k"]
HELPERS = """
import types
REG = []
def V(x, depth=0):
    if depth > 3:
        return 5
    if isinstance(x, types.ModuleType):
        return 7
    if isinstance(x, (bool, int)):
        return int(x) % 100003
    if isinstance(x, type):
        return 1 + V(getattr(x, "v", 0), depth + 1) + len(x.__name__)
    if isinstance(x, (list, tuple)):
        return sum(V(each, depth + 1) * (i + 1) for i, each in enumerate(x))
    if isinstance(x, dict):
        return sum(V(each, depth + 1) for each in x.values())
    if callable(x):
        return V(x(), depth + 1)
    return 11
DEPTH = [0]
CALLS = [0]
class Endless(BaseException):
    pass
def T(f):
    DEPTH[0] += 1
    CALLS[0] += 1
    if CALLS[0] > 3000:
        raise Endless
    try:
        return V(f()) if DEPTH[0] < 12 else 3
    except (Exception, RecursionError):
        return -1
    finally:
        DEPTH[0] -= 1
def deco(f):
    REG.append(f)
    return f
def plus(n):
    def wrap(f):
        return lambda: V(f) + n
    return wrap
class Hooked:
    def __init_subclass__(cls): REG.append(cls)
class Plain:
    v = 1
"""


class Generator:
    """Makes programs and edits them."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        # Two in three are without what makes whole modules count, to try the fine rules.
        self.calm = bool(seed % 3)

    def choice(self, options: list[str]) -> str:
        if self.calm:
            wild = ("getattr", "globals()", "__import__", "__globals__", " *", "__subclasses__")
            options = [each for each in options if not any(word in each for word in wild)]
        return self.random.choice(options)

    def program(self) -> Program:
        return {module: self.body(module) for module in MODULES}

    def body(self, module: str) -> list[str]:
        count = self.random.randint(2, 6)
        lines = [self.statement(module) for _ in range(count)]
        if module == "rnd_steps":
            lines.append(self.step())
        return lines

    def step(self) -> str:
        parts = ", ".join(f"T(lambda: {self.expression()})" for _ in range(2))
        last = self.random.choice(["T(lambda: REG)", "0", "0"])
        return f"def train():\n    return ({parts}, {last})"

    def edit(self, program: Program) -> Program:
        made = {module: list(lines) for module, lines in program.items()}
        module = self.random.choice(list(MODULES))
        lines = made[module]
        place = self.random.randrange(len(lines)) if lines else 0
        kind = self.random.choice(["replace", "delete", "insert", "swap", "number"])
        if kind == "insert" or not lines:
            lines.insert(place, self.statement(module))
        elif kind == "swap":
            other = self.random.randrange(len(lines))
            lines[place], lines[other] = lines[other], lines[place]
        elif kind == "number":
            lines[place] = self.renumbered(lines[place])
        elif "def train" in lines[place]:
            lines[place] = self.step()
        elif kind == "delete":
            del lines[place]
        else:
            lines[place] = self.statement(module)
        return made

    def renumbered(self, line: str) -> str:
        digits = [i for i, c in enumerate(line) if c.isdigit()]
        if not digits:
            return line
        at = self.random.choice(digits)
        return line[:at] + str((int(line[at]) + 1) % 10) + line[at + 1 :]

    def number(self) -> int:
        return self.random.randint(0, 9)

    def name(self) -> str:
        return self.random.choice(NAMES)

    def other(self) -> str:
        return self.random.choice([m for m in MODULES if m != "rnd_steps"])

    def expression(self) -> str:
        name, other = self.name(), self.name()
        return self.choice(
            [
                str(self.number()),
                name,
                name,
                f"{name}()",
                f"{name}.{other}",
                f"{name}.{other}",
                f"{name}.{other}()",
                f"{name}.k.{other}",
                f"{self.other()}.{other}",
                f"getattr({name}, '{other}')",
                f"globals()['{name}']",
                f"[{name}, {other}]",
                f"[{name} for {other} in (1, 2)]",
                f"({name} := {other})",
                f"(lambda {name}: {name} + V({other}))({self.number()})",
                f"{{'{name}': {other}}}",
                f"__import__('{self.other()}')",
                f"getattr(__import__('sys').modules['{self.other()}'], '{name}')",
                "Plain.__subclasses__()",
                f"{name}.__globals__['{other}']",
            ]
        )

    def imports(self) -> str:
        name, other, module = self.name(), self.name(), self.other()
        return self.choice(
            [
                f"import {module}",
                f"import {module} as {name}",
                f"from {module} import {name}",
                f"from {module} import {name} as {other}",
                f"from {module} import *",
                "from rnd_p import k",
                f"from rnd_p import k as {name}",
                f"import rnd_p.k as {name}",
                "import rnd_p.k",
            ]
        )

    def statement(self, module: str) -> str:
        name, other, number = self.name(), self.name(), self.number()
        value = f"T(lambda: {self.expression()})"
        guarded = self.imports().replace("from rnd_p import *", "import rnd_p")
        relative = ""
        if module == "rnd_p":
            relative = self.choice(
                ["from .k import *", f"from .k import {name}", f"from . import k as {name}"]
            )
        if module == "rnd_p.k":
            relative = self.choice([f"from . import {name}", f"import rnd_p as {name}"])
        if "*" in guarded + relative:
            imported = self.choice([guarded, relative or guarded])
        else:
            safe = f"try:\n    {relative or guarded}\nexcept ImportError:\n    {name} = {number}"
            imported = self.choice([safe, relative or guarded, guarded])
        return self.choice(
            [
                imported,
                imported,
                imported,
                f"{name} = {number}",
                f"{name} = [{number}]",
                f"{name} = {value}",
                f"def {name}():\n    return {value} + {number}",
                f"def {name}():\n    return {value} + {number}",
                f"def {name}(a={value}):\n    return a + {number}",
                f"def {name}(a=[{number}]):\n    {other} = {number}\n    return {other} + V(a)",
                f"def {name}():\n    {self.imports().replace('*', other)}\n    return {value}",
                f"def {name}():\n    global {other}\n    {other} = {number}\n    return {value}",
                f"def {name}():\n    global {other}\n    import rnd_a as {other}\n"
                f"    return {value}",
                f"@deco\ndef {name}():\n    return {value} + {number}",
                f"@plus({number})\ndef {name}():\n    return {value}",
                f"class {name}:\n    v = {number}\n    w = {value}",
                f"class {name}(Plain):\n    v = {number}",
                f"class {name}(Plain):\n    def {other}():\n        return {value}",
                f"class {name}(Hooked):\n    v = {number}",
                f"class {name}:\n    {other} = {number}\n    v = [V({other})]",
                f"REG.append({value})",
                f"REG.append(lambda: {value})",
                f"if {value} > {number}:\n    {name} = {number}\n"
                f"else:\n    def {name}(): return {value}",
                f"try:\n    {name}.{other} = {number}\nexcept Exception:\n    pass",
                f"try:\n    {name}.{other} = {other}\nexcept Exception:\n    pass",
                f"try:\n    del {name}\nexcept NameError:\n    pass",
                f"try:\n    {name} += {number}\nexcept Exception:\n    {name} = {number}",
                f"for {name} in range({number}):\n    pass",
                f"globals()['{name}'] = {number}",
                f"def __getattr__(n):\n    return {number}",
                f"setattr(__import__('{self.other()}'), '{name}', {number})",
                f"if __name__ == '__main__':\n    {name} = {number}",
                f"{name} = lambda {other}={number}: V({other}) + {number}",
                f"{name}, {other} = {number}, {self.number()}",
            ]
        )


def texts(program: Program) -> dict[str, str]:
    head = "from rnd_h import V, T, REG, deco, plus, Hooked, Plain\n"
    files = {MODULES[module]: head + "\n".join(lines) for module, lines in program.items()}
    return {**files, "rnd_h.py": HELPERS}


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports a program from its texts."""

    def __init__(self, files: dict[str, str]) -> None:
        self.files = files

    def find_spec(self, name, path=None, target=None):
        place = {**MODULES, "rnd_h": "rnd_h.py"}.get(name)
        if place is None:
            return None
        package = place.endswith("__init__.py")
        return importlib.util.spec_from_loader(name, self, is_package=package)

    def create_module(self, spec):
        return None

    def exec_module(self, module: types.ModuleType) -> None:
        place = {**MODULES, "rnd_h": "rnd_h.py"}[module.__name__]
        exec(compile(self.files[place], place, "exec"), vars(module))


@contextmanager
def importable(files: dict[str, str]) -> Iterator[None]:
    finder = Finder(files)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for name in [*MODULES, "rnd_h"]:
            sys.modules.pop(name, None)


def result(program: Program) -> object:
    """What the step returns; None when the program can't be imported, or doesn't end."""
    with importable(texts(program)):
        try:
            module = importlib.import_module("rnd_steps")
            return module.train()
        except BaseException as error:  # one of them is the program's own `Endless`
            if isinstance(error, Exception) or type(error).__name__ == "Endless":
                return None
            raise


def fingerprint(program: Program):
    files = {path: text.encode() for path, text in texts(program).items()}
    listed = tuple(
        SourceFile(path=path, digest=digest_bytes(data), size=len(data))
        for path, data in sorted(files.items())
    )
    return CodeBase(Manifest(files=listed), files.__getitem__).fingerprint("rnd_steps:train")


def is_stale(before: Program, after: Program) -> bool:
    """Whether the edit changes the result but not the fingerprint."""
    old, new = result(before), result(after)
    if old is None or new is None or old == new:
        return False
    return fingerprint(before).digest == fingerprint(after).digest


def shown(before: Program, after: Program) -> str:
    lines: list[str] = []
    for title, program in (("before", before), ("after", after)):
        for module, body in program.items():
            if title == "before" or body != before[module]:
                lines.append(f"--- {title} {module}\n" + "\n".join(body))
        lines.append(f"=> {result(program)}")
    return "\n".join(lines)


@pytest.mark.parametrize("seed", range(int(os.environ.get("MAINSPRING_RANDOM_PROGRAMS", "60"))))
def test_no_edit_that_changes_the_result_goes_unnoticed(seed):
    make = Generator(seed)
    for _ in range(4):
        program = make.program()
        if result(program) is None:
            continue
        for _ in range(6):
            after = make.edit(program)
            assert not is_stale(program, after), shown(program, after)


def test_the_random_edits_are_telling():
    """Enough programs run, enough edits matter, and enough of those that don't are seen through."""
    ran = changed = kept = 0
    for seed in range(150):
        make = Generator(seed)
        program = make.program()
        after = make.edit(program)
        old, new = result(program), result(after)
        if old is None or new is None:
            continue
        ran += 1
        changed += old != new
        kept += fingerprint(program).digest == fingerprint(after).digest
    assert ran > 40
    assert changed > 8
    assert kept > 8


def test_a_missed_edit_would_be_found(monkeypatch):
    """The trial itself can fail: blind to constants, it finds a stale result."""
    monkeypatch.setattr(
        "mainspring.planning.fingerprint._hash", lambda _: digest_bytes(b""), raising=True
    )
    stale = 0
    for seed in range(40):
        make = Generator(seed)
        program = make.program()
        stale += any(is_stale(program, make.edit(program)) for _ in range(6))
    assert stale
    assert compare((), ()) == []
