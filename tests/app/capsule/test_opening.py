"""Capsules of every format that there was are still opened."""

from __future__ import annotations

from pathlib import Path

import pytest

from mainspring.app.capsule import packing
from mainspring.app.capsule.importing import take
from mainspring.app.capsule.opening import Trust, opened
from mainspring.app.project import Project
from mainspring.records.errors import CapsuleError
from mainspring.storage import signing
from mainspring.storage.archive import Archive

DATA = Path(__file__).parents[2] / "data"
FIRST = DATA / "capsule-1.crate.zip"


def test_format_1_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "mainspring.toml").write_text('[project]\nname = "later"\n')
    with Archive(FIRST) as archive:
        pem = archive.read(packing.SIGNER, 1000)
    key = signing.key_id(signing.read_public(pem))
    project = Project(tmp_path)
    view = take(project, FIRST, Trust(keys=(key,)))
    read = project.store.read
    assert (view.status, view.tasks, view.signer) == ("succeeded", 7, key)
    assert read.run(view.run).parameters == {"n": 3}
    assert [metric.last for metric in read.metrics(view.run)] == [6.0]
    [verdict] = read.verdicts(view.run)
    assert verdict.passed
    [total] = [ref for path, _, ref in read.artifacts(view.run) if path == "total"]
    assert project.blobs.read(total.digest) == b"6"
    assert project.store.integrity() == []
    project.close()


def test_only_what_was_asked_for_is_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    with Archive(FIRST) as archive, pytest.raises(CapsuleError) as caught:
        opened(archive, Trust(keys=("sha256:" + "0" * 64,), unsigned=True, pickle=True))
    assert caught.value.offence == "unknown signer"
