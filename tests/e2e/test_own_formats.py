"""A project with formats of its own: what they make runs again when their code is edited."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.e2e.place import Place

FORMATS = """
from pathlib import Path
from typing import Annotated
from mainspring import stored_as

class BagFormat:
    name = "bag"
    version = 1
    data_only = True

    def save(self, value, path: Path) -> None:
        path.write_text(" ".join(value.words))

    def load(self, path: Path):
        from bags import Bag
        return Bag(path.read_text().split())

    def preview(self, value) -> str:
        return f"{len(value.words)} words"

class TextFormat:
    name = "words"

    def save(self, value, path: Path) -> None:
        path.write_text(Path("words.txt").read_text() + str(value))

    def load(self, path: Path):
        return int(path.read_text().split()[-1])

Words = Annotated[int, stored_as(TextFormat)]
"""
BAGS = """
from formats import BagFormat
from mainspring import stored_as

@stored_as(BagFormat)
class Bag:
    def __init__(self, words: list[str]) -> None:
        self.words = words
"""
FLOW = """
from bags import Bag
from formats import Words
from other import alone

@step
def make(n: int) -> Bag:
    return Bag([str(number) for number in range(n)])

@step
def count(bag: Bag) -> int:
    return len(bag.words)

@step
def passed(anything):
    return anything

@step
def number() -> Words:
    return 3

@step
def last(counted: int, bag: Bag, number: int, alone: int) -> int:
    return counted + len(bag.words) + number + alone

@pipeline
def main(n: int = 3):
    bag = passed(make(n))
    return last(count(bag), bag, number(), alone())
"""
OTHER = """
from mainspring import step

@step
def alone() -> int:
    return 1
"""


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = Place(tmp_path / "demo")
    made.write("formats.py", FORMATS)
    made.write("bags.py", BAGS)
    made.write("other.py", OTHER)
    made.write("words.txt", "the words ")
    made.flow(FLOW)
    return made


def ran(place: Place) -> set[str]:
    """The tasks that were not reused."""
    place.run()
    return {path for path, status in place.show().statuses.items() if status != "reused"}


def test_an_edit_of_a_format_makes_what_it_stores_anew(place: Place):
    users = {"make", "count", "passed", "number", "last"}  # their module imports the formats
    assert ran(place) == {*users, "alone"}
    assert place.value("last") == 10
    assert ran(place) == set()
    place.edit("formats.py", '" ".join(value.words)', '"  ".join(value.words)')
    assert ran(place) == users
    place.edit("formats.py", "version = 1", "version = 2")
    assert ran(place) == users
    place.edit("formats.py", "split()[-1]", "split()[-1:][0]")  # in an annotation only
    assert ran(place) == users
    place.write("words.txt", "other words ")  # read by save: as if the step had read it
    assert ran(place) == {"number", "last"}


def test_what_is_shown_and_copied_out_of_it(place: Place):
    place.run()
    opened = place("artifacts", "open", "latest", "make")
    assert opened.code == 0
    assert "bags.Bag, by bag 1 (formats.BagFormat)" in opened.out
    assert "3 words" in opened.out
    (place.root / "formats.py").unlink()  # nothing of the project is needed to look at it
    assert place("artifacts", "open", "latest", "make").out == opened.out
    assert "custom (code of the project reads it)" in place("show", "latest", "make").out
    assert place("artifacts", "get", "latest", "make", "-o", "bag.txt").code == 0
    assert (place.root / "bag.txt").read_text() == "0 1 2"


def test_a_format_with_a_mistake_is_refused_with_its_line(place: Place):
    text = (place.root / "formats.py").read_text().rsplit("def load", 1)
    place.write("formats.py", "def laod".join(text))
    done = place("run")
    assert done.code != 0
    assert "the format TextFormat has no method `load`" in done.err
    assert "formats.py:" in done.err
    assert "Traceback" not in done.err
