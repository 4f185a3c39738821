"""What a Python step in a container sees and can do, and what of its leavings is believed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.contracts.executor_suite import World, one
from tests.services.podman import Podman

from mainspring.execution import contained, container_engine
from mainspring.execution.executors.local import LocalExecutor
from mainspring.records.artifacts import Literal, Stored
from mainspring.records.canonical import digest_bytes
from mainspring.records.runs import Outcome
from mainspring.records.status import AttemptStatus
from mainspring.storage.blobs import LocalBlobs, key_of

pytestmark = [pytest.mark.system("podman"), pytest.mark.timeout(300)]

STEPS = """
import json, os
from pathlib import Path
from mainspring.definition.step import step
from mainspring.execution import telemetry

def exchange() -> Path:
    return Path(telemetry.workdir(), ".exchange")

@step
def seen(place: str) -> list:
    return sorted(os.listdir(place)) if os.path.isdir(place) else [str(os.path.exists(place))]

@step
def reach(home: str) -> list:
    done = []
    for path in (home + "/store.db", home + "/blobs/blake3/x", "/opt/mainspring/mainspring/x.py"):
        try:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            Path(path).write_text("owned")
            done.append(path)
        except OSError:
            pass
    return done

@step
def overwrite(x: int) -> int:
    for path in exchange().glob("given/blake3/*/*"):
        try:
            path.chmod(0o666)
            path.write_text("changed")
        except OSError:
            continue
        return 1
    return 0

@step
def forge(text: str) -> int:
    (exchange() / "outcome.json").write_text(text)
    os._exit(0)

@step
def smuggle(name: str, target: str) -> int:
    place = exchange() / "made" / "blake3" / name
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(target)
    return 1

@step
def hog(x: int) -> int:
    return len(os.urandom(1) * 10) if x < 0 else _grow()

def _grow() -> int:
    import mmap
    held = []
    while True:
        held.append(mmap.mmap(-1, 8 << 20))
        held[-1].write(b"x" * (8 << 20))
"""


@pytest.fixture
def world(
    tmp_path: Path, podman: Podman, python_image: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[World]:
    monkeypatch.setenv("CONTAINER_HOST", podman.url)

    def make(home: Path, blobs: Any, **options: Any) -> LocalExecutor:
        return LocalExecutor(home, blobs, slots=1, **options)

    yield World(tmp_path / "home", make, container_engine.image_id(python_image))
    assert podman.names() == []
    container_engine.forget()


def call(world: World, step: str, **given: Any) -> Outcome:
    snapshot = world.source({"inside.py": STEPS})
    with world.executor() as executor:
        return one(executor, world.order(step, module="inside", snapshot=snapshot, **given))


def test_of_the_home_it_sees_what_it_needs(world: World) -> None:
    (world.home / "store.db").write_text("records")
    home = str(world.home)
    assert world.value(call(world, "seen", place=home)) == ["attempts", "snapshots"]
    assert world.value(call(world, "seen", place=home + "/attempts")) == ["run.1.2"]
    assert world.value(call(world, "seen", place="/opt/mainspring")) == ["mainspring"]


def test_it_changes_nothing_of_the_home(world: World) -> None:
    (world.home / "store.db").write_text("records")
    # The container's own /tmp may be written to; here it hides that the home is in /tmp too.
    done = world.value(call(world, "reach", home=str(world.home)))
    assert "/opt/mainspring/mainspring/x.py" not in done
    assert (world.home / "store.db").read_text() == "records"
    assert not (world.home / "blobs" / "blake3" / "x").exists()
    given = world.stored(5)
    assert world.value(call(world, "overwrite", x=Stored(ref=given))) == 0
    assert world.blobs.intact(given.digest)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "damaged"),
        ('{"attempt": "other", "status": "succeeded"}', "another attempt"),
        ('{"attempt": "run.1.1", "status": "cancelled"}', "it is cancelled"),
        (
            '{"attempt": "run.1.1", "status": "succeeded", "outputs": {"result": {"digest": '
            '"blake3:%s", "size": 1, "format": "json"}}}' % ("0" * 64),
            "did not leave the value of output result",
        ),
    ],
)
def test_an_outcome_that_a_step_has_forged(world: World, text: str, words: str) -> None:
    outcome = call(world, "forge", text=text)
    assert outcome.status is AttemptStatus.FAILED
    assert outcome.error is not None
    assert words in outcome.error.message


def test_a_link_among_its_values_is_not_followed(world: World, tmp_path: Path) -> None:
    """A link may name a file of this machine by the very digest that it has."""
    secret = tmp_path / "secret"
    secret.write_text("secret")
    digest = digest_bytes(b"secret")
    outcome = call(world, "smuggle", name=key_of(digest), target=str(secret))
    assert world.value(outcome) == 1
    assert not world.blobs.has(digest)
    made = LocalBlobs(tmp_path / "made")
    os.makedirs(made.root / "blake3")
    (made.root / "blake3" / digest[7:9]).symlink_to(tmp_path)
    (tmp_path / digest[9:]).write_text("secret")
    contained._take_over(made, world.blobs)
    assert not world.blobs.has(digest)


def test_what_the_kernel_kills_for_its_memory_is_said_so(world: World) -> None:
    """Shared memory is beyond the limit that a process has for itself."""
    outcome = call(world, "hog", x=1, memory=200_000_000)
    assert outcome.error is not None
    assert outcome.error.kind == "memory"
    assert "190.7 MiB" in outcome.error.message


def test_an_image_that_is_not_fit_is_one_message(world: World) -> None:
    outcome = call(world, "seen", place="/", image=container_engine.image_id("shell:1"))
    assert outcome.error is not None
    assert outcome.error.kind == "ContainerError"
    assert "it has no `python3` on its PATH" in outcome.error.message
    assert "Python 3.11" in outcome.error.hint


def test_a_python_without_what_is_needed_says_what(
    world: World, podman: Podman, tmp_path: Path
) -> None:
    file = tmp_path / "Dockerfile"
    # The interpreter finds none of its packages.
    file.write_text("FROM python:1\nCOPY start /fit/python3\nENV PATH=/fit:/bin\n")
    start = tmp_path / "start"
    start.write_text('#!/bin/sh\nexec /opt/python/bin/python3 -S "$@"\n')
    start.chmod(0o755)
    podman("build", "--network=none", "--tag", "bare:1", "--file", str(file), str(tmp_path))
    outcome = call(world, "seen", place="/", image=container_engine.image_id("bare:1"))
    assert outcome.error is not None
    assert "its Python lacks blake3 and msgspec" in outcome.error.message


def test_an_element_of_a_list_needs_nothing_of_the_others(world: World) -> None:
    from mainspring.storage.serializers import registry

    large = ["x" * 3_000_000, "y" * 3_000_000]
    listed = registry.make_list([world.stored(text) for text in large], world.blobs)
    second = Stored(ref=listed, index=1)
    needed = set(contained._needed([second, Literal(value=1)], world.blobs))
    whole = set(contained._needed([Stored(ref=listed)], world.blobs))
    assert needed < whole
