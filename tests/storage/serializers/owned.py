"""A module of a project with formats of its own, as the tests of them import it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated, Any

from mainspring import stored_as


class NoteFormat:
    name = "note"
    suffix = ".note"
    data_only = True

    def save(self, value: Note, path: Path) -> None:
        path.write_text("\n".join(sorted(value.tags)) + "\n\n" + value.text)

    def load(self, path: Path) -> Note:
        tags, _, text = path.read_text().partition("\n\n")
        return Note(text, set(tags.split("\n")) - {""})

    def preview(self, value: Note) -> str:
        return f"a note of {len(value.text)} letters"


@stored_as(NoteFormat)
@dataclasses.dataclass
class Note:
    text: str
    tags: set[str] = dataclasses.field(default_factory=set)


class LongNote(Note):
    pass


class Foreign:
    """A class of somebody else."""

    def __init__(self, parts: dict[str, bytes]) -> None:
        self.parts = parts

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Foreign) and other.parts == self.parts

    __hash__ = None  # type: ignore[assignment]


class FolderFormat:
    name = "folder"
    version = 2

    def save(self, value: Foreign, path: Path) -> None:
        path.mkdir()
        for name, content in value.parts.items():
            (path / name).write_bytes(content)

    def load(self, path: Path) -> Foreign:
        return Foreign({part.name: part.read_bytes() for part in sorted(path.iterdir())})


Kept = Annotated[Foreign, stored_as(FolderFormat)]


@dataclasses.dataclass
class Holder:
    one: Kept
    number: int


class Wrong:
    """Loads something else than it saved."""

    name = "wrong"

    def save(self, value: object, path: Path) -> None:
        path.write_text(str(value))

    def load(self, path: Path) -> Any:
        return path.read_text()


class Nothing:
    name = "nothing"

    def save(self, value: object, path: Path) -> None:
        pass

    def load(self, path: Path) -> Any:
        raise AssertionError


class Needy(NoteFormat):
    name = "needy"

    def __init__(self, level: int) -> None:
        self.level = level


def values() -> dict[str, tuple[Any, Any]]:
    """Values with their annotations."""
    note = Note("text", {"c", "a", "b"})
    foreign = Foreign({"b": b"2", "a": b"1"})
    return {
        "marked": (note, None),
        "list": ([note, 1, note], None),
        "annotated": (foreign, Kept),
        "optional": (foreign, Kept | None),
        "none": (None, Kept | None),
        "empty": (Foreign({}), Kept),
        "several": ([foreign, Foreign({})], list[Kept]),
        "by name": ({"x": foreign}, dict[str, Kept]),
        "field": (Holder(foreign, 1), None),
        "number": (3, Annotated[int, stored_as(IntFormat)]),
    }


class IntFormat:
    name = "roman"

    def save(self, value: int, path: Path) -> None:
        path.write_text("I" * value)

    def load(self, path: Path) -> int:
        return len(path.read_text())
