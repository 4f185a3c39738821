"""Size of the core when installed: packages and megabytes on top of an empty environment."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

import timing
from timing import PYTHON, Row

ROOT = timing.HERE.parent
UV = shutil.which("uv")


def main() -> None:
    with timing.folder() as tmp:
        wheel = build(tmp)
        venv = tmp / "venv"
        install = make_environment(venv)
        before, own = size_of(venv), names_of(venv)
        start = time.perf_counter()
        run(*install, "--require-hashes", "-r", ROOT / "requirements.lock")
        run(*install, "--no-deps", wheel)
        spent = time.perf_counter() - start
        used = (size_of(venv) - before) / 1e6
        names = sorted(names_of(venv) - own)
        mine = sum(map(size_of, venv.rglob("site-packages/mainspring"))) / 1e6
        note = f"mainspring itself {mine:.2f}, its wheel {wheel.stat().st_size / 1e6:.2f}"
    timing.report([
        Row("core installed, with bytecode", used, None, "MB", "40 MB", note),
        Row("packages, itself included", len(names), None, "", "20", ", ".join(names)),
        Row("time to install", spent, None, "s", "", "what is in uv's cache is not downloaded"),
    ])  # fmt: skip


def build(folder: Path) -> Path:
    """Build the wheel with the backend of this environment."""
    run(PYTHON, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=ROOT)
    return next(folder.glob("*.whl"))


def make_environment(venv: Path) -> list[str]:
    """Make an empty environment; the command that installs into it, compiling as pip does."""
    python = str(venv / "bin" / "python")
    if UV:
        run(UV, "venv", "--quiet", "--python", PYTHON, venv)
        return [UV, "pip", "install", "--quiet", "--python", python, "--compile-bytecode"]
    run(PYTHON, "-m", "venv", venv)
    return [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]


def run(*words: object, cwd: Path | None = None) -> None:
    """Run a command that has to succeed; what it says goes to the error stream."""
    subprocess.run(
        list(map(str, words)), cwd=cwd, env=timing.environment(), check=True, stdout=2
    )  # fmt: skip


def names_of(venv: Path) -> set[str]:
    """The packages in an environment."""
    return {path.name.partition("-")[0] for path in venv.rglob("*.dist-info")}


def size_of(folder: Path) -> int:
    """The bytes that a directory's files take on the disk."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return sum(path.lstat().st_blocks * 512 for path in files)


if __name__ == "__main__":
    main()
