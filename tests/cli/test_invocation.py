from __future__ import annotations

from pathlib import Path

import pytest

from mainspring.cli.invocation import Invocation


def test_no_colours_without_a_terminal() -> None:
    assert not Invocation().screen.color


def test_project_is_closed_at_the_end(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    invocation = Invocation()
    invocation.directory = project
    opened = invocation.open()
    closed: list[bool] = []
    monkeypatch.setattr(opened.store, "close", lambda: closed.append(True))
    invocation._closing[:] = [opened.store.close]
    invocation.close()
    invocation.close()
    assert closed == [True]
