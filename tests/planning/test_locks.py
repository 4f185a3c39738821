"""Locks: which file is one, what it pins, and what is wrong with a bad one."""

from __future__ import annotations

import json

import pytest

from mainspring.planning import locks
from mainspring.records.environments import Lock
from mainspring.records.errors import DefinitionError

HASH = "--hash=sha256:" + "0" * 64
RENV = json.dumps(
    {"R": {"Version": "4.2.2"}, "Packages": {"a": {"Package": "a", "Version": "1.0"}}}
)
UV = 'version = 1\nrequires-python = ">=3.11"\n[[package]]\nname = "Six_x"\nversion = "1.16.0"\n'
PYLOCK = """lock-version = "1.0"
[[packages]]
name = "six"
version = "1.16.0"
wheels = [{ path = "six-1.16.0-py2.py3-none-any.whl", hashes = { sha256 = "00" } }]
"""


def read(path: str, running: tuple[int, int] = (3, 11), **files: str) -> Lock:
    given = {name.replace("__", "/").replace("_", "."): text for name, text in files.items()}
    digests = {name: f"blake3:{text}" for name, text in given.items()}
    return locks.read(digests, lambda name: given[name].encode(), path, running=running)


def test_the_lock_of_a_folder_is_found_in_a_fixed_order() -> None:
    every = ["uv.lock", "pylock.toml", "requirements.lock", "requirements.txt", "renv.lock"]
    every += ["conda-linux-64.lock", "environment.yml", "pylock.dev.toml", "requirements-x.txt"]
    files: dict[str, object] = {f"envs/a/{name}": None for name in every}
    files |= {"envs/a/deep/uv.lock": None, "envs/a/notes.txt": None, "uv.lock": None}
    found: list[str] = []
    while (path := locks.find(files, "envs/a")) is not None:
        found.append(path.removeprefix("envs/a/"))
        del files[path]
    assert found == every
    assert locks.find(files, "") == "uv.lock"


def test_a_file_that_is_no_lock_is_a_dockerfile() -> None:
    assert not locks.is_lock("envs/Dockerfile")
    assert not locks.is_lock("envs/gpu.Dockerfile")
    assert locks.is_lock("envs/gpu.txt")
    assert locks.is_lock("envs/pylock.gpu.toml")


def test_a_uv_lock_comes_with_its_projects() -> None:
    found = read(
        "e", e__uv_lock=UV, e__pyproject_toml="a", e__m__pyproject_toml="b", pyproject_toml="c"
    )
    assert (found.kind, found.main, found.path, found.python) == (
        "uv",
        "uv.lock",
        "e/uv.lock",
        "3.11",
    )
    assert sorted(found.files) == ["m/pyproject.toml", "pyproject.toml", "uv.lock"]
    with pytest.raises(DefinitionError, match=r"e/uv\.lock: .* needs its pyproject\.toml"):
        read("e", e__uv_lock=UV)


def test_the_digest_is_of_what_it_says_not_of_where_it_is() -> None:
    text = f"six==1.16.0 {HASH}"
    one, other = read("a", a__requirements_txt=text), read("b", b__requirements_txt=text)
    assert one.digest == other.digest
    assert read("a", a__requirements_txt=text + " ").digest != one.digest
    assert read("a", (3, 12), a__requirements_txt=text).digest != one.digest


def test_what_is_pinned() -> None:
    text = f"""
        # a comment
        --index-url https://example.invalid/simple
        Foo.Bar[extra]==1.0 ; python_version > "3" \\
            {HASH} \\
            {HASH}  # why
        six == 1.16.0 {HASH}
        local @ https://example.invalid/local.whl {HASH}
    """
    found = locks.pins("requirements", text.encode(), "r.txt")
    assert found == {"foo-bar": {"1.0"}, "six": {"1.16.0"}, "local": {""}}
    assert locks.pins("uv", UV.encode(), "uv.lock") == {"six-x": {"1.16.0"}}
    assert locks.pins("pylock", PYLOCK.encode(), "pylock.toml") == {"six": {"1.16.0"}}
    assert locks.pins("renv", RENV.encode(), "renv.lock") == {"a": {"1.0"}}
    conda = "# platform: linux-64\n@EXPLICIT\nhttps://example.invalid/main/linux-64/zlib-1.3-h1_0.conda#0a\n"
    assert locks.kind_of("conda.lock", conda.encode()) == "conda"
    assert locks.pins("conda", conda.encode(), "conda.lock") == {"zlib": {"1.3"}}


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("requirements_txt", "six", "requirements.txt:1: six has no hash"),
        ("requirements_txt", f"a==1 {HASH}\nsix>=1 {HASH}", "txt:2: six is not pinned to one"),
        ("requirements_txt", f"six==1.* {HASH}", "six is not pinned to one version"),
        ("requirements_txt", "-r other.txt", "requirements.txt:1: `-r` has no place in a lock"),
        ("requirements_txt", "-e .", "`-e` has no place in a lock"),
        ("requirements_txt", "??", "this is no requirement"),
        ("pylock_toml", "lock-version = 1", "pylock.toml: its lock-version is 1, and 1.0 is known"),
        ("pylock_toml", "a = [", "pylock.toml: it is no TOML"),
        ("pylock_toml", 'lock-version = "1.0"\npackages = [1]', "lists a package without a name"),
        (
            "pylock_toml", 'lock-version = "1.0"\n[[packages]]\nname = "six"',
            "six has no wheels, sdist, archive, vcs or directory",
        ),
        ("uv_lock", "version = 7", "uv.lock: its version is 7, and 1 is known"),
        ("renv_lock", "{", "renv.lock: it is no JSON"),
        ("renv_lock", "{}", "renv.lock: it has not R.Version"),
        ("environment_yml", "a", "environment.yml: it says what is wanted, not what was installed"),
        ("conda_lock", "@EXPLICIT\nzlib", "conda.lock:2: this is no URL of a package"),
        ("other_py", "", "e: there is no lock in it"),
    ],
)  # fmt: skip
def test_a_bad_lock_is_named_with_its_fault(name: str, text: str, fault: str) -> None:
    with pytest.raises(DefinitionError) as failed:
        read("e", **{f"e__{name}": text})
    assert fault in str(failed.value)


def test_no_text_and_too_large() -> None:
    files = {"r.txt": "x"}
    for data, fault in ((b"\xff\xfe", "it is no text"), (b" " * (51 << 20), "is too much")):
        with pytest.raises(DefinitionError, match=fault):
            locks.read(files, lambda _, data=data: data, "r.txt", running=(3, 11))


@pytest.mark.parametrize(
    ("wanted", "fitting"),
    [
        ("", "11 12 13"), (">=3.12", "12 13"), (">=3.11,<3.13", "11 12"), ("==3.12.*", "12"),
        ("~=3.12.1", "12"), ("~=3.12", "12 13"), (">=3.11.4,!=3.12.*", "11 13"),
        ("<3.13.5", "11 12 13"),
        (">3.11", "12 13"), ("<=3.11", "11"), (">=3", "11 12 13"), ("<4", "11 12 13"),
        ("odd", "11 12 13"),
    ],
)  # fmt: skip
def test_which_python_fits(wanted: str, fitting: str) -> None:
    assert " ".join(str(m) for m in (11, 12, 13) if locks.allows(wanted, (3, m))) == fitting


def test_the_python_that_runs_is_preferred() -> None:
    lock = 'requires-python = ">=3.12"\n' + PYLOCK
    assert read("e", (3, 13), e__pylock_toml=lock).python == "3.13"
    assert read("e", (3, 11), e__pylock_toml=lock).python == "3.12"
    with pytest.raises(DefinitionError, match="workers need 3"):
        read("e", e__pylock_toml='requires-python = "<3.11"\n' + PYLOCK)


def test_the_python_that_a_file_names() -> None:
    def named(text: str) -> str:
        files = {"e/pylock.toml": PYLOCK, "e/.python-version": text}
        return locks.read(files, lambda name: files[name].encode(), "e", running=(3, 11)).python

    assert named("3.12.4\n") == "3.12"
    assert named("cpython-3.13") == "3.13"
    with pytest.raises(DefinitionError, match=r"\.python-version: it names no version"):
        named("pypy")
