from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

TEXT = """
import json, os, sys
from mainspring.execution import telemetry
from mainspring.execution.rehearsal import Rehearsal

rehearsal = Rehearsal(sys.argv[1])
(folder,) = os.listdir(os.path.join(sys.argv[1], "zygotes"))
rehearsal.everything()

def files():
    return sorted(os.path.join(at, n) for at, _, ns in os.walk(sys.argv[1]) for n in ns)

before = files()
rehearsal.one()
again = files()
said = telemetry.context()
rehearsal.close()
rehearsal.close()
print(json.dumps([before == again, said, files(), "numpy" in sys.modules]))
"""


def test_it_goes_through_everything_and_leaves_nothing(tmp_path: Path) -> None:
    """In a process of its own: it sets variables, seeds and the place for telemetry."""
    done = subprocess.run(
        [sys.executable, "-c", TEXT, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    same, said, left, heavy = json.loads(done.stdout)
    assert same  # a spare worker's rehearsal writes nothing new
    assert said is None
    assert left == []
    assert not heavy
