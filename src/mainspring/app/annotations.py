"""The verbs `tag` and `note`: what people say of a run, at any time; no part of its record."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import msgspec

from mainspring.app.project import Project
from mainspring.records.errors import ParameterError
from mainspring.records.facts import LONGEST_TEXT
from mainspring.records.runs import Run

LONGEST_NOTE = 100_000
"""Characters of a note."""

_NAME = re.compile(r"\w[\w./:-]{0,99}")


class AnnotationsView(msgspec.Struct, frozen=True, kw_only=True):
    """`mainspring tag` and `mainspring note`: a run's tags and note as they are now."""

    run: str
    tags: dict[str, str]
    note: str | None
    format: str = "mainspring.annotations/1"


def annotations_of(project: Project, run: Run) -> AnnotationsView:
    """Return a run's tags and note."""
    read = project.store.read
    facts = read.facts([run.id])[run.id]
    tags = {name[5:]: str(fact) for name, fact in sorted(facts.items()) if name[:5] == "tags."}
    return AnnotationsView(run=run.id, tags=tags, note=read.notes([run.id]).get(run.id))


def tag(
    project: Project, run: Run, tags: Mapping[str, str], remove: Sequence[str] = ()
) -> AnnotationsView:
    """Set some tags and take others away; nothing is changed if one has a bad name.

    Raises ParameterError.
    """
    for name in (*tags, *remove):
        _check_name(name)
    for name, value in tags.items():
        if len(value) > LONGEST_TEXT:
            what = f"the tag {name!r} has {len(value):,} characters, more than {LONGEST_TEXT}"
            raise ParameterError(what, hint="`mainspring note` takes longer texts")
        _check_text(f"the tag {name!r}", value)
    with project.store.write() as tx:
        tx.set_tags(run.id, {**tags, **dict.fromkeys(remove)})
    return annotations_of(project, run)


def note(project: Project, run: Run, text: str, *, append: bool = False) -> AnnotationsView:
    """Set a run's note, or add lines to it; an empty one takes it away. Raises ParameterError."""
    _check_text("the note", text)
    before = project.store.read.notes([run.id]).get(run.id) if append else None
    whole = f"{before}\n{text}" if before and text else before or text
    if len(whole) > LONGEST_NOTE:
        raise ParameterError(
            f"the note would have {len(whole):,} characters, more than {LONGEST_NOTE:,}",
            hint="an artifact of a step can be as long as you like",
        )
    with project.store.write() as tx:
        tx.set_note(run.id, whole)
    return annotations_of(project, run)


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        shown = name if len(name) <= 50 else name[:49] + "…"
        raise ParameterError(
            f"{shown!r} is no name for a tag",
            hint="a name has letters, digits and ./:-_, begins with a letter or digit, and is no "
            "longer than 100 characters",
        )


def _check_text(what: str, text: str) -> None:
    if "\0" in text or any("\ud800" <= char <= "\udfff" for char in text):
        raise ParameterError(f"{what} has a character that no text may have (NUL, half of a pair)")
