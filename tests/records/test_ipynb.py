from __future__ import annotations

import ast
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.records import ipynb
from mainspring.records.errors import DefinitionError


def cells(*sources: str, tags: list[Any] | None = None) -> list[ipynb.CodeCell]:
    made = [
        {"cell_type": "code", "source": source, "metadata": {"tags": tags or []}}
        for source in sources
    ]
    data = {"nbformat": 4, "cells": [{"cell_type": "markdown", "source": "# x"}, *made]}
    return ipynb.read(json.dumps(data).encode(), "a.ipynb")


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("x = 1", "x = 1"),
        ("x = 10 % 3", "x = 10 % 3"),
        ("%time x\ny = 2", "pass\ny = 2\n"),
        ("if a:\n    !ls {a}", "if a:\n    import subprocess; subprocess.run([])\n"),
        ("files = !ls", "files = None; import subprocess; subprocess.run([])\n"),
        ("x = %run other.py", 'x = None; exec("")\n'),
        ("%run other.py", 'exec("")\n'),
        ("len?", "pass\n"),
        ("?len", "pass\n"),
        ("%%time\nx = 1", "pass\nx = 1\n"),
        ("%%bash\nls $HOME", "import subprocess; subprocess.run([])"),
        ("%%html\n<b>", 'exec("")'),
    ],
)
def test_magics_become_what_they_may_do(source: str, code: str) -> None:
    assert ipynb.python(source) == code
    ast.parse(code)


@given(st.text())
def test_any_source_is_read(source: str) -> None:
    [cell] = cells(source.encode("utf-8", "replace").decode())
    assert isinstance(cell.tree, ast.Module)


def test_parameters() -> None:
    found = ipynb.parameters(
        cells("a = 1\nb: float = 2.0\nc: int\nd = e = []", tags=["parameters"])
    )
    assert {name: hint for name, (hint, _) in found.items()} == {
        "a": None, "b": "float", "d": None, "e": None,
    }  # fmt: skip
    assert ipynb.parameters(cells("a = 1")) == {}


def test_outputs() -> None:
    found = ipynb.outputs(
        cells(
            "import mainspring as ms\nfrom mainspring import output as out",
            "ms.output(a=1, b=2)\nother.output(c=3)\noutput(d=4)",
            "def f():\n    out(e=5, a=6, **more)",
        )
    )
    assert found == ["a", "b", "e"]


def test_sources_may_be_lists_of_lines() -> None:
    data = {"nbformat": 4, "cells": [{"cell_type": "code", "source": ["a = 1\n", "b = 2"]}]}
    [cell] = ipynb.read(json.dumps(data).encode(), "a.ipynb")
    assert (cell.number, cell.source, cell.tags) == (1, "a = 1\nb = 2", ())


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{}", b'{"nbformat": "4"}', b'{"nbformat": 4, "cells": [1]}', b"\xff"]
)
def test_what_is_no_notebook(data: bytes) -> None:
    with pytest.raises(DefinitionError, match=r"a.ipynb: this is no notebook"):
        ipynb.read(data, "a.ipynb")


def test_other_languages_are_refused() -> None:
    data = {"nbformat": 4, "metadata": {"language_info": {"name": "Julia"}}}
    with pytest.raises(DefinitionError, match="written in julia"):
        ipynb.read(json.dumps(data).encode(), "a.ipynb")
