"""Containers, run here by a real podman: `commands.run` with an image."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.services.docker import running as docker_running
from tests.services.podman import Podman, shell_archive

from mainspring.execution import container_engine, containers
from mainspring.execution.attempt_files import AttemptFiles
from mainspring.execution.commands import CommandError, run
from mainspring.records.artifacts import Input, Literal, Stored
from mainspring.records.errors import DefinitionError
from mainspring.records.runs import Order
from mainspring.storage.serializers import registry
from mainspring.testing.memory import MemoryBlobs

pytestmark = pytest.mark.system("podman")
needs_docker = pytest.mark.system("docker", "dockerd")


class World:
    def __init__(self, root: Path, podman: Podman | None = None) -> None:
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
        assert self.podman is None or self.podman.names() == []
        return registry.load(found, self.blobs, workdir=self.loaded).read_text()


def engine_of(world: World) -> Podman:
    assert world.podman is not None
    return world.podman


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
    assert engine_of(world).names() == []


def test_there_is_no_network_unless_asked(world: World) -> None:
    assert world("ls /sys/class/net > {outputs.out}") == "lo\n"


def test_too_much_memory_is_said(world: World) -> None:
    with pytest.raises(MemoryError, match="memory limit of 33,554,432 bytes"):
        world("head -c 200000000 /dev/zero | tail > {outputs.out}; exit 137", memory=32 << 20)


def test_a_leftover_of_the_same_attempt_is_replaced(world: World) -> None:
    name = containers._name(world.files)
    engine_of(world)("create", "--name", name, "shell:1", "sleep", "1000")
    assert world("echo new > {outputs.out}") == "new\n"


def test_whoever_concludes_an_attempt_removes_its_container(world: World) -> None:
    name = containers._name(world.files)
    engine_of(world)(
        "run", "--detach", "--network=none", "--name", name, "shell:1", "sleep", "1000"
    )
    Path(world.files.container).write_text(engine_of(world).url)
    containers.clear(world.files)
    assert engine_of(world).names() == []
    assert not Path(world.files.container).exists()


def test_a_missing_image_is_refused_by_name(world: World) -> None:
    with pytest.raises(DefinitionError, match="the image nothing:1 is not on this machine") as told:
        container_engine.image_id("nothing:1")
    assert "pull nothing:1" in str(told.value)


def test_an_image_built_anew_has_another_id(world: World) -> None:
    engine_of(world).build("other:1", "one")
    before = container_engine.image_id("other:1")
    engine_of(world).build("other:1", "two")
    assert container_engine.image_id("other:1") != before


def test_no_engine_is_one_message(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CONTAINER_HOST", f"unix://{tmp_path}/none.sock")
    with pytest.raises(container_engine.ContainerError, match="no container engine answers"):
        container_engine.image_id("shell:1")


@needs_docker
def test_docker_proper_does_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = tmp_path / "given.csv"
    given.write_text("a,b\n")
    with docker_running(shell_archive(tmp_path / "image.tar"), "shell:1") as url:
        monkeypatch.setenv("CONTAINER_HOST", url)
        world = World(tmp_path)
        stored = Stored(ref=registry.dump(given, Path, world.blobs))
        text = "cat {inputs.file} > {outputs.out}; ls /sys/class/net >> {outputs.out}"
        assert world(text, inputs={"file": stored}) == "a,b\nlo\n"
        with pytest.raises(CommandError, match="exit status"):
            world("touch /new")
        with pytest.raises(MemoryError, match="because it used more than its memory limit"):
            # The shell outlives what the kernel kills, so it says by its status what happened.
            world("head -c 200000000 /dev/zero | tail > {outputs.out}; exit 137", memory=32 << 20)
        assert container_engine.engine().client.api.containers(all=True) == []
        container_engine.forget()


def test_cpus_are_a_limit(world: World) -> None:
    quota = "/sys/fs/cgroup/cpu/cpu.cfs_quota_us"
    text = f"cat {quota} > {{outputs.out}} || cat /sys/fs/cgroup/cpu.max > {{outputs.out}}"
    assert world(text, cpus=0.5).split()[0] == "50000"


@pytest.mark.parametrize(
    "text",
    [
        "ln -s /etc/passwd {outputs.out}",
        "ln -s ../../../../secret {outputs.out}",
        "rmdir inputs; ln -s / inputs; ln -s inputs/etc/passwd {outputs.out}",
    ],
)
def test_an_output_that_leads_outside_is_not_taken(world: World, tmp_path: Path, text: str) -> None:
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "home" / "secret").write_text("secret")
    with pytest.raises(CommandError, match=r"is a link to|did not write|exit status"):
        world(text)


def test_what_it_is_told_are_words_not_a_shell(world: World) -> None:
    inputs: dict[str, Input] = {"x": Literal(value="$(touch owned); `id` '\"")}
    assert (
        world("echo {inputs.x} > {outputs.out}; ls", inputs=inputs) == "$(touch owned); `id` '\"\n"
    )
