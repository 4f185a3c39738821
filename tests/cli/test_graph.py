from __future__ import annotations

from tests.cli.conftest import Worked

from mainspring.app.views import EdgeView
from mainspring.cli.graph import lines


def drawn(paths: str, edges: dict[str, str], guards: dict[str, str] | None = None) -> list[str]:
    made = [EdgeView(after=a, task=t) for t, before in edges.items() for a in before]
    for task, before in (guards or {}).items():
        made += [EdgeView(after=a, task=task, guard=True) for a in before]
    return [picture + path for path, picture, _ in lines(made, list(paths))]


def test_chain() -> None:
    assert drawn("abc", {"b": "a", "c": "b"}) == ["a", "└─b", "  └─c"]


def test_diamond() -> None:
    assert drawn("abcd", {"b": "a", "c": "a", "d": "bc"}) == ["a", "├─b", "└─│─c", "  └─└─d"]


def test_guard_is_double() -> None:
    assert drawn("abc", {"b": "a"}, {"c": "b"}) == ["a", "└─b", "  ╘═c"]


def test_order_is_by_dependency() -> None:
    assert [line[-1] for line in drawn("cba", {"b": "a", "c": "b"})] == ["a", "b", "c"]


def test_unrelated_tasks_stand_alone() -> None:
    assert drawn("ab", {}) == ["a", "b"]


def test_of_a_run(worked: Worked) -> None:
    out = worked("show", worked.computed, "--graph").out
    assert out.splitlines() == ["✓ prep/numbers", "└─✓ double", "  └─✓ total", "    └─✓ enough"]
