from __future__ import annotations

import importlib

import click
import pytest

from mainspring.cli import overview
from mainspring.cli.invocation import global_options


@pytest.mark.parametrize("verb", overview.VERBS)
def test_every_verb_has_a_module_with_its_command(verb: str) -> None:
    command = importlib.import_module(f"mainspring.cli.{verb}").command
    assert isinstance(command, click.Command)
    assert command.help


def test_the_page_names_every_verb_and_global_option() -> None:
    text = overview.text()
    for verb, about in overview.VERBS.items():
        assert f"  {verb}" in text
        assert about in text
    for option in global_options():
        assert all(name in text for name in option.opts)


def test_lines_fit_a_terminal() -> None:
    assert max(len(line) for line in overview.text().splitlines()) <= 90
