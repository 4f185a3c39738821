"""Run, edit, plan, run: what the edit reaches runs again, and nothing else does; never stale."""

from __future__ import annotations

import shutil
from typing import Any, NamedTuple

import pytest
from tests.e2e.place import Place

FILES = {
    "flow.py": '''
from pathlib import Path
from mainspring import pipeline, step
from lib.middle import scaled
from lib import registry, things
import settings


OFFSET = 10


@step
def first(n: int) -> int:
    """Doc."""
    # a comment
    total = scaled(n) + OFFSET
    return total


@step(version="1")
def second(x: int) -> int:
    return x + 1


@step
def modes(x: int) -> int:
    return registry.TABLE["add"](x) + settings.LEVEL


@step
def by_name(x: int) -> int:
    return getattr(registry, "named_" + "one")(x)


@step
def reads(x: int) -> int:
    with open("data/numbers.txt") as file:
        return x + sum(int(line) for line in file)


@step
def lists(x: int) -> int:
    return x + len(list(Path("data").iterdir()))


@step
def at_import(x: int) -> int:
    return x + things.LIMIT


@step
def makes_point(x: int) -> things.Point:
    return things.Point(x, 2)


@step
def makes_odd(x: int) -> things.Odd:
    return things.Odd(x)


@step
def lengths(p: things.Point) -> int:
    return p.length()


@step
def odd_value(o: things.Odd) -> int:
    return o.value()


@step
def untyped(o) -> int:
    return o.value()


@step
def lonely() -> int:
    return 5


@pipeline
def main(n: int = 3):
    x = first(n)
    second(x)
    modes(x)
    by_name(x)
    reads(x)
    lists(x)
    at_import(x)
    lengths(makes_point(x))
    odd = makes_odd(x)
    odd_value(odd)
    untyped(odd)
    lonely()
''',
    "settings.py": "LEVEL = 1\n",
    "lib/__init__.py": "",
    "lib/middle.py": """
from lib.deep import factor

def scaled(n):
    return n * factor()

def unused():
    return 0
""",
    "lib/deep.py": """
BASE = 2

def factor():
    return BASE
""",
    "lib/registry.py": """
TABLE = {}

def register(name):
    def keep(function):
        TABLE[name] = function
        return function
    return keep

@register("add")
def add(x):
    return x + 1

def named_one(x):
    return x + 100
""",
    "lib/things.py": """
import json
from dataclasses import dataclass
from pathlib import Path

LIMIT = json.loads((Path(__file__).parent / "limit.json").read_text())


@dataclass
class Point:
    x: int
    y: int

    def length(self):
        return self.x + self.y


class Odd:
    def __init__(self, x):
        self.x = x

    def value(self):
        return self.x * 10
""",
    "lib/limit.json": "7",
    "data/numbers.txt": "1\n2\n",
}
VALUES = {
    "first": 16, "second": 17, "modes": 18, "by_name": 116, "reads": 19, "lists": 17,
    "at_import": 23, "lengths": 18, "odd_value": 160, "untyped": 160, "lonely": 5,
}  # fmt: skip


PICKLED = {"odd_value", "untyped"}
"""What takes a pickle: which code it holds is not known, so any edit of code reaches it."""


class Edit(NamedTuple):
    """What is edited, which steps the plan runs for it, and which values change to what."""

    file: str
    before: str
    after: str
    runs: set[str]
    values: dict[str, Any] = {}


EDITS = {
    "comment": Edit("flow.py", "# a comment", "# another one\n    # or two", set()),
    "docstring": Edit("flow.py", '"""Doc."""', '"""Another text."""', PICKLED),
    "renamed local": Edit(
        "flow.py",
        "total = scaled(n) + OFFSET\n    return total",
        "whole = scaled(n) + OFFSET\n    return whole",
        set(),
    ),
    "layout": Edit(
        "lib/deep.py",
        "def factor():\n    return BASE",
        "\n\n\ndef factor():\n\n    return (BASE)",
        set(),
    ),
    "unused helper": Edit("lib/middle.py", "return 0", "return 1", PICKLED),
    "another step": Edit("flow.py", "return 5", "return 6", {"lonely", *PICKLED}, {"lonely": 6}),
    "pipeline function": Edit(
        "flow.py", "    lonely()\n", "\n    # no more\n    lonely()\n", set()
    ),
    "helper two modules away": Edit(
        "lib/deep.py", "return BASE", "return BASE + 1", {"first"}, {"first": 19, "lengths": 21}
    ),
    "constant two modules away": Edit(
        "lib/deep.py", "BASE = 2", "BASE = 5", {"first"}, {"first": 25}
    ),
    "same result by another way": Edit("lib/deep.py", "return BASE", "return BASE * 1", {"first"}),
    "constant": Edit(
        "flow.py", "OFFSET = 10", "OFFSET = 11", {"first"}, {"first": 17, "second": 18}
    ),
    "version": Edit("flow.py", 'version="1"', 'version="2"', {"second", *PICKLED}),
    # What importing a module does counts for every step that is imported with it.
    "registry": Edit(
        "lib/registry.py", "return x + 1\n", "return x + 2\n", {"first", "lonely"}, {"modes": 19}
    ),
    "getattr": Edit(
        "lib/registry.py", "x + 100", "x + 200", {"by_name", *PICKLED}, {"by_name": 216}
    ),
    "setting": Edit("settings.py", "LEVEL = 1", "LEVEL = 2", {"modes", *PICKLED}, {"modes": 19}),
    "computed setting": Edit(
        "settings.py", "LEVEL = 1", "LEVEL = len('four')", {"first", "lonely"}, {"modes": 21}
    ),
    "data file": Edit("data/numbers.txt", "2\n", "5\n", {"reads"}, {"reads": 22}),
    "file read at import": Edit("lib/limit.json", "7", "9", {"first", "lonely"}, {"at_import": 25}),
    "new file beside the data": Edit("data/more.txt", "", "1\n", {"lists"}, {"lists": 18}),
    "method of a dataclass": Edit(
        "lib/things.py",
        "self.x + self.y",
        "self.x - self.y",
        {"makes_point", *PICKLED},
        {"lengths": 14},
    ),
    "method of a pickled class": Edit(
        "lib/things.py",
        "self.x * 10",
        "self.x * 100",
        {"makes_odd"},
        {"odd_value": 1600, "untyped": 1600},
    ),
}


@pytest.fixture(scope="module")
def computed(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """The project as it is before any edit, with all results. Each test copies it."""
    place = Place(tmp_path_factory.mktemp("edits") / "demo")
    for name, text in FILES.items():
        place.write(name, text)
    place.run()
    return place


@pytest.fixture
def edited(computed: Place, place: Place) -> Place:
    shutil.copytree(computed.root, place.root, dirs_exist_ok=True, symlinks=True)
    return place


def outputs(place: Place) -> dict[str, Any]:
    made = place.write(
        "look.py",
        """
        import json
        from mainspring.app.project import Project
        from mainspring.app.handle import Run
        from mainspring.records.stores import RunFilter

        project = Project.find()
        run = Run(project, project.store.read.runs(RunFilter(limit=1))[0].id)
        tasks = run.tasks
        print(json.dumps({p: t.value for p, t in tasks.items() if not p.startswith("makes_")}))
        """,
    )
    done = place.script("look.py")
    made.unlink()
    assert done.code == 0, done
    return done.json


def test_what_is_computed_first(computed: Place) -> None:
    assert outputs(computed) == VALUES
    assert set(computed.choices().values()) == {"reuse"}
    [pickled] = [a for a in computed.show().json["artifacts"] if not a["data_only"]]
    assert pickled["task"] == "makes_odd"
    assert "pickle" in computed("artifacts", "list").out


@pytest.mark.parametrize("name", EDITS)
def test_edit(edited: Place, name: str) -> None:
    edit = EDITS[name]
    if edit.before:
        edited.edit(edit.file, edit.before, edit.after)
    else:
        edited.write(edit.file, edit.after)
    plan = edited.plan()
    runs = {path for path, task in plan.items() if task["choice"] == "run"}
    assert runs == edit.runs, {path: plan[path]["reason"] for path in runs}
    assert not [path for path in edit.values if plan[path]["choice"] == "reuse"]
    edited.run()
    ran = {path for path, status in edited.show().statuses.items() if status == "succeeded"}
    assert edit.runs <= ran <= {path for path, task in plan.items() if task["choice"] != "reuse"}
    found = outputs(edited)
    assert {path: found[path] for path in edit.values} == edit.values
    assert set(edited.choices().values()) == {"reuse"}


def test_every_result_after_an_edit_is_the_one_of_a_clean_project(edited: Place) -> None:
    """All edits together, one after the other, against a project that has no past."""
    for edit in EDITS.values():
        path = edited.root / edit.file
        if edit.before and path.read_text().count(edit.before) == 1:
            edited.edit(edit.file, edit.before, edit.after)
        elif not edit.before:
            edited.write(edit.file, edit.after)
    edited.run()
    digests = edited.show().digests
    clean = Place(edited.root.parent / "clean")
    shutil.copytree(
        edited.root, clean.root, ignore=shutil.ignore_patterns(".mainspring"), dirs_exist_ok=True
    )
    clean.run()
    assert clean.show().digests == digests


def test_going_back_reuses_the_old_result(edited: Place) -> None:
    edited.edit("flow.py", "OFFSET = 10", "OFFSET = 12")
    edited.run()
    edited.edit("flow.py", "OFFSET = 12", "OFFSET = 10")
    assert edited.counts() == {"reused": len(VALUES) + 2}
    assert outputs(edited) == VALUES


@pytest.mark.parametrize(
    ("file", "before", "after", "step", "parts"),
    [
        ("lib/deep.py", "return BASE", "return 3", "first", ["factor", "lib/deep.py:4"]),
        ("lib/deep.py", "BASE = 2", "BASE = 3", "first", ["BASE", "lib/deep.py:2"]),
        ("flow.py", 'version="1"', 'version="2"', "second", ["version"]),
        ("data/numbers.txt", "1", "3", "reads", ["data/numbers.txt"]),
        ("flow.py", "n: int = 3", "n: int = 4", "first", ["n", "3", "4"]),
    ],
)
def test_plan_and_why_say_the_same(
    edited: Place, file: str, before: str, after: str, step: str, parts: list[str]
) -> None:
    edited.edit(file, before, after)
    planned = edited.plan()[step]["reason"]
    edited.run()
    done = edited("why", f"latest/{step}", "--json")
    assert done.json["reason"] == planned
    for part in parts:
        assert part in planned
