from __future__ import annotations

from itertools import pairwise

import pytest

from mainspring.definition.cells.capture import Unit
from mainspring.definition.cells.modules import modules
from mainspring.records.errors import DefinitionError


def unit(name: str, text: str, *uses: str, early: str = "", own: str = "") -> Unit:
    return Unit(
        name, own or name, text + "\n", "cell 1", 3, ("import math",),
        {each: each for each in uses}, frozenset(early.split()), lazy=False,
    )  # fmt: skip


def files(*units: Unit) -> dict[str, str]:
    made = modules({each.name: each for each in units})
    return {path.removeprefix("__notebook__/"): data.decode() for path, data in made.items()}


def test_each_name_has_a_file_that_takes_others_from_theirs() -> None:
    found = files(unit("f", "def f(): return g()", "g"), unit("g", "def g(): return 1"))
    assert found.keys() == {"__init__.py", "f.py", "g.py"}
    head = "# Made by Mainspring from the cells of a notebook.\n"
    assert found["f.py"] == (
        f"{head}from __notebook__.g import g\nimport math\n#: cell 1, line 3\ndef f(): return g()\n"
    )


def test_names_that_need_each_other_share_a_file() -> None:
    base = unit("Base", "class Base:\n    def make(self): return Child()", "Child")
    child = unit("Child", "class Child(Base): pass", "Base", early="Base")
    found = files(child, base)
    assert found["Base.py"].index("class Base") < found["Base.py"].index("class Child")
    assert "from __notebook__.Base import Child" in found["Child.py"]


def test_what_can_be_defined_in_no_order_is_refused() -> None:
    with pytest.raises(DefinitionError, match="`A` and `B` of this notebook need each other"):
        files(unit("A", "", "B", early="B"), unit("B", "", "A", early="A"))


def test_a_private_name_of_a_cell_is_taken_under_its_own() -> None:
    using = Unit("f", "f", "def f(): return _x\n", "cell 1", 1, (), {"_x": "_cell_a_x"},
                 frozenset(), lazy=True)  # fmt: skip
    found = files(using, unit("_cell_a_x", "_cell_a_x = 1"))
    assert "from __notebook__._cell_a_x import _cell_a_x as _x\n" in found["f.py"]
    assert found["f.py"].splitlines()[1] == "from __future__ import annotations"


def test_long_chains() -> None:
    names = [f"n{number:04}" for number in range(3_000)]
    units = [unit(name, f"{name} = 1", after)
             for name, after in pairwise(names)]  # fmt: skip
    assert len(files(*units, unit(names[-1], "x = 1"))) == 3_001
