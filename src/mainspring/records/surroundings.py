"""Under which conditions a process runs user code, where they are not the usual ones."""

from __future__ import annotations

import msgspec

HASH_SEED = 0
"""PYTHONHASHSEED of every worker, unless an experiment says otherwise."""


class Surroundings(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an experiment holds fixed, or changes.

    `hash_seed` is PYTHONHASHSEED. `clock` is where the wall clock begins, in seconds since the
    epoch; it goes on by a fixed step whenever it is looked at. `entropy` is a seed for what the
    machine's source of randomness gives. With `single` there is one thread, on one core.
    """

    hash_seed: int = HASH_SEED
    clock: float | None = None
    entropy: int | None = None
    single: bool = False

    @property
    def usual(self) -> bool:
        """Whether nothing but string hashes is out of the ordinary."""
        return self.clock is None and self.entropy is None and not self.single
