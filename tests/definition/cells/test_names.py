from __future__ import annotations

import pytest

from mainspring.definition.cells.names import names_of


@pytest.mark.parametrize(
    ("text", "early", "late"),
    [
        ("def f(x): return g(x) + x", "", "g"),
        ("@deco(a)\ndef f(x=b): return c", "a b deco", "c"),
        ("def f(x: T) -> U: pass", "T U", ""),
        ("class A(B, metaclass=M):\n    x = y\n    def m(self): return z", "B M y", "z"),
        ("def f():\n    def g(): return a\n    return g", "", "a"),
        ("def f(x):\n    y = x\n    return [y for z in w]", "", "w"),
        ("class A:\n    x = [b for a in c]", "b c", ""),
        ("f = lambda x, y=d: x + e", "d", "e"),
        ("def f():\n    import numpy\n    return numpy.x", "", ""),
        ("def f():\n    try:\n        pass\n    except E as e:\n        raise R from e", "", "E R"),
    ],
)
def test_when_names_are_looked_up(text: str, early: str, late: str) -> None:
    found = names_of(text, lazy=False)
    assert found.early == set(early.split())
    assert found.late == set(late.split())


def test_annotations_that_are_text_are_hints() -> None:
    found = names_of("def f(x: 'A', y: B) -> 'list[C]': z: D = 1", lazy=True)
    assert found.early == found.late == set()
    assert found.hints == {"A", "B", "C", "D", "list"}
    assert names_of("def f(x: 'A'): pass", lazy=False).hints == {"A"}
    assert names_of("def f(x: Literal['two words']): pass", lazy=True).hints == {"Literal"}


def test_globals_that_are_assigned() -> None:
    found = names_of("def f():\n    global a, b\n    a = 1\n    return b", lazy=False)
    assert found.assigned == {"a"}


def test_dotted_names() -> None:
    assert ("np", "linalg", "norm") in names_of("def f(): np.linalg.norm(1)", lazy=False).chains
