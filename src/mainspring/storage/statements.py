"""Named SQL statements, read once from `sql/<noun>.sql`.

A block begins with `-- name: X` or `-- fragment: X`; `{X}` in a later block stands for the
fragment. Lines that begin with `--` are comments.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

NO_LIMIT = 1 << 62
"""What a statement's LIMIT is given where all rows are wanted."""

_FOLDER = Path(__file__).parent / "sql"


@cache
def statements(*nouns: str) -> Mapping[str, str]:
    """The statements of `sql/<noun>.sql` by name; fragments of earlier nouns serve later ones."""
    found: dict[str, str] = {}
    fragments: dict[str, str] = {}
    for noun in nouns:
        _parse((_FOLDER / f"{noun}.sql").read_text(encoding="utf-8"), found, fragments)
    return found


@cache
def versions(dialect: str, *nouns: str) -> Mapping[str, str]:
    """The statements that a database has its own version of, from `sql/<dialect>/<noun>.sql`;
    fragments are those of `sql/<noun>.sql`, unless it has its own of these too."""
    found: dict[str, str] = {}
    fragments: dict[str, str] = {}
    for noun in nouns:
        _parse((_FOLDER / f"{noun}.sql").read_text(encoding="utf-8"), {}, fragments)
    for noun in nouns:
        path = _FOLDER / dialect / f"{noun}.sql"
        if path.exists():
            _parse(path.read_text(encoding="utf-8"), found, fragments)
    return found


def _parse(text: str, found: dict[str, str], fragments: dict[str, str]) -> None:
    lines: list[str] = []  # of the block being read; those before the first one count for nothing
    blocks: list[tuple[dict[str, str], str, list[str]]] = []
    for line in text.splitlines():
        if line.startswith("-- name: "):
            blocks.append((found, line[9:].strip(), lines := []))
        elif line.startswith("-- fragment: "):
            blocks.append((fragments, line[13:].strip(), lines := []))
        elif not line.startswith("--"):
            lines.append(line)
    for into, name, body in blocks:
        statement = "\n".join(body).strip()
        for word, replacement in fragments.items():
            statement = statement.replace("{" + word + "}", replacement)
        into[name] = statement
