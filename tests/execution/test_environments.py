"""Environments built by uv of wheels made here, without a network; libraries of R by R."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest
from tests.services.wheels import make_wheel

from mainspring.execution.environments import Environments, variables
from mainspring.execution.uv import Uv
from mainspring.planning import locks
from mainspring.records.canonical import digest_bytes
from mainspring.records.environments import Lock
from mainspring.records.errors import EnvironmentBuildError
from mainspring.storage import pins

RUNNING = (sys.version_info[0], sys.version_info[1])
by_uv = pytest.mark.system("uv")


class Place:
    """A folder of wheels, and locks that are read and built from a dict of files."""

    def __init__(self, root: Path) -> None:
        self.wheels = root / "wheels"
        self.blobs: dict[str, bytes] = {}
        self.environments = Environments(root / "home", self.blobs.__getitem__)

    def lock(self, path: str, **files: str | bytes) -> Lock:
        given = {
            name.replace("__", "/"): text.encode() if isinstance(text, str) else text
            for name, text in files.items()
        }
        digests = {name: digest_bytes(data) for name, data in given.items()}
        self.blobs |= {digests[name]: data for name, data in given.items()}
        return locks.read(digests, given.__getitem__, path, running=RUNNING)

    def pinned(self, name: str, version: str = "1.0", code: str = "") -> Lock:
        total = make_wheel(self.wheels, name, version, code)
        return self.lock(
            "envs", **{"envs__requirements.txt": f"{name}=={version} --hash=sha256:{total}\n"}
        )

    def made(self, text: bytes) -> Lock:
        digest = digest_bytes(text)
        self.blobs[digest] = text
        python = "{}.{}".format(*RUNNING)
        return Lock(kind="made", main="pylock.toml", files={"pylock.toml": digest}, python=python)

    def left(self) -> list[str]:
        folder = self.environments.place(self.made(b"")).parent
        return sorted(name for name in os.listdir(folder) if not name.endswith(".lock"))


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    place = Place(tmp_path)
    place.wheels.mkdir()
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_FIND_LINKS", str(place.wheels))
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    return place


def said(python: Path, code: str) -> str:
    words = [str(python), "-c", code]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()


@by_uv
def test_hash_pinned_requirements_are_built_once(place: Place) -> None:
    lock = place.pinned("one")
    assert not place.environments.ready(lock)
    python = place.environments.build(lock)
    assert said(python, "import one; print(one.VERSION)") == "1.0"
    assert said(python, "import sys; print(sys.prefix)") == str(python.parent.parent)
    begun = os.stat(python.parent.parent).st_mtime_ns
    assert place.environments.build(lock) == python
    assert os.stat(python.parent.parent).st_mtime_ns == begun
    assert place.left() == [place.environments.place(lock).name]


@by_uv
def test_another_content_of_an_archive_is_refused(place: Place) -> None:
    lock = place.pinned("one")
    make_wheel(place.wheels, "one", code="other = True\n")
    with pytest.raises(EnvironmentBuildError) as failed:
        place.environments.build(lock)
    told = str(failed.value)
    assert told.startswith("the environment of envs/requirements.txt can't be built: error:")
    assert "Hash mismatch for `one==1.0`" in told
    assert not place.environments.ready(lock)
    assert place.left() == []


@by_uv
def test_a_pylock_with_wheels_beside_it(place: Place) -> None:
    total = make_wheel(place.wheels, "two", "2.0")
    wheel = "two-2.0-py3-none-any.whl"
    text = (
        'lock-version = "1.0"\ncreated-by = "tests"\n[[packages]]\nname = "two"\nversion = "2.0"\n'
        f'wheels = [{{ path = "wheels/{wheel}", hashes = {{ sha256 = "{total}" }} }}]\n'
    )
    files = {
        "envs__pylock.toml": text,
        f"envs__wheels__{wheel}": (place.wheels / wheel).read_bytes(),
    }
    lock = place.lock("envs/pylock.toml", **files)
    (place.wheels / wheel).unlink()
    python = place.environments.build(lock)
    assert said(python, "import two; print(two.VERSION)") == "2.0"


@by_uv
def test_a_uv_lock(place: Place, tmp_path: Path) -> None:
    make_wheel(place.wheels, "three", "3.0")
    make_wheel(place.wheels, "extra", "1.0")
    project = tmp_path / "project"
    project.mkdir()
    text = (
        '[project]\nname = "mine"\nversion = "0"\nrequires-python = ">=3.11"\n'
        'dependencies = ["three"]\n[project.optional-dependencies]\nmore = ["extra"]\n'
    )
    (project / "pyproject.toml").write_text(text, encoding="utf-8")
    Uv.find().run(["lock", "--project", str(project)])
    written = (project / "uv.lock").read_text("utf-8")
    lock = place.lock("envs", **{"envs__uv.lock": written, "envs__pyproject.toml": text})
    python = place.environments.build(lock)
    assert said(python, "import three, extra; print(three.VERSION)") == "3.0"


@by_uv
def test_a_lock_that_was_made_brings_back_what_was_installed(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_wheel(place.wheels, "four", "4.0")
    python = place.environments.build(place.pinned("four", "4.0"))
    (site,) = python.parent.parent.glob("lib/python*/site-packages")
    monkeypatch.syspath_prepend(str(site))
    lock = place.made(pins.pin({"four": "4.0"}, place.wheels).text)
    built = place.environments.build(lock)
    assert built != python
    assert said(built, "import four; print(four.VERSION)") == "4.0"
    # Another archive of that version, where there is no hash by which it could be told.
    changed = place.blobs[lock.files["pylock.toml"]].replace(b"created-by", b"# x\ncreated-by")
    make_wheel(place.wheels, "four", "4.0", "other = True\n")
    monkeypatch.setenv("UV_CACHE_DIR", str(place.wheels.parent / "empty"))
    with pytest.raises(EnvironmentBuildError, match="what was installed of four is not what was"):
        place.environments.build(place.made(changed))


@by_uv
def test_what_no_lock_can_bring_back_is_named(place: Place) -> None:
    text = b"""lock-version = "1.0"
        [[packages]]
        name = "mine"
        version = "1"
        [packages.tool.mainspring]
        editable = true
    """
    with pytest.raises(EnvironmentBuildError, match="mine was an editable install from outside"):
        place.environments.build(place.made(text))


@by_uv
def test_two_builders_at_once_make_one(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = place.pinned("one")
    built: list[Lock] = []
    build = Environments._build
    monkeypatch.setattr(
        Environments, "_build", lambda self, lock, at: (built.append(lock), build(self, lock, at))
    )
    with ThreadPoolExecutor(2) as pool:
        found = set(pool.map(place.environments.build, [lock, lock]))
    assert len(found) == 1
    assert built == [lock]


KILLED = """
import sys
from pathlib import Path
from mainspring.execution.environments import Environments
from mainspring.records.environments import Lock
import msgspec
lock = msgspec.json.decode(sys.argv[1], type=Lock)
Environments(Path(sys.argv[2]), lambda digest: Path(sys.argv[3]).read_bytes()).build(lock)
"""


@by_uv
def test_a_build_that_is_killed_leaves_nothing_that_counts(place: Place, tmp_path: Path) -> None:
    """The killed builder waits in a stand-in for uv; the next one has the real program."""
    lock = place.pinned("one")
    (digest,) = lock.files.values()
    (tmp_path / "text").write_bytes(place.blobs[digest])
    mark, program = tmp_path / "mark", tmp_path / "bin" / "uv"
    program.parent.mkdir()
    program.write_text(
        f"#!/bin/sh\necho $$ > {mark}.new\nmv {mark}.new {mark}\nexec sleep 600\n", "utf-8"
    )
    program.chmod(0o755)
    home = place.environments.place(lock).parent.parent
    words = [msgspec.json.encode(lock).decode(), str(home), str(tmp_path / "text")]
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, *words],
        env={**os.environ, "PATH": f"{program.parent}:/usr/bin:/bin"}, start_new_session=True,
    )  # fmt: skip
    end = time.monotonic() + 60
    while not mark.exists() and time.monotonic() < end:
        assert process.poll() is None
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not place.environments.ready(lock)
    assert len(place.left()) == 1
    python = place.environments.build(lock)
    assert said(python, "import one; print(one.VERSION)") == "1.0"
    assert place.left() == [place.environments.place(lock).name]


@by_uv
def test_a_python_that_is_not_there(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS", "never")
    text = "six==1.0 --hash=sha256:00\n"
    lock = place.lock("e", **{"e__requirements.txt": text, "e__.python-version": "3.29"})
    with pytest.raises(EnvironmentBuildError, match=r"No interpreter found for Python 3\.29"):
        place.environments.build(lock)


def test_conda_is_recorded_and_not_built(place: Place) -> None:
    text = "@EXPLICIT\nhttps://example.invalid/c/linux-64/zlib-1.3-h1_0.conda#00\n"
    with pytest.raises(EnvironmentBuildError, match="conda packages are recorded, not installed"):
        place.environments.build(place.lock("e", **{"e__conda.lock": text}))


def r_lock(version: str, name: str = "jsonlite", r: str = "") -> str:
    code = f'cat(as.character(getRversion()), as.character(packageVersion("{name}")))'
    done = subprocess.run(
        ["Rscript", "-e", code], capture_output=True, text=True, check=True
    )  # fmt: skip
    running, there = done.stdout.split()
    package = {"Package": name, "Version": version or there}
    return json.dumps({"R": {"Version": r or running}, "Packages": {name: package}})


@pytest.mark.system("Rscript")
@pytest.mark.system("jsonlite")
def test_a_library_of_r(place: Place) -> None:
    lock = place.lock("renv.lock", **{"renv.lock": r_lock("")})
    library = place.environments.build(lock)
    assert os.listdir(library) == ["jsonlite"]
    more = variables(lock, place.environments.place(lock), os.environ)
    done = subprocess.run(
        ["Rscript", "-e", 'cat(find.package("jsonlite"), length(.libPaths()))'],
        env={**os.environ, **more}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == f"{library}/jsonlite 2"


@pytest.mark.system("Rscript")
@pytest.mark.system("jsonlite")
def test_what_r_does_not_have_is_named(place: Place) -> None:
    lock = place.lock("renv.lock", **{"renv.lock": r_lock("0.0.1")})
    with pytest.raises(EnvironmentBuildError, match=r"0\.0\.1 is not there \(installed is"):
        place.environments.build(lock)
    lock = place.lock("renv.lock", **{"renv.lock": r_lock("", r="2.1.0")})
    with pytest.raises(EnvironmentBuildError, match=re.escape("is for R 2.1.0, and there is R")):
        place.environments.build(lock)
