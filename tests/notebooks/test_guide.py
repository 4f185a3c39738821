"""The cells that docs/guide/notebooks.md shows, run in a kernel in its order."""

from __future__ import annotations

from pathlib import Path

from tests.notebooks.kernel import ROOT, Kernel
from tests.walkthrough import blocks

PAGE = ROOT / "docs" / "guide" / "notebooks.md"


def test_the_cells_of_the_guide(tmp_path: Path) -> None:
    shown: list[str] = []
    with Kernel(tmp_path) as kernel:
        for block in blocks(PAGE):
            if block.language == "python":
                displays = kernel.run(block.text).displays
                shown += [display["text/plain"] for display in displays]
    assert shown == ["10", "<plan of numbers: 1 run, 1 unknown>"]
