"""kill -9 at random instants: 40 seeded trials in every test run, 200 in `make chaos`."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests.chaos.trial import trial, undisturbed


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Artifact digests of an undisturbed run."""
    found = undisturbed(tmp_path_factory.mktemp("undisturbed"))
    assert len(found) >= 30
    return found


@pytest.mark.timeout(180)
@pytest.mark.parametrize("seed", range(40))
def test_a_killed_run_resumes_to_the_same_artifacts(
    seed: int, expected: dict[str, str], tmp_path: Path
) -> None:
    root = tmp_path / "elsewhere"  # another directory than the undisturbed run's
    trial(root, seed, expected)
    shutil.rmtree(root)


@pytest.mark.chaos
@pytest.mark.timeout(180)
@pytest.mark.parametrize("seed", range(1000, 1200))
def test_many_killed_runs_resume_to_the_same_artifacts(
    seed: int, expected: dict[str, str], tmp_path: Path
) -> None:
    root = tmp_path / "elsewhere"
    trial(root, seed, expected)
    shutil.rmtree(root)
