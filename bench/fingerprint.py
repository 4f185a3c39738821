"""The fingerprint of a step that reaches 500 modules, when nothing has changed: what planning pays.

Measured in a process that has done it never before (the caches on disk are warm). The floor lists
the same files and looks at their times.
"""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import timing
from timing import Row

K = 9
MODULES = 500
PACKAGE = 25
INSIDE = """
import json, sys, time
from pathlib import Path
from mainspring.app.project import Project
import mainspring.planning.fingerprint, mainspring.storage.source, mainspring.app.code
project = Project(Path(sys.argv[1]))
start = time.perf_counter()
manifest, snapshot = project.snapshot([""])
middle = time.perf_counter()
found = project.code(snapshot, manifest)._base.fingerprint("pipeline:go")
end = time.perf_counter()
print(json.dumps([1000 * (end - start), 1000 * (end - middle), len(found.parts)]))
"""
FLOW = """
from mainspring import pipeline, step
from p{last}.m{number} import f{number}

@step
def go(x: float) -> float:
    return f{number}(x)

@pipeline
def p(x: float = 1.0):
    go(x)
"""


def write(root: Path) -> None:
    """Modules in packages, each of which calls the three before it."""
    for i in range(MODULES):
        package = root / f"p{i // PACKAGE}"
        package.mkdir(exist_ok=True)
        (package / "__init__.py").touch()
        before = range(max(0, i - 3), i)
        imports = "\n".join(f"from p{j // PACKAGE}.m{j} import f{j}" for j in before)
        calls = " + ".join(f"f{j}(x)" for j in before) or "x"
        text = f"import math\n{imports}\n\nX = {i}\n\n\nclass C{i}:\n    size = X\n\n\n"
        text += f"def f{i}(x):\n    return math.sin({calls}) + C{i}.size\n"
        (package / f"m{i}.py").write_text(text, encoding="utf-8")


def main() -> None:
    """Print the rows as JSON."""
    number = MODULES - 1
    flow = FLOW.format(last=number // PACKAGE, number=number)
    with timing.project(flow, "pipeline:p") as root:
        write(root)
        inside(root)
        time.sleep(2.5)  # files that were just written are read again (storage/source.py)
        inside(root)
        a, b = timing.alternate(K, lambda: inside(root), lambda: floor(root))
    whole = timing.median([found[0] for found in a])
    alone = timing.median([found[1] for found in a])
    note = f"fingerprint alone {alone:.1f} ms, {int(a[0][2]):,} parts; floor: walk and stat"
    name = f"Snapshot and fingerprint of {MODULES} modules, warm"
    timing.report([Row(name, whole, timing.median(b), "ms", "20 ms", note)])


def inside(root: Path) -> list[float]:
    """Milliseconds of both, of the fingerprint alone, and how many parts it has."""
    import json

    done = subprocess.run(
        [timing.PYTHON, "-c", INSIDE, str(root)], cwd=root, env=timing.environment(),
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return json.loads(done.stdout)


def floor(root: Path) -> float:
    """Milliseconds to list the modules and look at each."""
    start = time.perf_counter()
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            os.stat(os.path.join(folder, name))
    return 1000 * (time.perf_counter() - start)


if __name__ == "__main__":
    main()
