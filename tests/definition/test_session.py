"""Which process is an interactive session, and what its cells are called."""

from __future__ import annotations

import linecache
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from mainspring.definition import session


def with_main(monkeypatch: pytest.MonkeyPatch, **attributes: Any) -> ModuleType:
    main = ModuleType("__main__")
    vars(main).update(attributes)
    monkeypatch.setitem(sys.modules, "__main__", main)
    return main


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> Any:
    """What IPython says of itself: the place of the notebook's names, and its cells."""
    numbers = {"/tmp/ipykernel_1/22.py": 3, "<ipython-input-4-ab>": 4}
    made = SimpleNamespace(user_module=None, compile=SimpleNamespace(_filename_map=numbers))
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: made))
    return made


def test_a_script_is_no_session(monkeypatch: pytest.MonkeyPatch) -> None:
    with_main(monkeypatch, __file__="flow.py")
    assert session.notebook() is None
    with_main(monkeypatch, __spec__=SimpleNamespace(name="package.__main__"))
    assert session.notebook() is None


def test_prompts_are_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    main = with_main(monkeypatch)
    assert session.notebook() is main
    main = with_main(monkeypatch, __spec__=SimpleNamespace(name="_pyrepl.__main__"), __file__="x")
    assert session.notebook() is main


def test_a_script_that_ipython_runs_is_a_script(
    monkeypatch: pytest.MonkeyPatch, shell: Any
) -> None:
    shell.user_module = with_main(monkeypatch, __file__="nb")
    assert session.notebook() is shell.user_module
    with_main(monkeypatch, __file__="flow.py")
    assert session.notebook() is None


@pytest.mark.parametrize(
    ("filename", "label"),
    [
        ("/tmp/ipykernel_1/22.py", "cell 3"),
        ("/tmp/ipykernel_1/99.py", None),
        ("<ipython-input-4-ab>", "cell 4"),
        ("/tmp/marimo_7/__marimo__cell_MJUe_.py", "cell MJUe"),
        ("<python-input-12>", "input 12"),
        ("<stdin>-3", "input 3"),
        ("<stdin>", None),
        ("<string>", None),
        ("flow.py", None),
    ],
)
def test_labels(shell: Any, filename: str, label: str | None) -> None:
    assert session.label(filename) == label


def test_cells_come_newest_first(monkeypatch: pytest.MonkeyPatch, shell: Any) -> None:
    with_main(monkeypatch, __file__="notebook.py")
    for name in ("<python-input-9>", "<python-input-10>"):
        monkeypatch.setitem(linecache.cache, name, (0, None, [], name))
    found = [name for name in session.cells() if "input" in name or name.endswith(".py")]
    assert found[:2] == ["<ipython-input-4-ab>", "/tmp/ipykernel_1/22.py"]
    assert found.index("<python-input-10>") < found.index("<python-input-9>")
    assert found[-1] == "notebook.py"
