"""Parameters, paths and trees that are far too large, and files that never keep still."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.e2e.place import Place

FLOW = """
    @step
    def size(x: Any) -> int:
        return len(x)

    @step
    def read() -> str:
        return Path("data.txt").read_text()

    @pipeline
    def main(x: str = "a"):
        return size(x)

    @pipeline
    def reading():
        return read()
"""
LARGE = 10_000_000


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = Place(tmp_path / "demo", "flow:main", "flow:reading")
    made.flow(FLOW)
    return made


def test_a_parameter_of_ten_megabytes(place: Place) -> None:
    place.write(
        "large.py",
        f"""
        from flow import main
        run = main.run(x="y" * {LARGE})
        print(run.result, main.run(x="y" * {LARGE})["size"], run.id)
        # Not ru_maxrss, which counts what this process was before it became Python.
        status = open("/proc/self/status").read()
        print(status.partition("VmHWM:")[2].split()[0])
        """,
    )
    done = place.script("large.py")
    assert done.code == 0, done
    first, peak = done.out.splitlines()
    assert first.split()[:2] == [str(LARGE)] * 2
    assert int(peak) < 400_000, "kilobytes of memory"
    shown = place("show", "latest")
    assert shown.code == 0
    assert len(shown.out) < 5_000, "a page shows the beginning only"
    assert place.show().json["counts"] == {"reused": 1}
    whole = place.show().json["run"]["parameters"]["x"]
    assert len(whole) == LARGE
    assert len(place("why", "latest", "size").out) < 5_000
    assert len(place("runs").out) < 5_000


def test_a_folder_deeper_than_a_path_can_name(place: Place) -> None:
    """A path of more than 4,096 bytes can be opened by nobody: runs go on without it."""
    here = os.open(place.root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for _ in range(25):
            os.mkdir("d" * 200, dir_fd=here)
            below = os.open("d" * 200, os.O_RDONLY | os.O_DIRECTORY, dir_fd=here)
            os.close(here)
            here = below
        os.close(os.open("deep.py", os.O_WRONLY | os.O_CREAT, dir_fd=here))
    finally:
        os.close(here)
    try:
        done = place("run", "main")
        assert "Traceback" not in done.err
        assert done.code == 0, done
    finally:
        subprocess.run(["rm", "-rf", "d" * 200], cwd=place.root, check=True)


def test_a_name_of_255_bytes_and_a_path_of_4000(place: Place) -> None:
    name = "é" * 120 + ".txt"
    folder = place.root
    for _ in range(14):
        folder = folder / ("e" * 240)
    if len(os.fsencode(folder)) < 3_800:
        folder.mkdir(parents=True)
        (folder / name).write_text("far", "utf-8")
    place.flow(
        FLOW.replace('Path("data.txt")', f"next(Path().glob('{'*/' * 14}*.txt'))"), "flow.py"
    )
    done = place.run("reading")
    assert place.value("read") == "far", done


def test_files_that_change_during_the_snapshot(place: Place) -> None:
    """A run has either content of each file, never a mixture; and what ran is what is recorded."""
    data = place.write("data.txt", "")
    halves = ["a" * 200_000, "b" * 200_000]
    data.write_text(halves[0])
    writer = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys\n"
            "halves = ['a' * 200_000, 'b' * 200_000]\n"
            "n = 0\n"
            "print('going', flush=True)\n"
            "while True:\n"
            "    n += 1\n"
            "    with open(sys.argv[1], 'r+') as file:\n"
            "        file.write(halves[n % 2][:100_000])\n"
            "        file.flush()\n"
            "        file.write(halves[n % 2][100_000:])\n",
            str(data),
        ],
        stdout=subprocess.PIPE,
    )
    assert writer.stdout is not None
    try:
        writer.stdout.readline()
        for _ in range(6):
            done = place("run", "reading", "--json")
            assert done.code in (0, 2), done
            assert "Traceback" not in done.err
            if done.code:
                assert "data.txt" in done.err
                assert "keeps changing while it is read" in done.err
            else:
                text = place.value("read")
                recorded = place.show().json["run"]["snapshot"]
                assert len(text) == 200_000
                assert recorded
    finally:
        writer.kill()
        writer.wait()
        writer.stdout.close()
    place.run("reading")
    text = place.value("read")
    assert hashlib.sha256(text.encode()).digest() == hashlib.sha256(data.read_bytes()).digest()
