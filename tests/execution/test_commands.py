"""Commands, run here: `commands.run` needs a log, a scratch directory and blobs, no more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mainspring.execution.attempt_files import AttemptFiles
from mainspring.execution.commands import CommandError, run
from mainspring.records.artifacts import Absent, ArtifactRef, Input, Literal, Stored
from mainspring.records.errors import DefinitionError
from mainspring.records.runs import Order
from mainspring.storage.serializers import registry
from mainspring.testing.memory import MemoryBlobs


class World:
    def __init__(self, root: Path) -> None:
        self.source = root / "source"
        self.source.mkdir()
        self.files = AttemptFiles(root / "home", "r.1.1")
        self.files.create()
        Path(self.files.log).write_text("")
        self.blobs = MemoryBlobs()
        self.loaded = root / "loaded"
        self.loaded.mkdir()

    def __call__(self, command: str, **more: Any) -> dict[str, ArtifactRef]:
        order = Order(
            attempt="r.1.1", run="r", path="c", node="c", snapshot="s", command=command,
            **{"outputs": {"out": "out.txt"}, **more},
        )  # fmt: skip
        return run(order, str(self.source), self.files, self.blobs)

    def text(self, command: str, **more: Any) -> str:
        return self.content(self(command, **more)["out"]).decode()

    def content(self, ref: ArtifactRef) -> bytes:
        """What is in the one file of an output."""
        return registry.load(ref, self.blobs, workdir=self.loaded).read_bytes()

    def stored(self, value: Any, hint: Any = None) -> Stored:
        return Stored(ref=registry.dump(value, hint, self.blobs))


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


ECHO = "sh -c 'printf %s \"$1\" > out.txt' sh {inputs.x}"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain", "plain"), ("two words; $(rm) 'q' \"d\" *", "two words; $(rm) 'q' \"d\" *"),
        (3, "3"), (0.5, "0.5"), (True, "true"), (False, "false"), (None, ""), ("", ""),
        ("{outputs.out}", "{outputs.out}"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("shell", [False, True])
def test_a_value_is_one_word_whatever_is_in_it(
    world: World, value: Any, text: str, shell: bool
) -> None:
    command = "printf %s {inputs.x} > {outputs.out}" if shell else ECHO
    assert world.text(command, shell=shell, inputs={"x": Literal(value=value)}) == text


def test_an_absent_input_is_empty(world: World) -> None:
    assert world.text(ECHO, inputs={"x": Absent()}) == ""


def test_stored_values_become_files(world: World, tmp_path: Path) -> None:
    source = tmp_path / "given.csv"
    source.write_text("a,b\n")
    cases: list[tuple[Input, str, bytes]] = [
        (world.stored(source, Path), ".csv", b"a,b\n"),
        (world.stored(b"\x00\xff"), ".bin", b"\x00\xff"),
        (world.stored({"a": [1]}), ".json", b'{"a":[1]}'),
        (Literal(value=[1, "a"]), ".json", b'[1,"a"]'),
    ]
    for number, (given, suffix, content) in enumerate(cases):
        name = f"in_{number}"
        found = world(
            f"sh -c 'echo {{inputs.{name}}} > name; cat {{inputs.{name}}} > out.txt'",
            inputs={name: given}, outputs={"out": "out.txt", "name": "name"},
        )  # fmt: skip
        assert world.content(found["out"]) == content
        assert world.content(found["name"]).decode().strip().endswith(name + suffix)


def test_an_array_is_a_file_of_its_own_kind(world: World) -> None:
    found = world.text(
        "sh -c 'basename {inputs.x} > out.txt'", inputs={"x": world.stored(np.zeros(3))}
    )
    assert found.strip() == "x.npy"


def test_directories_as_outputs(world: World) -> None:
    found = world("sh -c 'echo 1 > parts/a; echo 2 > parts/b'", outputs={"out": "parts/"})
    assert found["out"].format
    assert found["out"].size > 0


def test_only_declared_files_are_there(world: World) -> None:
    (world.source / "deep").mkdir()
    (world.source / "deep" / "a.txt").write_text("a")
    (world.source / "secret.txt").write_text("s")
    text = world.text(
        "sh -c 'find . -type f | sort > /dev/null; ls -R . > out.txt'", files=("deep",)
    )
    assert "a.txt" in text
    assert "secret.txt" not in text


@pytest.mark.parametrize("name", ["gone.txt", "../home/attempts/r.1.1/log", "/etc/passwd"])
def test_a_file_that_is_not_in_the_source(world: World, name: str) -> None:
    with pytest.raises(CommandError, match="is not in the project's source"):
        world("true", files=(name,))


@pytest.mark.parametrize(
    ("command", "more", "what"),
    [
        ("false", {}, "false ended with exit status 1"),
        ("sh -c 'echo the reason >&2; exit 3'", {}, "exit status 3"),
        ("sh -c 'kill -9 $$'", {}, "sh was killed by SIGKILL"),
        ("no_such_program_here", {}, "can't be started: No such file"),
        ("no_such_program_here | cat", {"shell": True}, "did not write its output out"),
        ("no_such_program_here", {"shell": True}, "a program in the command was not found"),
        ("true", {}, "did not write its output out (out.txt)"),
        ("true", {"outputs": {"out": "../escape"}}, "not inside the working directory"),
        ("true", {"outputs": {"out": "/tmp/escape"}}, "not inside the working directory"),
    ],
)
def test_what_goes_wrong_is_said(
    world: World, command: str, more: dict[str, Any], what: str
) -> None:
    with pytest.raises(CommandError) as caught:
        world(command, **more)
    assert what in caught.value.what


@pytest.mark.parametrize(
    ("command", "what"),
    [
        ("cat {inputs.y}", "has no input y (it has x)"),
        ("cat {outputs.y}", "has no output y (it has out)"), ("   ", "the command is empty"),
    ],
)  # fmt: skip
def test_a_command_that_is_wrong_itself(world: World, command: str, what: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        world(command, inputs={"x": Literal(value=1)})
    assert what in caught.value.what


def test_braces_that_are_no_places_stay(world: World) -> None:
    assert world.text("printf '{a} {inputs} %s' {inputs.x} > out.txt", shell=True,
                      inputs={"x": Literal(value=1)}) == "{a} {inputs} 1"  # fmt: skip
