"""Images for `environment`: built by a real podman, once for what they are made of."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.services.podman import Podman

from mainspring.execution import container_engine
from mainspring.execution.images import REPOSITORY, Images
from mainspring.records.canonical import digest_bytes
from mainspring.records.errors import DefinitionError
from mainspring.records.source import SourceFile

pytestmark = pytest.mark.system("podman")

RECIPE = "FROM shell:1\nCOPY data/ /data/\nRUN cat /data/a > /built; cat /data/* > /all\n"


class Snapshot:
    """Files as a snapshot has them, in memory."""

    def __init__(self, home: Path, podman: Podman) -> None:
        self.home = home
        self.podman = podman
        self.texts = {"envs/Dockerfile": RECIPE, "data/a": "a", "data/b": "b", "steps.py": "1"}

    def id(self, **changes: str) -> str:
        self.texts |= {name.replace("__", "/").replace("_", "."): t for name, t in changes.items()}
        files = {
            name: SourceFile(path=name, digest=digest_bytes(text.encode()), size=len(text))
            for name, text in self.texts.items()
        }
        by_digest = {file.digest: self.texts[name].encode() for name, file in files.items()}
        return Images(self.home, files, by_digest.__getitem__).id_of("envs/Dockerfile", "f.py:1")

    def builds(self) -> int:
        """How many images have been built here."""
        return len(list((self.home / "cache" / "images").glob("*.log")))


@pytest.fixture
def snapshot(tmp_path: Path, podman: Podman, monkeypatch: pytest.MonkeyPatch) -> Iterator[Snapshot]:
    monkeypatch.setenv("CONTAINER_HOST", podman.url)
    yield Snapshot(tmp_path, podman)
    container_engine.forget()


def test_what_is_copied_decides_whether_it_is_built_again(snapshot: Snapshot) -> None:
    first = snapshot.id()
    assert snapshot.id(steps_py="2") == first
    assert snapshot.builds() == 1
    assert snapshot.id(data__a="changed") != first
    assert snapshot.builds() == 2
    assert snapshot.id(data__a="a") == first
    assert snapshot.builds() == 2


def test_what_is_in_it_and_what_is_left_out(snapshot: Snapshot) -> None:
    image = snapshot.id(_dockerignore="data/b\n", data__b="secret")
    run = ("run", "--rm", "--network=none", image, "cat")
    assert snapshot.podman(*run, "/all") == "a"
    assert snapshot.id(data__b="another secret") == image


def test_its_base_decides_too(snapshot: Snapshot) -> None:
    snapshot.podman.build("base:1", "one")
    first = snapshot.id(envs__Dockerfile="FROM base:1\nRUN cat /mark > /copy\n")
    snapshot.podman.build("base:1", "two")
    assert snapshot.id() != first
    assert snapshot.builds() == 2


def test_many_ask_and_one_builds(snapshot: Snapshot) -> None:
    found: list[str] = []
    unlike = RECIPE + "RUN sleep 0.5\n"
    snapshot.texts["envs/Dockerfile"] = unlike
    threads = [threading.Thread(target=lambda: found.append(snapshot.id())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(set(found)) == 1
    (log,) = (snapshot.home / "cache" / "images").glob("*.log")
    assert log.read_text().count("sleep 0.5") == 1


def test_a_build_that_fails_says_why(snapshot: Snapshot) -> None:
    with pytest.raises(
        DefinitionError, match="the image of envs/Dockerfile can't be built"
    ) as told:
        snapshot.id(envs__Dockerfile="FROM shell:1\nRUN cat /no-such-file\n")
    assert "no-such-file" in str(told.value)
    assert "f.py:1" in str(told.value)


def test_a_dockerfile_that_is_not_there(snapshot: Snapshot) -> None:
    del snapshot.texts["envs/Dockerfile"]
    with pytest.raises(
        DefinitionError, match="environment 'envs/Dockerfile' is not in the project"
    ):
        snapshot.id()


def test_images_are_named_by_what_they_are_of(snapshot: Snapshot) -> None:
    image = snapshot.id().removeprefix("sha256:")
    listed = snapshot.podman("images", "--no-trunc", "--format", "{{.Repository}} {{.ID}}")
    assert f"{REPOSITORY} sha256:{image}" in listed
