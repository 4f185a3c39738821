from __future__ import annotations

from mainspring.records.notebook import (
    is_cell,
    is_cell_file,
    is_notebook,
    marker,
    module_of,
    place,
    said,
)


def test_lines_are_found_in_their_cells() -> None:
    lines = ["# head", "import math", marker("cell 3", 7), "@step", "def f():", "    return 1",
             marker("flow.py", 2), "def g(): pass"]  # fmt: skip
    assert place(lines, 2) is None
    assert place(lines, 4) == ("cell 3", 7)
    assert place(lines, 6) == ("cell 3", 9)
    assert place(lines, 8) == ("flow.py", 2)
    assert place(lines, 99) == ("flow.py", 93)
    assert place([], 1) is None


def test_places_are_told() -> None:
    assert said("cell 3", 7) == "cell 3, line 7"
    assert said("flow.py", 7) == "flow.py:7"


def test_names() -> None:
    assert is_notebook("sub/a.ipynb")
    assert not is_notebook("a:b")
    assert is_cell(module_of("train"))
    assert not is_cell("__notebook__s")
    assert is_cell_file("__notebook__/train.py")
    assert not is_cell_file("notebook/train.py")
