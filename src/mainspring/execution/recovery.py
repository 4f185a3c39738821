"""Taking over from dead engines.

Why in a file of its own: this is the one place where an attempt changes hands, and a mistake here
runs a task twice or never. An engine is dead when its lease is; who holds one is for the leases to
say. What its attempts came to is then asked of the executor, which looks for the outcome file
first: a worker may have outlived its engine, and an outcome that is durable counts whoever was
watching.
"""

from __future__ import annotations

from collections.abc import Sequence

from mainspring.records.runs import Attempt
from mainspring.records.stores import Leases, Transaction


def take_over(
    tx: Transaction, leases: Leases, engine: str, former: Sequence[str] = ()
) -> list[Attempt]:
    """Move the running attempts of every dead engine to `engine`, one epoch on; return them.

    `former` are names that `engine` itself had before: nobody works under them any more, whatever
    their leases say.
    """
    others = [name for name in tx.engines() if name != engine]
    dead = [name for name in others if name in former or not leases.alive(name)]
    return tx.take_over(dead, engine) if dead else []
