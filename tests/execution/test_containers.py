"""Containers, run here by a real podman: `commands.run` with an image."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.services.podman import Podman

from mainspring.execution import container_engine, containers
from mainspring.execution.attempt_files import AttemptFiles
from mainspring.execution.commands import CommandError, run
from mainspring.records.artifacts import Input, Literal, Stored
from mainspring.records.errors import DefinitionError
from mainspring.records.runs import Order
from mainspring.storage.serializers import registry
from mainspring.testing.memory import MemoryBlobs

pytestmark = pytest.mark.system("podman")


class World:
    def __init__(self, root: Path, podman: Podman) -> None:
        self.podman = podman
        self.files = AttemptFiles(root / "home", "r.1.1")
        self.files.create()
        Path(self.files.log).write_text("")
        self.blobs = MemoryBlobs()
        self.loaded = root / "loaded"
        self.loaded.mkdir()

    def __call__(self, command: str, **more: Any) -> str:
        order = Order(
            attempt="r.1.1", run="r", path="c", node="c", snapshot="s", command=command,
            shell=True, image=container_engine.image_id("shell:1"), outputs={"out": "out.txt"},
            **more,
        )  # fmt: skip
        found = run(order, str(self.loaded), self.files, self.blobs)["out"]
        assert self.podman.names() == []
        return registry.load(found, self.blobs, workdir=self.loaded).read_text()


@pytest.fixture
def world(tmp_path: Path, podman: Podman, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setenv("CONTAINER_HOST", podman.url)
    yield World(tmp_path, podman)
    container_engine.forget()


def test_values_and_files_go_in_and_a_file_comes_out(world: World, tmp_path: Path) -> None:
    given = tmp_path / "given.csv"
    given.write_text("a,b\n")
    stored = Stored(ref=registry.dump(given, Path, world.blobs))
    inputs: dict[str, Input] = {"x": Literal(value="two words"), "file": stored}
    text = "cat {inputs.file} > {outputs.out}; echo {inputs.x} >> {outputs.out}"
    assert world(text, inputs=inputs) == "a,b\ntwo words\n"


@pytest.mark.parametrize(
    "text", ["touch /new", "touch {inputs.file}", "exec 3<>/dev/tcp/1.1.1.1/53"]
)
def test_what_is_not_the_working_directory_is_read_only(
    world: World, tmp_path: Path, text: str
) -> None:
    given = tmp_path / "given.csv"
    given.write_text("a,b\n")
    stored = Stored(ref=registry.dump(given, Path, world.blobs))
    with pytest.raises(CommandError, match="exit status"):
        world(text, inputs={"file": stored})
    assert world.podman.names() == []


def test_there_is_no_network_unless_asked(world: World) -> None:
    assert world("ls /sys/class/net > {outputs.out}") == "lo\n"


def test_too_much_memory_is_said(world: World) -> None:
    with pytest.raises(MemoryError, match="memory limit of 33,554,432 bytes"):
        world("head -c 200000000 /dev/zero | tail > {outputs.out}; exit 137", memory=32 << 20)


def test_a_leftover_of_the_same_attempt_is_replaced(world: World) -> None:
    name = containers._name(world.files)
    world.podman("create", "--name", name, "shell:1", "sleep", "1000")
    assert world("echo new > {outputs.out}") == "new\n"


def test_whoever_concludes_an_attempt_removes_its_container(world: World) -> None:
    name = containers._name(world.files)
    world.podman("run", "--detach", "--network=none", "--name", name, "shell:1", "sleep", "1000")
    Path(world.files.container).write_text(world.podman.url)
    containers.clear(world.files)
    assert world.podman.names() == []
    assert not Path(world.files.container).exists()


def test_a_missing_image_is_refused_by_name(world: World) -> None:
    with pytest.raises(DefinitionError, match="the image nothing:1 is not on this machine") as told:
        container_engine.image_id("nothing:1")
    assert "pull nothing:1" in str(told.value)


def test_an_image_built_anew_has_another_id(world: World) -> None:
    world.podman.build("other:1", "one")
    before = container_engine.image_id("other:1")
    world.podman.build("other:1", "two")
    assert container_engine.image_id("other:1") != before


def test_no_engine_is_one_message(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CONTAINER_HOST", f"unix://{tmp_path}/none.sock")
    with pytest.raises(container_engine.ContainerError, match="no container engine answers"):
        container_engine.image_id("shell:1")
