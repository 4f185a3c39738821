"""The public names: pinned, documented, lazy, and light to import."""

import subprocess
import sys
from pathlib import Path

import pytest

import mainspring

NAMES = {
    "MainspringError", "Run", "__version__", "checkpoint", "command", "container", "context",
    "figure", "init", "log", "notebook", "output", "pipeline", "repeat", "rng", "runs", "step",
    "stored_as", "table", "when", "workdir",
    "Dataset", "Model",
}  # fmt: skip
REFERENCE = Path(__file__).parents[1] / "docs/reference/python.md"


def test_names_are_pinned():
    assert set(mainspring.__all__) == NAMES
    assert set(dir(mainspring)) == NAMES
    assert {name for name in mainspring.__all__ if name != "__version__"} == set(mainspring._PUBLIC)


@pytest.mark.parametrize("name", sorted(NAMES))
def test_every_name_is_there_and_documented(name):
    assert getattr(mainspring, name) is not None
    assert f"`{name}`" in REFERENCE.read_text()


def test_no_name_is_a_submodule():
    folder = Path(mainspring.__file__).parent
    modules = {path.stem for path in folder.iterdir()}
    assert not NAMES & modules


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = mainspring.nothing  # type: ignore[attr-defined]


def modules_after(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", code + "\nimport sys\nprint(*sys.modules)"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return set(done.stdout.split())


def test_importing_the_package_imports_nothing_else_of_it():
    found = {name for name in modules_after("import mainspring") if name.startswith("mainspring")}
    assert found == {"mainspring"}
    assert "typing" not in modules_after("import mainspring")


def test_what_a_pipeline_file_imports_is_light():
    names = "checkpoint, command, pipeline, repeat, step, when"
    found = modules_after(f"from mainspring import {names}")
    heavy = {"dataclasses", "numpy", "yaml", "rich", "sqlite3", "asyncio", "logging"}
    if "typing_extensions" not in found:  # where it is installed, msgspec imports it, and it this
        heavy.add("inspect")
    assert not found & heavy
