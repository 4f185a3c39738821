"""What is recorded of an environment with each run: real projects, and what is installed here."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest
from tests.app import flows

from mainspring.app.gc import Policy, collect
from mainspring.app.project import Project
from mainspring.records.environments import Environment, decode
from mainspring.records.runs import Run

FLOW = """
    import numpy as np
    from mainspring.definition.step import step

    @step(cpus=2)
    def mean() -> float:
        return float(np.mean([1, 2]))
"""
SPEC = flows.pipeline(flows.step("mean", cpus=2.0))
HASH = "--hash=sha256:" + "0" * 64


@pytest.fixture
def opened(project: Path) -> Iterator[Project]:
    flows.write(project, FLOW)
    opened = Project(project)
    yield opened
    opened.close()


def environment_of(project: Project, run: Run) -> Environment:
    assert run.environment is not None
    return decode(project.blobs.read(run.environment))


def again(project: Project) -> tuple[Run, Environment]:
    opened = Project(project.root)
    try:
        run = flows.recorded(opened, SPEC)
        return run, environment_of(opened, run)
    finally:
        opened.close()


def test_a_project_without_a_lock(opened: Project) -> None:
    run = flows.recorded(opened, SPEC)
    assert opened.store.read.run(run.id) == run
    found = environment_of(opened, run)
    assert found.packages["numpy"] == version("numpy")
    assert "scikit-learn" not in found.packages
    assert found.threads == {"mean": 2}
    assert found.why == "the project has no lock"
    assert found.lock is not None
    assert (found.lock.kind, found.lock.python) == ("made", "{}.{}".format(*sys.version_info))
    text = opened.blobs.read(found.lock.files["pylock.toml"]).decode()
    assert f'name = "numpy"\nversion = "{version("numpy")}"' in text
    assert str(Path.home()) not in text
    assert any(library.of == "numpy" for library in found.libraries)


def test_it_is_found_out_once(opened: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    first = flows.recorded(opened, SPEC)
    monkeypatch.setattr("mainspring.storage.pins.pin", lambda *_: pytest.fail("looked again"))
    assert flows.recorded(opened, SPEC).environment == first.environment


def test_the_projects_own_lock_if_it_is_what_is_installed(opened: Project) -> None:
    path = opened.root / "requirements.lock"
    run, found = again(opened)
    names = found.packages
    good = "".join(f"{name}=={number} {HASH}\n" for name, number in names.items())
    path.write_text(good, encoding="utf-8")
    other, found = again(opened)
    assert other.environment != run.environment
    assert found.lock is not None
    assert (found.lock.kind, found.lock.path, found.why) == (
        "requirements",
        "requirements.lock",
        "",
    )
    path.write_text(good.replace(f"numpy=={version('numpy')}", "numpy==1.0"), encoding="utf-8")
    _, found = again(opened)
    assert found.lock is not None
    assert found.lock.kind == "made"
    wanted = f"what is installed is not what requirements.lock says: numpy {version('numpy')}"
    assert found.why == wanted
    path.write_text("numpy\n", encoding="utf-8")
    assert again(opened)[1].why == "requirements.lock:1: numpy has no hash"


def test_gc_keeps_it_as_long_as_its_run(opened: Project) -> None:
    run = flows.recorded(opened, SPEC)
    kept = {str(run.environment), *environment_of(opened, run).blobs()}
    collect(opened, Policy(), dry_run=False, grace=-1)
    assert all(opened.blobs.has(digest) for digest in kept)
    with opened.store.write([run.id]) as tx:
        tx.delete_run(run.id)
    collect(opened, Policy(), dry_run=False, grace=-1)
    assert not any(opened.blobs.has(digest) for digest in kept)
