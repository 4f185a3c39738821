from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.app.flows import pipeline, reasons, run, states, step, write

from mainspring.app.code import Code
from mainspring.app.project import Project
from mainspring.records.errors import DefinitionError
from mainspring.records.spec import CommandNode, Options

FLOW = """
    from dataclasses import dataclass
    from mainspring import step

    @dataclass
    class Point:
        x: int

        def size(self) -> int:
            return self.x

    class Odd:
        def __init__(self, x):
            self.x = x

        def size(self):
            return self.x

    @step
    def point() -> Point:
        return Point(3)

    @step
    def boxed() -> list[Point]:
        return [Point(3)]

    @step
    def odd() -> object:
        return Odd(3)

    @step
    def size(it: object) -> int:
        return it.size() if not isinstance(it, list) else it[0].size()

    @step
    def plain() -> int:
        return 1

    def unrelated():
        return 1
"""


@pytest.fixture
def opened(project: Path) -> Iterator[Project]:
    write(project, FLOW)
    found = Project(project)
    yield found
    found.close()


def code(project: Project) -> Code:
    _, snapshot = project.snapshot([""])
    return project.code(snapshot)


@pytest.mark.parametrize(
    ("maker", "outputs", "bundle"),
    [
        ("odd", {"result": "object"}, None),
        ("boxed", {"result": "list"}, None),
        ("point", {"x": "int"}, "flow:Point"),
    ],
)
def test_editing_a_class_runs_who_is_given_its_instances_again(
    opened: Project, maker: str, outputs: dict[str, str], bundle: str | None
) -> None:
    """`size` imports neither class: they come with the value, by pickle, JSON or as a bundle."""
    write(opened.root, "from mainspring import step\n" + FLOW_SIZE, "consumer.py")
    spec = pipeline(
        step(maker, outputs=outputs, bundle=bundle),
        step("size", {"it": f"${{{{ steps.{maker} }}}}"}, uses="consumer:size"),
        step("plain"),
        step("free", {"it": "${{ steps.plain }}"}, uses="consumer:free"),
    )
    first = run(opened, spec)
    assert set(states(opened, first).values()) == {"succeeded"}
    again = run(opened, spec)
    assert set(states(opened, again).values()) == {"reused"}
    write(opened.root, FLOW.replace("return self.x", "return self.x + 100"))
    edited = states(opened, run(opened, spec))
    assert edited["size"] == "succeeded"
    assert (edited["plain"], edited["free"]) == ("reused", "reused")


FLOW_SIZE = """
@step
def size(it: object) -> int:
    return it.size() if not isinstance(it, list) else it[0].size()

@step
def free(it: int) -> int:
    return it
"""


def test_what_has_nothing_to_do_with_a_step_leaves_it_alone(opened: Project) -> None:
    spec = pipeline(step("plain"))
    run(opened, spec)
    write(
        opened.root,
        FLOW.replace("def unrelated():\n        return 1", "def other():\n        return 2"),
    )
    assert states(opened, run(opened, spec)) == {"plain": "reused"}
    write(
        opened.root,
        FLOW.replace(
            "def plain() -> int:\n        return 1", "def plain() -> int:\n        return 2"
        ),
    )
    second = run(opened, spec)
    assert states(opened, second) == {"plain": "succeeded"}
    assert "plain" in (reasons(opened, second)["plain"] or "")


def test_digests_of_classes(opened: Project) -> None:
    found = code(opened)
    assert found.class_digest("flow:Point")
    assert found.class_digest("flow:Point") != found.class_digest("flow:Odd")
    assert found.class_digest("collections:OrderedDict") == ""
    assert found.class_digest("no_such:Thing") == ""


def test_digests_of_files_and_listings(opened: Project) -> None:
    write(opened.root, "a", "data/a.txt")
    before = code(opened)
    write(opened.root, "b", "data/b.txt")
    after = code(opened)
    assert before.source_digest("data/a.txt") == after.source_digest("data/a.txt")
    assert before.source_digest("data/") != after.source_digest("data/")
    assert before.source_digest("data/b.txt") == "absent"


def test_all_that_a_static_part_holds(opened: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MODE", raising=False)
    base = step("plain", outputs={"result": "int"}, env=("MODE",))
    found = code(opened)
    digest, static = found.static(base)
    assert found.static(base) is found.static(base)
    assert static.variables == {"MODE": "unset"}
    assert static.options["output result"] == "int"
    assert any(part.name.endswith("plain") for part in static.code)
    others = [
        step("plain", outputs={"result": "float"}, env=("MODE",)),
        step("plain", outputs={"result": "int"}, env=("MODE",), version="2"),
        step("plain", outputs={"result": "int"}, env=("MODE",), cpus=4),
        step("plain", outputs={"result": "int"}, env=("MODE",), deterministic=False),
        step("plain", outputs={"result": "int"}),
        step("point", outputs={"result": "int"}, env=("MODE",)),
    ]
    digests = {found.static(work)[0] for work in others}
    assert len(digests) == 6
    assert digest not in digests
    same = step("plain", outputs={"result": "int"}, env=("MODE",), retries=9, timeout=5.0)
    assert found.static(same)[0] == digest
    monkeypatch.setenv("MODE", "fast")
    write(opened.root, FLOW + "\n# changed\n")
    assert code(opened).static(base)[1].variables["MODE"].startswith("blake3:")


def command(text: str, **more: object) -> CommandNode:
    return CommandNode(name="c", command=text, options=Options(), **more)  # type: ignore[arg-type]


def test_commands_and_their_files(
    opened: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(opened.root, "data", "data.txt")
    found = code(opened)
    _, static = found.static(command("sort {inputs.x}", files=("data.txt",)))
    assert [part.name for part in static.code] == ["data.txt", "command"]
    assert (
        found.static(command("sort {inputs.x}"))[0] != found.static(command("sort  {inputs.x}"))[0]
    )
    assert (
        found.static(command("sort {inputs.x}"))[0]
        != found.static(command("sort {inputs.x}", shell=True))[0]
    )
    with pytest.raises(DefinitionError) as caught:
        found.static(command("sort", files=("gone.txt",), where="flow.py:3"))
    assert (caught.value.what, caught.value.where) == (
        "the file 'gone.txt' is not in the project", "flow.py:3",
    )  # fmt: skip
    program = tmp_path / "tool"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    before = found.static(command("tool a"))[1].options["program tool"]
    program.write_text("#!/bin/sh\nexit 1\n")
    write(opened.root, FLOW + "\n# another snapshot\n")
    assert code(opened).static(command("tool a"))[1].options["program tool"] != before
