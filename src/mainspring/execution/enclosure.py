"""What both sides of a container's wall know: who runs a step inside, what lies between them."""

from __future__ import annotations

import os

import msgspec

from mainspring.records.runs import Order

# Must be understood by any Python 3. It says what is missing before anything of ours is imported.
CODE = """
import importlib.util, json, os, sys
said = ""
if sys.version_info < (3, 11):
    said = "its python3 is Python %d.%d" % sys.version_info[:2]
else:
    missing = [n for n in ("blake3", "msgspec") if importlib.util.find_spec(n) is None]
    if missing:
        said = "its Python lacks " + " and ".join(missing)
if said:
    with open(os.path.join(os.path.dirname(sys.argv[1]), "ended.json"), "w") as file:
        json.dump({"refused": said}, file)
    sys.exit(78)
from mainspring.execution.inside import main
main(sys.argv[1])
"""


class Exchange:
    """What both sides of a container's wall know: files below the attempt's scratch directory."""

    def __init__(self, work: str) -> None:
        self.directory = f"{work}/.exchange"
        self.request = self.directory + "/order.json"
        self.outcome = self.directory + "/outcome.json"
        self.ended = self.directory + "/ended.json"
        self.given = self.directory + "/given"
        self.made = self.directory + "/made"

    def create(self) -> None:
        """Make the directories."""
        for path in (self.given, self.made):
            os.makedirs(path, exist_ok=True)


class Inside(msgspec.Struct, frozen=True, kw_only=True):
    """What a step is told: its order, and where the home, the snapshot and its scratch are."""

    order: Order
    home: str
    root: str
    work: str
