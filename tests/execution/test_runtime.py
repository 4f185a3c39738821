"""A whole run in another Python: real virtual environments, real workers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests.app import flows

from mainspring.app.project import Project
from mainspring.app.reader import Artifacts
from mainspring.app.running import drive
from mainspring.execution.runtime import prepared
from mainspring.records.errors import EnvironmentBuildError
from mainspring.records.status import RunStatus

STEPS = """
    import sys
    from mainspring.definition.step import step

    @step
    def where() -> list[str]:
        import subprocess, msgspec, only_there
        shown = subprocess.run(
            ["python", "-c", "import sys; print(sys.prefix)"],
            capture_output=True, text=True, check=True,
        )
        return [sys.prefix, shown.stdout.strip(), only_there.TEXT, msgspec.__file__, *sys.argv[1:]]
"""
FLOW = flows.pipeline(flows.step("where", outputs={"result": "list[str]"}))


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """An environment with nothing in it but a module of its own, named `only_there`."""
    place = tmp_path / "other"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(place)], check=True)
    (site,) = place.glob("lib/python*/site-packages")
    (site / "only_there.py").write_text("TEXT = 'found'\n", encoding="utf-8")
    return place


@pytest.mark.parametrize("start", ["zygote", "spawn"])
def test_a_run_in_another_environment(project: Path, environment: Path, start: str) -> None:
    flows.write(project, STEPS)
    settings = project / "mainspring.toml"
    settings.write_text(f'{settings.read_text("utf-8")}\n[execution]\nstart = "{start}"\n', "utf-8")
    opened = Project(project)
    try:
        run = flows.recorded(opened, FLOW)
        executor = opened.executor(python=environment / "bin" / "python")
        assert drive(opened, [run.id], executor=executor)[run.id] is RunStatus.SUCCEEDED
        ((_, _, ref),) = opened.store.read.artifacts(run.id)
        prefix, shown, text, msgspec, *arguments = Artifacts(opened.blobs).value(ref)
        assert (prefix, shown, text, arguments) == (str(environment), str(environment), "found", [])
        assert Path(msgspec).is_relative_to(opened.home / "cache" / "runtime")
        assert [one for one in opened.store.read.tasks(run.id) if one.error] == []
    finally:
        opened.close()


def test_what_workers_need_is_laid_out_once(environment: Path, tmp_path: Path) -> None:
    python = environment / "bin" / "python"
    first = prepared(python, tmp_path)
    assert prepared(python, tmp_path) == first
    assert [path.name for path in Path(first.first).iterdir()] == ["mainspring"]
    (last,) = first.last
    names = {path.name.partition("-")[0] for path in Path(last).iterdir()}
    assert names == {"blake3", "msgspec"}
    assert len(list((tmp_path / "cache" / "runtime").iterdir())) == 1


def test_a_distribution_of_the_environment_is_not_shadowed(
    environment: Path, tmp_path: Path
) -> None:
    (site,) = environment.glob("lib/python*/site-packages")
    (site / "msgspec.py").write_text("OWN = True\n", encoding="utf-8")
    other = prepared(environment / "bin" / "python", tmp_path)
    ask = "import sys; sys.path += sys.argv[1:]; import msgspec; print(msgspec.OWN)"
    done = subprocess.run(
        [other.python, "-P", "-c", ask, *other.last], env=other.environment({}),
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "True\n"


def test_no_python_is_named(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentBuildError, match="no Python can be started there"):
        prepared(tmp_path / "python", tmp_path)


def test_a_python_that_is_too_old_is_named(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho 3 8 1 cpython-38 .so\n", encoding="utf-8")
    python.chmod(0o755)
    with pytest.raises(EnvironmentBuildError, match=r"has Python 3\.8\.1") as failed:
        prepared(python, tmp_path)
    assert failed.value.hint == "Mainspring's workers need 3.11 or later"
