"""What the documentation says is there, is complete, and works when it is typed in."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from tests.walkthrough import ROOT, Walkthrough, blocks, make_program, matches

import mainspring
from mainspring.cli import overview
from mainspring.definition.options import OPTION_NAMES
from mainspring.settings import Settings
from tools import settings_schema

DOCS = ROOT / "docs"
GUIDE = sorted((DOCS / "guide").glob("*.md"))
PAGES = [*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *(ROOT / "examples").rglob("*.md")]
# Its pipelines are traced by tests/definition/test_docs.py; it has nothing to type.
TRACED = {"pipelines.md"}
# Its code is run, cell by cell, by tests/notebooks/test_guide.py.
CELLS = {"notebooks.md"}


def text_of(page: str) -> str:
    return (DOCS / page).read_text("utf-8")


# What it says works.


@pytest.mark.parametrize("page", [*GUIDE, ROOT / "README.md"], ids=lambda page: page.name)
def test_what_a_page_shows_happens(page: Path, tmp_path: Path) -> None:
    program = make_program(tmp_path / "bin")
    project = tmp_path / "work"
    project.mkdir()
    Walkthrough(project, program).follow(page)


@pytest.mark.parametrize("page", GUIDE, ids=lambda page: page.name)
def test_no_code_of_a_page_is_left_out(page: Path) -> None:
    """Every block is typed or written to a file; a repeated part has to be found there."""
    if page.name in TRACED | CELLS:
        return
    languages = {block.language for block in blocks(page)}
    assert languages <= {"console", "python", "toml", "yaml"}
    loose = [b for b in blocks(page) if b.file is None and b.language != "console"]
    template = (ROOT / "src/mainspring/app/init.py").read_text("utf-8")
    assert [block.text for block in loose if block.text not in template] == []


def test_a_page_that_is_wrong_is_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```console\n$ echo one\ntwo\n```\n", "utf-8")
    with pytest.raises(AssertionError, match="the page says"):
        Walkthrough(tmp_path, make_program(tmp_path / "bin")).follow(page)
    page.write_text("```console\n$ false\n```\n", "utf-8")
    with pytest.raises(AssertionError, match="false"):
        Walkthrough(tmp_path, make_program(tmp_path / "bin")).follow(page)


def test_what_is_compared_of_what_is_printed() -> None:
    assert matches("✓ done in 1.0 s\n...\n", "✓ done in 30 ms\n\n  more\n  and more\n")
    assert not matches("3 succeeded\n", "4 succeeded\n")
    assert not matches("one\n", "one\ntwo\n")


# It is complete.


def test_every_verb_is_described() -> None:
    reference = text_of("reference/cli.md")
    assert [verb for verb in overview.VERBS if f"\n## {verb}\n" not in reference] == []
    guide = "".join(page.read_text("utf-8") for page in GUIDE)
    assert [verb for verb in overview.VERBS if not re.search(rf"\b{verb}\b", guide)] == []


def settings() -> Iterator[tuple[str, str]]:
    for table in msgspec.structs.fields(Settings):
        for field in msgspec.structs.fields(table.type):
            yield table.name, field.name


@pytest.mark.parametrize(("table", "name"), list(settings()))
def test_every_setting_is_described(table: str, name: str) -> None:
    _, found, rest = text_of("reference/settings.md").partition(f"\n## `[{table}]`\n")
    assert found
    assert f"| `{name}` |" in rest.partition("\n## ")[0]


def test_no_setting_is_described_that_is_not_there() -> None:
    described = re.findall(r"^\| `(\w+)` \|", text_of("reference/settings.md"), re.MULTILINE)
    assert sorted(described) == sorted(name for _, name in settings())


def test_the_schema_of_settings_is_up_to_date() -> None:
    assert settings_schema.FILE.read_text("utf-8") == settings_schema.text()


def test_every_public_name_has_a_section() -> None:
    sections = re.findall(r"^#{2,3} `(\w+)`$", text_of("reference/python.md"), re.MULTILINE)
    assert sorted(sections) == sorted(mainspring.__all__)


def test_every_option_of_a_step_is_described() -> None:
    table = text_of("reference/python.md")
    assert [name for name in OPTION_NAMES if f"| `{name}` |" not in table] == []


def test_every_page_is_linked() -> None:
    linked = {
        (page.parent / target.partition("#")[0]).resolve()
        for page in PAGES
        for target in links(page)
    }
    assert [page.name for page in DOCS.rglob("*.md") if page.resolve() not in linked] == []


# It leads somewhere.


def links(page: Path) -> list[str]:
    prose = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    found = re.findall(r"\]\(([^)\s]+)\)", prose)
    return [target for target in found if "://" not in target]


def anchors(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    broken: list[str] = []
    for target in links(page):
        path, _, anchor = target.partition("#")
        place = (page.parent / path).resolve() if path else page
        if not place.exists() or (anchor and anchor not in anchors(place)):
            broken.append(target)
    assert broken == []


# ARCHITECTURE.md names what is there.


def named() -> list[tuple[str, str]]:
    """Every `path/file.py` and `path/file.py: name` (also `: a, b`) of ARCHITECTURE.md."""
    text = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    found = re.findall(r"`([\w./]+\.(?:py|md|sql|sh|toml))(?:: ([\w., ]+))?`", text)
    return [(path, name.strip()) for path, names in found for name in (names or "").split(",")]


def definitions(path: Path) -> set[str]:
    tree = ast.parse(path.read_text("utf-8"))
    names: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        if isinstance(node, ast.ClassDef):
            inner = [each for each in node.body if isinstance(each, ast.FunctionDef)]
            names.update(f"{node.name}.{each.name}" for each in inner)
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names.update(each.id for each in targets if isinstance(each, ast.Name))
    return names


def test_the_architecture_page_names_things() -> None:
    assert len(named()) > 40


@pytest.mark.parametrize(("path", "name"), sorted(set(named())))
def test_what_the_architecture_page_names_is_there(path: str, name: str) -> None:
    places = [ROOT / path, ROOT / "src" / "mainspring" / path]
    place = next((each for each in places if each.is_file()), None)
    assert place is not None, path
    if name:
        assert name in definitions(place), f"{path}: {name}"
