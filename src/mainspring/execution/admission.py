"""Admission by what fits: cpus, gpus (by index), memory and custom resources of one engine."""

from __future__ import annotations

import msgspec

from mainspring.records.errors import DefinitionError
from mainspring.records.ports import Capacity
from mainspring.records.spec import Options


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """What one attempt holds until it ends."""

    cpus: float
    gpus: tuple[int, ...]
    memory: int
    custom: dict[str, float]


class Admission:
    """Keeps account of what is free. Not thread-safe; an engine has one."""

    def __init__(self, capacity: Capacity) -> None:
        self.capacity = capacity
        self._cpus = _units(capacity.cpus)
        self._memory = capacity.memory
        self._gpus = list(range(capacity.gpus))
        self._custom = {name: _units(amount) for name, amount in capacity.custom.items()}

    @property
    def full(self) -> bool:
        """Nothing more can start until something ends."""
        return self._cpus <= 0

    def admit(self, want: Options) -> Grant | None:
        """Take what `want` asks for, or nothing and return None."""
        cpus, memory = _units(want.cpus), want.memory or 0
        custom = {name: _units(amount) for name, amount in want.resources.items()}
        fits = cpus <= self._cpus and want.gpus <= len(self._gpus) and memory <= self._memory
        if not fits or any(n > self._custom.get(name, 0) for name, n in custom.items()):
            return None
        self._cpus -= cpus
        self._memory -= memory
        gpus = tuple(self._gpus[: want.gpus])
        del self._gpus[: want.gpus]
        for name, amount in custom.items():
            self._custom[name] -= amount
        return Grant(cpus=want.cpus, gpus=gpus, memory=memory, custom=want.resources)

    def occupy(self, want: Options) -> Grant:
        """Take what an attempt at work holds already, whether it fits or not (of the GPUs those
        that are free)."""
        self._cpus -= _units(want.cpus)
        self._memory -= want.memory or 0
        gpus = tuple(self._gpus[: want.gpus])
        del self._gpus[: want.gpus]
        for name, amount in want.resources.items():
            self._custom[name] = self._custom.get(name, 0) - _units(amount)
        return Grant(cpus=want.cpus, gpus=gpus, memory=want.memory or 0, custom=want.resources)

    def give_back(self, grant: Grant) -> None:
        """Return what an ended attempt held."""
        self._cpus += _units(grant.cpus)
        self._memory += grant.memory
        self._gpus = sorted((*self._gpus, *grant.gpus))
        for name, amount in grant.custom.items():
            self._custom[name] += _units(amount)


def _units(amount: float) -> int:
    """Millionths: whole numbers, so that what was taken and given back leaves nothing behind."""
    return round(amount * 1_000_000)


def check_fits(name: str, want: Options, capacity: Capacity, where: str = "") -> None:
    """Raise DefinitionError when a step asks for more than there is at all."""
    lack = lacks(want, capacity)
    if lack:
        raise DefinitionError(
            f"step {name!r} {lack}",
            where=where or None,
            hint="ask for less, or run where there is more",
        )


def lacks(want: Options, capacity: Capacity) -> str:
    """Say what `want` asks for that there is not at all; empty when it fits an idle engine."""
    asked = {"cpus": want.cpus, "gpus": want.gpus, "memory": want.memory or 0, **want.resources}
    there: dict[str, float] = {
        "cpus": capacity.cpus,
        "gpus": capacity.gpus,
        "memory": capacity.memory,
        **capacity.custom,
    }
    for what, amount in asked.items():
        if amount > there.get(what, 0):
            asks, has = (_shown(what, n) for n in (amount, there.get(what, 0)))
            return f"asks for {what}={asks}, there is {has}"
    return ""


def _shown(what: str, amount: float) -> str:
    return f"{amount / (1 << 30):.4g} GiB" if what == "memory" else f"{amount:g}"
