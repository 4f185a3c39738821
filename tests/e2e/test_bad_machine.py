"""A machine that misbehaves: full and read-only disks, damaged files, other versions."""

from __future__ import annotations

import os
import shlex
import shutil
import sqlite3
from pathlib import Path

import pytest
from tests.e2e.place import Place, polite

FLOW = """
    @step
    def numbers(n: int) -> list[int]:
        return list(range(n))

    @step
    def total(xs: list[int]) -> int:
        return sum(xs)

    @step
    def text(n: int) -> str:
        return f"total {n}"

    @pipeline
    def main(n: int = 3):
        return text(total(numbers(n)))
"""
BIG = """
    @step
    def big(size: int) -> bytes:
        return bytes(range(256)) * (size // 256)

    @step
    def small() -> int:
        return 1

    @step
    def chatty(size: int) -> int:
        for _ in range(size // 1000):
            print("x" * 999)
        return 1

    @pipeline
    def main(size: int = 20_000_000):
        small()
        return big(size)

    @pipeline
    def talk(size: int = 20_000_000):
        return chatty(size)
"""


def mounted(place: Place, size: str, *steps: str) -> list[str]:
    """Run shell lines where `$MAINSPRING_HOME` is a small file system that only they see.

    `ms` is the program. Returns what each line printed.
    """
    home = place.root.parent / "home"
    home.mkdir(exist_ok=True)
    body = "\n".join(f"echo '<<<'; {step} 2>&1; echo \"exit $?\"" for step in steps)
    script = f"""
        mount -t tmpfs -o size={size} tmpfs {shlex.quote(str(home))} || exit 99
        ms() {{ "$PYTHON" -m mainspring "$@"; }}
        {body}
    """
    place.wrapped = ("unshare", "--mount", "sh", "-c", script)
    import sys

    done = place(env={"MAINSPRING_HOME": str(home), "PYTHON": sys.executable})
    place.wrapped = ()
    assert done.code == 0, done
    return done.out.split("<<<\n")[1:]


@pytest.mark.system("tmpfs")
def test_full_disk(place: Place) -> None:
    place.flow(BIG)
    first, second, third, fourth = mounted(
        place, "4m", "ms run", "ms run", "ms resume latest -q", "ms show"
    )
    for said in (first, second, third):
        assert "exit 1" in said, said
        assert "no space left" in said, said
        assert "Traceback" not in said, said
        assert "bug in" not in said, said
    assert "small  succeeded" in first, first
    assert "small  reused" in second, second
    assert "failed" in fourth


@pytest.mark.system("tmpfs")
def test_full_disk_then_room(place: Place) -> None:
    place.flow(BIG)
    mount = 'mount -o remount,size=64m tmpfs "$MAINSPRING_HOME"'
    first, _, third, fourth = mounted(
        place, "4m", "ms run", mount, "ms resume latest", "ms doctor --deep"
    )
    assert "exit 1" in first, first
    assert "exit 0" in third, third
    assert "exit 0" in fourth, fourth


@pytest.mark.system("tmpfs")
def test_logs_that_fill_the_disk(place: Place) -> None:
    place.flow(BIG)
    mount = 'mount -o remount,size=64m tmpfs "$MAINSPRING_HOME"'
    said, shown, _, later, again = mounted(
        place, "4m", "ms run flow:talk", "ms show", mount, "ms resume latest", "ms doctor"
    )
    assert "exit 1" in said or "exit 2" in said, said
    assert "the disk is full" in said or "no space left" in said.lower(), said
    assert "Traceback" not in said + shown
    assert "bug in" not in said + shown
    assert "exit 0" in later, later
    assert "exit 0" in again, again


@pytest.mark.system("tmpfs")
def test_no_room_at_all(place: Place) -> None:
    place.flow(BIG)
    [said, planned] = mounted(place, "16k", "ms run", "ms plan")
    for text in (said, planned):
        assert "exit 2" in text, text
        assert text.count("error: ") == 1, text
        assert "Traceback" not in text, text
        assert "bug in" not in text, text
        assert "space" in text, text


@pytest.mark.system("tmpfs")
def test_home_that_becomes_read_only(place: Place) -> None:
    place.flow(FLOW)
    freeze = 'mount -o remount,ro tmpfs "$MAINSPRING_HOME"'
    thaw = 'mount -o remount,rw tmpfs "$MAINSPRING_HOME"'
    verbs = ("run", "plan", "runs", "gc", "doctor")
    _, _, *frozen, _, after = mounted(
        place, "16m", "ms run", freeze, *(f"ms {verb}" for verb in verbs), thaw, "ms run"
    )
    for said in frozen[:-1]:
        assert "exit 2" in said, said
        assert said.count("error: ") == 1, said
        assert "read-only" in said.lower(), said
    for said in frozen:
        assert not any(word in said for word in ("exit 0", "Traceback", "bug in")), said
    assert "3 reused" in after


def test_home_that_is_a_file(place: Place) -> None:
    place.flow(FLOW)
    place.write(".mainspring", "what is this?")
    polite(place("run"), 2, ".mainspring", "MAINSPRING_HOME")


def test_home_elsewhere(place: Place, tmp_path: Path) -> None:
    place.flow(FLOW)
    home = tmp_path / "deep" / "er" / "home"
    place.env = {"MAINSPRING_HOME": str(home)}
    assert place.counts() == {"succeeded": 3}
    assert not place.home.exists()
    assert (home / "store.db").exists()
    assert place.counts() == {"reused": 3}


@pytest.mark.parametrize("damage", ["flip", "cut", "grow", "remove", "empty"])
def test_a_damaged_blob_is_found_and_computed_again(place: Place, damage: str) -> None:
    place.flow(FLOW)
    place.run()
    before = place.show().digests
    blob = place.blob(before["total.result"])
    data = blob.read_bytes()
    blob.chmod(0o644)
    changed = {
        "flip": bytes([data[0] ^ 1]) + data[1:],
        "cut": data[:-1],
        "grow": data + b"0",
        "empty": b"",
    }
    if damage == "remove":
        blob.unlink()
    else:
        blob.write_bytes(changed[damage])
    plan = place.plan()
    assert plan["total"]["choice"] == "run", plan
    assert "total" not in plan["text"]["reason"] or plan["text"]["choice"] != "run"
    done = place.run()
    assert done.json["counts"] == {"succeeded": 1, "reused": 2}
    shown = place.show()
    assert shown.digests == before
    assert shown.statuses == {"numbers": "reused", "total": "succeeded", "text": "reused"}
    assert place("doctor", "--deep").code == 0


def test_a_damaged_blob_that_only_a_deep_look_finds(place: Place) -> None:
    """The same size and time as before: what a failing disk does."""
    place.flow(FLOW)
    place.run()
    before = place.show().digests
    blob = place.blob(before["numbers.result"])
    stat = blob.stat()
    blob.chmod(0o644)
    blob.write_bytes(blob.read_bytes().replace(b"1", b"7"))
    os.utime(blob, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    # A worker that reads it notices, and so does who copies it out.
    polite(place("artifacts", "get", "latest", "numbers", "-o", "-"), 2, "corrupt", "computed anew")
    assert "1 of 4 are missing" in place("doctor", "--deep").out
    assert place.counts() == {"succeeded": 1, "reused": 2}
    assert place.show().digests == before
    assert place("doctor", "--deep").code == 0


def test_a_deep_look_finds_damage_that_a_plain_one_does_not(place: Place) -> None:
    place.flow(FLOW)
    place.run()
    blob = place.blob(place.show().digests["numbers.result"])
    stat = blob.stat()
    blob.chmod(0o644)
    blob.write_bytes(blob.read_bytes().replace(b"1", b"7"))
    os.utime(blob, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    done = place("doctor", "--deep")
    assert done.code == 1
    assert "1 of 8 are damaged" in done.out
    assert place.counts() == {"succeeded": 1, "reused": 2}


def test_a_worker_that_reads_a_damaged_blob(place: Place) -> None:
    place.flow(FLOW)
    place.run()
    digest = place.show().digests["numbers.result"]
    blob = place.blob(digest)
    stat = blob.stat()
    blob.chmod(0o644)
    blob.write_bytes(blob.read_bytes().replace(b"1", b"7"))
    os.utime(blob, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    place.edit("flow.py", "sum(xs)", "sum(xs) + 0")
    done = place("run")
    # Never a result from damaged bytes: either it computed the input again, or it says so.
    assert "total 9" not in done.out
    if done.code != 0:
        assert digest in done.err or "damaged" in done.err, done.err
        assert place("run").code == 0
    assert place("artifacts", "get", "latest", "text", "-o", "-").out == "total 3"


@pytest.mark.parametrize("keep", [0, 100, 5000, 20_000])
def test_a_truncated_database(place: Place, keep: int) -> None:
    place.flow(FLOW)
    place.run()
    for name in ("store.db-wal", "store.db-shm"):
        (place.home / name).unlink(missing_ok=True)
    store = place.home / "store.db"
    with store.open("r+b") as file:
        file.truncate(keep)
    for verb in (("run",), ("runs",), ("show",), ("plan",)):
        polite(place(*verb), 2, "store.db")
    assert place("doctor").code in (1, 2)
    assert store.stat().st_size == keep  # nobody wrote over what may be rescued
    # The way out that it names works.
    store.rename(store.with_suffix(".broken"))
    assert place.counts() == {"succeeded": 3}


def test_a_database_of_something_else(place: Place) -> None:
    place.flow(FLOW)
    place.home.mkdir()
    with sqlite3.connect(place.home / "store.db") as other:
        other.execute("CREATE TABLE mine (x)")
    other.close()
    polite(place("run"), 2, "store.db")


def test_a_newer_database(place: Place) -> None:
    place.flow(FLOW)
    place.run()
    store = sqlite3.connect(place.home / "store.db")
    version = store.execute("PRAGMA user_version").fetchone()[0]
    store.execute(f"PRAGMA user_version = {version + 1}")
    store.commit()
    store.close()
    before = (place.home / "store.db").read_bytes()
    for verb in (("run",), ("runs",), ("doctor", "--migrate")):
        done = place(*verb)
        assert done.code in (1, 2), done
        assert "newer" in done.err + done.out, done
        assert "Traceback" not in done.err
    assert (place.home / "store.db").read_bytes() == before


def test_a_damaged_cache_costs_time_only(place: Place) -> None:
    place.flow(FLOW)
    place.run()
    for path in (place.home / "cache").rglob("*"):
        if path.is_file():
            path.write_bytes(b"\x00garbage\xff" * 5)
    assert place.counts() == {"reused": 3}
    shutil.rmtree(place.home / "cache")
    shutil.rmtree(place.home / "snapshots")
    place.edit("flow.py", "sum(xs)", "sum(xs) + 1")
    assert place.counts() == {"succeeded": 2, "reused": 1}
