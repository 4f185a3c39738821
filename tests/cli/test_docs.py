"""docs/reference/cli.md names every verb, argument and option, and every JSON format."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from mainspring.cli import overview
from mainspring.cli.invocation import global_options
from mainspring.cli.schemas import RECORDS

DOCS = Path(__file__).parents[2] / "docs" / "reference"
GLOBAL = {name for option in global_options() for name in option.opts}


def commands() -> Iterator[tuple[str, click.Command]]:
    for verb in overview.VERBS:
        found = importlib.import_module(f"mainspring.cli.{verb}").command
        if isinstance(found, click.Group):
            yield from ((f"{verb} {name}", inner) for name, inner in found.commands.items())
        else:
            yield verb, found


def section(title: str) -> str:
    text = (DOCS / "cli.md").read_text("utf-8")
    _, found, rest = text.partition(f"\n## {title}\n")
    assert found, f"docs/reference/cli.md has no section {title!r}"
    return rest.partition("\n## ")[0]


COMMANDS = list(commands())


@pytest.mark.parametrize(("name", "command"), COMMANDS, ids=[name for name, _ in COMMANDS])
def test_every_verb_and_option_is_described(name: str, command: click.Command) -> None:
    text = section(name.partition(" ")[0])
    assert f"mainspring {name}" in text
    missing = [
        option
        for parameter in command.params
        for option in (parameter.opts if isinstance(parameter, click.Option) else [])
        if option not in GLOBAL and f"`{option}" not in text
    ]
    assert missing == []


def test_nothing_is_described_that_is_not_there() -> None:
    text = (DOCS / "cli.md").read_text("utf-8")
    titles = [line.removeprefix("## ") for line in text.splitlines() if line.startswith("## ")]
    verbs = [title for title in titles if title.islower()]
    assert verbs == list(overview.VERBS)


def test_every_format_is_described() -> None:
    text = (DOCS / "json.md").read_text("utf-8")
    missing = [name for name in RECORDS if f"(schemas/{name}.schema.json)" not in text]
    assert missing == []


def test_every_global_option_is_described() -> None:
    text = section("Options of every verb")
    assert [name for name in GLOBAL if f"`{name}" not in text] == []
