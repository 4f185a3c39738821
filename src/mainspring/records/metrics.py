"""What a step logs while it runs: scalar points, and figures and tables as small files."""

from __future__ import annotations

import msgspec


class Point(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """One scalar: `step` is the caller's counter (None: not given), `at` seconds since 1970."""

    name: str
    value: float
    step: float | None
    at: float


class MetricSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A metric of one task: its last value and how many points it has."""

    task: str
    name: str
    last: float
    count: int
    minimum: float
    maximum: float
    step: float | None = None


class Medium(msgspec.Struct, frozen=True, kw_only=True):
    """A figure or table that a step logged: `kind` is "figure" or "table"."""

    task: str
    attempt: str
    name: str
    kind: str
    digest: str
    size: int
    mime: str
    step: float | None = None
