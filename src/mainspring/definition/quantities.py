"""Times and sizes as people write them: "30m" is 1800 seconds, "2GiB" is 2147483648 bytes."""

from __future__ import annotations

import math
import re

from mainspring.records.errors import DefinitionError

_TIMES = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_SIZES = {
    "": 1,
    "B": 1,
    "kB": 10**3,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
    "TiB": 2**40,
    "Ki": 2**10,
    "Mi": 2**20,
    "Gi": 2**30,
    "Ti": 2**40,
}
_NUMBER = r"([0-9]{1,15}(?:\.[0-9]{1,15})?)"
_TIME = re.compile(rf"{_NUMBER}\s*(ms|s|m|h|d|w)", re.ASCII)
_SIZE = re.compile(rf"{_NUMBER}\s*([A-Za-z]*)", re.ASCII)
_TIME_HINT = 'write a number of seconds, or text such as "30s", "5m", "1h30m", "2d"'
_SIZE_HINT = 'write a number of bytes, or text such as "500MB", "2GiB"'


def seconds(value: object, *, name: str, where: str = "") -> float:
    """Return a duration in seconds: a number, or text such as "90s", "30m", "1h30m".

    Raises DefinitionError; `name` is what the duration is for.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        if math.isfinite(value) and value >= 0:
            return float(value)
    elif isinstance(value, str):
        total, end = 0.0, 0
        text = value.strip()
        for found in _TIME.finditer(text):
            if found.start() != end:
                break
            total += float(found[1]) * _TIMES[found[2]]
            end = found.end()
        if text and end == len(text):
            return total
    raise DefinitionError(
        f"`{name}` is {value!r}, which is not a duration", where=where or None, hint=_TIME_HINT
    )


def size(value: object, *, name: str, where: str = "") -> int:
    """Return a size in bytes: a whole number, or text such as "500MB", "1.5GiB".

    Raises DefinitionError; `name` is what the size is for.
    """
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63:
        return value
    if isinstance(value, str) and (found := _SIZE.fullmatch(value.strip())):
        unit = _SIZES.get(found[2])
        if unit is not None and float(found[1]) * unit < 2**63:
            return round(float(found[1]) * unit)
    raise DefinitionError(
        f"`{name}` is {value!r}, which is not a size", where=where or None, hint=_SIZE_HINT
    )
