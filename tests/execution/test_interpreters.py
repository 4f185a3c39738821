"""The command line and the variables of the Python that runs workers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from mainspring.execution import interpreters
from mainspring.execution.interpreters import Interpreter, activated, own, successor


def test_the_python_that_runs_now_is_given_nothing_more() -> None:
    assert own().command("a.b") == [sys.executable, "-P", "-c", "from a.b import main; main()"]
    assert successor("a.b") == own().command("a.b")
    found = own().environment({"PATH": "/bin", "VIRTUAL_ENV": "/mine", "SECRET": "no"})
    assert (found["PATH"], found["VIRTUAL_ENV"]) == ("/bin", "/mine")
    assert "SECRET" not in found


def test_what_is_put_last_is_last_and_no_argument(tmp_path: Path) -> None:
    (tmp_path / "shown.py").write_text(
        "import sys\nfrom mainspring.execution.interpreters import LAST\n"
        "def main(): print([sys.path[-1], LAST, sys.argv])\n",
        encoding="utf-8",
    )
    first = f"{own().first}{os.pathsep}{tmp_path}"
    other = Interpreter(sys.executable, first, ("/last",))
    done = subprocess.run(
        other.command("shown"), env=other.environment({}), capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert done.stdout == "['/last', ['/last'], ['-c']]\n"


def test_a_worker_that_is_started_anew_is_given_the_same() -> None:
    interpreters.LAST.append("/last")
    try:
        assert successor("a.b")[-1] == "/last"
    finally:
        interpreters.LAST.clear()


def test_programs_find_the_environment_of_a_python(tmp_path: Path) -> None:
    python = tmp_path / "bin" / "python"
    assert activated(str(python), {"PATH": "/bin"}) == {"PATH": f"{python.parent}:/bin"}
    (tmp_path / "pyvenv.cfg").touch()
    assert activated(str(python), {}) == {
        "PATH": str(python.parent), "VIRTUAL_ENV": str(tmp_path),
    }  # fmt: skip
