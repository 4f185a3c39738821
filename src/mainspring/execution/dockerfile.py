"""What a Dockerfile says it copies and builds on: all of the project that its image depends on."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, cast

_WORD = re.compile(r"\S+")
_FLAG = re.compile(r"--[a-z]+(=\S*)?")
_VARIABLE = re.compile(r"\$(?:\{(\w+)(?::?[-+][^}]*)?\}|(\w+))")
_FROM = re.compile(r"(\S+)(?:\s+as\s+(\S+))?\s*$", re.IGNORECASE)


class Recipe(NamedTuple):
    """`sources`: paths and globs that are copied, None for "anything"; `bases`: images named."""

    sources: tuple[str, ...] | None
    bases: tuple[str, ...]


def read(text: str) -> Recipe:
    """Return what a Dockerfile depends on; too much is fine, too little never."""
    sources: list[str] = []
    anything = False
    bases: dict[str, None] = {}
    stages: set[str] = {"scratch"}
    values: dict[str, str] = {}
    for word, rest in _instructions(text):
        if word == "ARG" and "=" in rest:
            name, _, value = rest.partition("=")
            values.setdefault(name.strip(), value.strip().strip("'\""))
        elif word == "FROM":
            base, stage = _base(rest, values)
            if base.lower() not in stages:
                bases[base] = None
            stages.add((stage or "").lower())
        elif word in ("COPY", "ADD"):
            found = _copied(rest)
            anything = anything or found is None
            sources += found or ()
        elif word == "RUN":
            anything = anything or "--mount=" in rest
        elif word == "ONBUILD":
            anything = True
    return Recipe(None if anything else tuple(dict.fromkeys(sources)), tuple(bases))


def _instructions(text: str) -> Iterator[tuple[str, str]]:
    """Each instruction's word, in capitals, and the rest of its (continued) line."""
    mark = "`" if re.match(r"\s*#\s*escape\s*=\s*`", text, re.IGNORECASE) else "\\"
    whole = ""
    for line in map(str.rstrip, text.splitlines()):
        if line.lstrip().startswith("#"):
            continue
        if line.endswith(mark):
            whole += line[:-1] + " "
            continue
        word, _, rest = (whole + line).strip().partition(" ")
        whole = ""
        if word:
            yield word.upper(), rest.strip()


def _base(rest: str, values: dict[str, str]) -> tuple[str, str | None]:
    while (flag := _FLAG.match(rest)) is not None:
        rest = rest[flag.end() :].lstrip()
    rest = _VARIABLE.sub(lambda found: values.get(found[1] or found[2], found[0]), rest)
    found = _FROM.match(rest)
    return (found[1], found[2]) if found else (rest, None)


def _copied(rest: str) -> list[str] | None:
    """Paths and globs that one COPY or ADD takes from the project; None when it can't be told."""
    while (flag := _FLAG.match(rest)) is not None:
        if flag[0].startswith("--from="):
            return []
        rest = rest[flag.end() :].lstrip()
    words = _json(rest) if rest.startswith("[") else _WORD.findall(rest)
    sources = [word for word in words[:-1] if not word.startswith("<<") and "://" not in word]
    if any("$" in word or "\\" in word or '"' in word for word in sources):
        return None
    return [_plain(word) for word in sources]


def _json(text: str) -> list[str]:
    try:
        found: Any = json.loads(text)
    except ValueError:
        return _WORD.findall(text)
    words = cast("list[Any]", found) if isinstance(found, list) else []
    return [str(word) for word in words]


def _plain(path: str) -> str:
    """A path relative to the project; "" is the project itself."""
    found = posixpath.normpath("/" + path).lstrip("/")
    return "" if found == "." else found


def context(recipe: Recipe, ignore: str, paths: Iterable[str]) -> list[str]:
    """Which of the project's files are for the build: what is copied, less what is ignored.

    `ignore` is the text of a `.dockerignore`.
    """
    left_out = _rules(ignore)
    wanted = None if recipe.sources is None else [_pattern(one) for one in recipe.sources]
    return [
        path
        for path in sorted(paths)
        if (wanted is None or any(one.match(path) for one in wanted))
        and not _is_ignored(path, left_out)
    ]


def _rules(text: str) -> list[tuple[re.Pattern[str], bool]]:
    """Patterns of a `.dockerignore`, and whether each takes files out (or back in)."""
    found: list[tuple[re.Pattern[str], bool]] = []
    for line in map(str.strip, text.splitlines()):
        if line and not line.startswith("#"):
            found.append((_pattern(_plain(line.removeprefix("!"))), not line.startswith("!")))
    return found


def _is_ignored(path: str, rules: list[tuple[re.Pattern[str], bool]]) -> bool:
    ignored = False
    for pattern, out in rules:
        if pattern.match(path):
            ignored = out
    return ignored


def _pattern(glob: str) -> re.Pattern[str]:
    """A path or glob of Docker's, for the whole path of a file or of a directory above it."""
    if not glob:
        return re.compile("")
    text = re.escape(glob).replace(r"\*\*/", "(?:.*/)?").replace(r"\*\*", ".*")
    text = text.replace(r"\*", "[^/]*").replace(r"\?", "[^/]")
    text = re.sub(r"\\\[(.*?)\\\]", lambda found: f"[{found[1]}]".replace(r"\-", "-"), text)
    return re.compile(f"(?:{text})(?:/|$)")
