"""What differs between two keys, in words: `code changed: build_model, model.py:41`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from mainspring.planning.fingerprint import compare
from mainspring.records.stores import KeyParts

Compare: TypeAlias = Callable[[str, str], str]
"""Two versions of one dataset or model (`data digits@v3`, …v4) -> what differs: `12 files changed`;
"" where that can't be told."""

_SOURCES = ("data ", "model ")


def differences(before: KeyParts, now: KeyParts, told: Compare | None = None) -> list[str]:
    """Return what changed from one task's key parts to another's; empty if nothing did."""
    found = [f"code changed: {text}" for text in compare(before.static.code, now.static.code)]
    found += _inputs(before.inputs, now.inputs, told)
    found += _mapping("", before.static.environment, now.static.environment)
    found += _mapping("option ", before.static.options, now.static.options)
    found += _names("environment variable ", before.static.variables, now.static.variables)
    if before.static.platform != now.static.platform:
        found.append(f"platform {before.static.platform} → {now.static.platform}")
    if before.static.semantics != now.static.semantics:
        found.append("a newer Mainspring runs steps differently")
    if before.seed != now.seed:
        found.append("seed changed")
    return found


def _inputs(
    before: Mapping[str, tuple[str, str]],
    now: Mapping[str, tuple[str, str]],
    told: Compare | None,
) -> list[str]:
    found: list[str] = []
    for name in sorted({*before, *now}):
        old, new = before.get(name), now.get(name)
        if old is None or new is None:
            found.append(f"input {name} {'added' if old is None else 'removed'}")
        elif old[0] != new[0] and new[1].startswith(_SOURCES) and old[1].startswith(_SOURCES):
            found.append(_version_changed(old[1], new[1], told))
        elif old[0] != new[0]:
            found.append(_changed(name, old, new))
    return list(dict.fromkeys(found))


def _version_changed(old: str, new: str, told: Compare | None) -> str:
    """`data digits v3 → v4 (12 files changed)`; another dataset is named in full."""
    if old.partition("@")[0] != new.partition("@")[0]:
        return f"{old} → {new}"
    said = told(old, new) if told is not None else ""
    name, _, version = old.partition("@")
    return f"{name} {version} → {new.partition('@')[2]}" + (f" ({said})" if said else "")


def _changed(name: str, old: tuple[str, str], new: tuple[str, str]) -> str:
    literal = old[0].startswith("json:") and new[0].startswith("json:")
    what = f"{'parameter' if literal else 'input'} {name}"
    if old[1] != new[1]:
        return f"{what} {old[1]} → {new[1]}"
    # After the `+` is the digest of the code of the value's classes (planning/decide.py).
    same = old[0].partition("+")[0] == new[0].partition("+")[0]
    return f"code changed: a class of input {name}" if same else f"{what} changed: {new[1]}"


def _mapping(what: str, before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    found: list[str] = []
    for name in sorted({*before, *now}):
        old, new = before.get(name, "none"), now.get(name, "none")
        if old != new:
            found.append(f"{what}{name} {old} → {new}")
    return found


def _names(what: str, before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Only that they changed: their values may be secret."""
    names = sorted({*before, *now})
    return [f"{what}{name} changed" for name in names if before.get(name) != now.get(name)]
