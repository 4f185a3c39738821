"""In what two values of a step differ: where, and numbers by how much.

It runs as a step of its own in a worker, where the project's classes and the environment's
libraries are at hand, and where a damaged value ends nothing but its own process.
"""

from __future__ import annotations

from typing import Any

import msgspec

from mainspring.definition.step import step
from mainspring.execution.differences import Walk

PLACE = f"{__name__}:compare"
"""What an order `uses` to have two values compared."""


@step
def compare(recorded: Any, made: Any) -> dict[str, Any]:
    """Return the `records.verdicts.Comparison` of two values, as plain data."""
    walk = Walk()
    walk.values(recorded, made, "")
    # By way of JSON, as tuples would be stored as such.
    return msgspec.json.decode(msgspec.json.encode(walk.comparison()))
