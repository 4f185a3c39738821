"""What a capsule is: the same bytes every time, and what others' programs say of it."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import msgspec
import pytest
from blake3 import blake3
from tests.app.capsule.world import World
from tests.services.referees import Referees, install

from mainspring.app.capsule import packing
from mainspring.app.capsule.writing import export
from mainspring.records.capsule import Capsule
from mainspring.records.environments import decode
from mainspring.records.errors import CapsuleError, ConflictError
from mainspring.records.status import RunStatus
from mainspring.storage.archive import Archive


@pytest.fixture(scope="session")
def referees(tmp_path_factory: pytest.TempPathFactory) -> Referees:
    found = install(tmp_path_factory.mktemp("referees"))
    if found is None:
        pytest.skip("needs roc-validator, which can't be installed here")
    return found


def read(path: Path) -> Capsule:
    with zipfile.ZipFile(path) as found:
        return msgspec.json.decode(found.read(packing.CAPSULE), type=Capsule)


PROFILES = (
    "ro-crate-1.1",
    "workflow-ro-crate",
    "process-run-crate",
    "workflow-run-crate",
    "provenance-run-crate",
)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("profile", PROFILES)
def test_an_independent_validator_finds_a_workflow_run_crate(
    world: World, referees: Referees, profile: str
) -> None:
    assert f"passed {profile}" in referees.crate(world.capsule, profile)


@pytest.mark.timeout(300)
def test_independent_programs_verify_the_signature_and_the_statement(
    world: World, referees: Referees
) -> None:
    said = msgspec.json.decode(referees.seal(world.capsule))
    build = said["predicate"]["buildDefinition"]
    assert build["externalParameters"]["parameters"] == {"n": 3, "mode": "plain"}
    subjects = {subject["name"] for subject in said["subject"]}
    assert {"capsule.json", "artifacts/matrix/result.npy"} <= subjects
    assert said["predicate"]["runDetails"]["metadata"]["invocationId"] == world.run.id


def test_the_same_run_makes_the_same_bytes(world: World, tmp_path: Path) -> None:
    again = tmp_path / "again.crate.zip"
    export(world.project, world.run, again, key=world.key)
    assert again.read_bytes() == world.capsule.read_bytes()


def test_every_file_has_both_its_digests(world: World) -> None:
    found = read(world.capsule)
    with zipfile.ZipFile(world.capsule) as capsule:
        names = set(capsule.namelist())
        for file in found.files:
            data = capsule.read(file.path)
            assert len(data) == file.size
            assert hashlib.sha256(data).hexdigest() == file.sha256
            assert "blake3:" + blake3(data).hexdigest() == file.blake3
    listed = {file.path for file in found.files}
    assert names - listed == {packing.CAPSULE, packing.SEAL, packing.SIGNER}
    with Archive(world.capsule) as capsule:
        assert capsule.names == names


def test_people_find_what_they_look_for(world: World) -> None:
    with zipfile.ZipFile(world.capsule) as capsule:
        names = capsule.namelist()
        assert b"def double" in capsule.read("source/flow.py")
        assert "source/notes and more.txt" in names
        assert capsule.read("artifacts/files_2/result/inner/b.txt") == b"b"
        assert capsule.read("artifacts/total/result.json") == b"6"
        assert b"double.map" not in capsule.read("pipeline.yaml")
        card = capsule.read("MODEL_CARD.md").decode()
    assert "parameter n" in card
    assert "enough" in card
    # Two names that a Mac takes for one: only one file can have its own.
    assert ("source/Makefile" in names) != ("source/makefile" in names)


def test_what_it_ran_in_is_there(world: World) -> None:
    found = read(world.capsule)
    paths = {file.path: file for file in found.files}
    assert paths[packing.ENVIRONMENT].blake3 == world.run.environment
    with zipfile.ZipFile(world.capsule) as capsule:
        said = decode(capsule.read(packing.ENVIRONMENT))
        assert "numpy" in said.packages
        assert said.lock is not None
        assert set(said.blobs()) <= {file.blake3 for file in found.files}
        assert b"numpy" in capsule.read(packing.LOCKS + said.lock.main)


def test_large_values_can_stay_away(world: World, tmp_path: Path, monkeypatch: object) -> None:
    assert isinstance(monkeypatch, pytest.MonkeyPatch)
    monkeypatch.setattr(packing, "LARGE", 10_000)
    target = tmp_path / "small.crate.zip"
    view = export(world.project, world.run, target, key=None, values=False)
    [left_out] = view.left_out
    assert left_out.size == 24128
    found = read(target)
    [matrix] = [task for task in found.past.tasks if task.path == "matrix"]
    assert matrix.outputs["result"].digest == left_out.digest == found.left_out[0].digest
    assert view.signer is None


def test_a_value_that_is_gone_is_named_and_does_not_stop_the_export(
    world: World, tmp_path: Path
) -> None:
    [task] = [t for t in world.project.store.read.tasks(world.run.id) if t.path == "matrix"]
    ref = world.project.store.read.outputs(task.id)["result"]
    place = world.project.blobs.path(ref.digest)
    aside = place.rename(tmp_path / "aside")
    try:
        view = export(world.project, world.run, tmp_path / "x.crate.zip", key=None)
    finally:
        aside.rename(place)
    assert [(found.digest, found.why) for found in view.left_out] == [
        (ref.digest, "it was not in the store any more")
    ]


def test_a_run_that_has_not_ended_is_refused(world: World, tmp_path: Path) -> None:
    run = msgspec.structs.replace(world.run, status=RunStatus.PAUSED)
    with pytest.raises(ConflictError, match="paused"):
        export(world.project, run, tmp_path / "x.crate.zip", key=None)
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_stays_unless_asked(world: World, tmp_path: Path) -> None:
    target = tmp_path / "x.crate.zip"
    target.write_text("mine")
    with pytest.raises(ConflictError, match="exists"):
        export(world.project, world.run, target, key=None)
    assert target.read_text() == "mine"
    export(world.project, world.run, target, key=None, force=True)
    assert zipfile.is_zipfile(target)
    with pytest.raises(ConflictError, match="directory"):
        export(world.project, world.run, tmp_path, key=None, force=True)


def test_a_step_whose_code_is_elsewhere_is_refused(world: World) -> None:
    from tests.app.flows import pipeline, step

    from mainspring.storage.source import load_manifest

    manifest = load_manifest(world.run.snapshot, world.project.blobs)
    packing.check_code(pipeline(step("total")), manifest)
    for uses in ("os:system", "numpy.random:seed", "missing.ipynb"):
        with pytest.raises(CapsuleError) as caught:
            packing.check_code(pipeline(step("evil", uses=uses)), manifest)
        assert caught.value.offence == "code outside of the source"
