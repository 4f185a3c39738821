"""Runs that are not exact, each in a way of its own: the first step that differs, and the cause."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.place import Place, Result

FLOW = """
    import datetime, random
    from concurrent.futures import ThreadPoolExecutor
    import numpy as np

    @step
    def source(n: int = 400) -> list[float]:
        return [random.random() for _ in range(n)]

    @step
    def odd(xs: list[float]) -> list[float]:
        {body}

    @step
    def after(xs: list[float]) -> float:
        return sum(xs)

    @pipeline
    def main():
        return after(odd(source()))
"""
UNSEEDED = "return [x + float(np.random.default_rng().random()) for x in xs]"
SYSTEM = "return [x + random.SystemRandom().random() for x in xs]"
HASHES = "return [float(name) for name in {str(x) for x in xs}]"
CLOCK = "return [*xs, time.time()]"
RACE = """
        def part(i):
            time.sleep(0.0005)
            done.append(np.float32(xs[i]))

        done = []
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(part, range(len(xs))))
        total = np.float32(0)
        for one in done:
            total = np.float32(0.99) * total + one
        return [float(total)]
"""


def verified(place: Place, *words: str, code: int) -> dict[str, Any]:
    """What `verify` says here, as JSON; it has to end with this code. (What it takes to build an
    environment with packages is not at hand everywhere.)"""
    done: Result = place("verify", "latest", "--here", "--json", *words)
    assert done.code == code, done
    assert done.json["exit_code"] == code
    return done.json["verification"]


def ran(place: Place, body: str) -> None:
    place.flow(FLOW.format(body=body.strip()))
    place.run()


@pytest.mark.parametrize(
    ("body", "suspect", "standing"),
    [
        (UNSEEDED, "unseeded randomness", "decides"),
        (SYSTEM, "unseeded randomness", "decides"),
        (HASHES, "string hashes (the order of sets)", "restores"),
        (CLOCK, "clock", "decides"),
        (RACE, "threads", ("settles", "restores")),
    ],
    ids=["default_rng", "SystemRandom", "sets", "clock", "threads"],
)
def test_what_is_not_exact_is_found_and_why(
    place: Place, body: str, suspect: str, standing: str | tuple[str, ...]
) -> None:
    ran(place, body)
    found = verified(place, code=1)
    assert (found["verdict"], found["first"]) == ("differs", "odd")
    # `after` got the recorded input: what differs above it is nothing to it.
    assert found["counts"] == {"identical": 2, "tolerance": 0, "unverified": 0, "differs": 1}
    first = found["suspects"][0]
    assert first["name"] == suspect, found["suspects"]
    assert first["standing"] in standing
    assert [s["name"] for s in found["suspects"] if s["standing"] in ("restores", "decides")] in (
        [suspect], [],
    )  # fmt: skip
    changes = found["tasks"][0]["outputs"][0]["comparison"]["changes"]
    assert changes[0]["what"]
    listed = place("runs", "--json").json["runs"]
    assert [run["verified"] for run in listed] == ["differs"]
    assert place("show", "latest").out.count("differs from odd on") == 1


def test_a_dependency_that_changed_is_the_suspect(place: Place, tmp_path: Path) -> None:
    site = tmp_path / "venv"
    subprocess.run(
        [sys.executable, "-m", "venv", "--system-site-packages", "--without-pip", str(site)],
        check=True,
    )
    (packages,) = site.glob("lib/python*/site-packages")
    ours = [path for path in sys.path if path.endswith(("site-packages", "src"))]
    (packages / "ours.pth").write_text("\n".join(ours))
    python = site / "bin" / "python"

    def install(version: str, value: float) -> None:
        for old in packages.glob("tinylib*"):
            shutil.rmtree(old)
        (packages / "tinylib").mkdir()
        (packages / "tinylib" / "__init__.py").write_text(f"VALUE = {value}\n")
        info = packages / f"tinylib-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: tinylib\nVersion: {version}\n"
        )
        (info / "RECORD").write_text("tinylib/__init__.py,,\n")
        (info / "top_level.txt").write_text("tinylib\n")

    def program(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(python), "-m", "mainspring", *words], cwd=place.root, capture_output=True,
            text=True, check=False, timeout=120,
        )  # fmt: skip

    install("1.0", 0.5)
    place.flow(
        FLOW.format(body="return [x + tinylib.VALUE for x in xs]").replace(
            "import datetime, random", "import datetime, random, tinylib"
        )
    )
    done = program("run", "--json")
    assert done.returncode == 0, done
    assert program("verify", "latest", "-q", "--here").returncode == 0
    install("2.0", 0.25)
    done = program("verify", "latest", "--here", "--json")
    assert done.returncode == 1, done
    found = json.loads(done.stdout)["verification"]
    assert found["first"] == "odd"
    first, *others = found["suspects"]
    assert first["name"] == "environment", found["suspects"]
    assert "tinylib 1.0 → 2.0" in first["evidence"]
    assert {suspect["standing"] for suspect in others} <= {"excluded", "possible"}


def test_an_exact_run_is_identical_and_nothing_is_disturbed(place: Place) -> None:
    ran(place, "return [2 * x for x in xs]")
    before = place("runs", "--json").json["runs"]
    attempts = place.attempts()
    found = verified(place, code=0)
    assert (found["verdict"], found["first"], found["suspects"]) == ("identical", None, [])
    assert found["counts"]["identical"] == 3
    assert found["hash_seed"] != 0
    after = place("runs", "--json").json["runs"]
    assert [run["verified"] for run in after] == ["identical"]
    assert [{**run, "verified": None} for run in after] == before
    assert place.attempts() == attempts
    assert set(place.choices().values()) == {"reuse"}


def test_in_an_environment_of_its_own(place: Place) -> None:
    place.flow("""
        @step
        def one() -> int:
            return len({sys.prefix, sys.base_prefix})

        @step
        def place() -> str:
            return sys.prefix

        @pipeline
        def main():
            return one(), place()
    """)
    text = (place.root / "flow.py").read_text()
    kept = [line for line in text.splitlines() if "numpy" not in line and "pandas" not in line]
    (place.root / "flow.py").write_text("\n".join(["import sys", *kept, ""]))
    place.run()
    done = place("verify", "latest", "--json")
    found = done.json["verification"]
    assert found["where"].startswith("built from")
    # What it runs from is the only thing that tells.
    assert (done.code, found["first"], found["counts"]["identical"]) == (1, "place", 1)


def test_tolerances(place: Place) -> None:
    ran(place, "return [x + 1e-9 * random.SystemRandom().random() for x in xs]")
    assert verified(place, "--tolerance", "1e-6", code=0)["verdict"] == "tolerance"
    assert verified(place, "--tolerance", "odd=1e-6", code=0)["verdict"] == "tolerance"
    assert verified(place, "--tolerance", "after=1", "--experiments", "0", code=1)["suspects"] == []
    found = verified(place, "--tolerance", "1e-15", "--experiments", "0", code=1)
    assert found["tasks"][0]["outputs"][0]["comparison"]["numeric"]
    for wrong in ("x", "odd=", "-1", "nan", "inf"):
        done = place("verify", "latest", f"--tolerance={wrong}")
        assert (done.code, "--tolerance takes" in done.err) == (2, True), done


def test_the_recorded_hashes_make_it_exactly_as_it_was(place: Place) -> None:
    ran(place, HASHES)
    assert verified(place, "--hash-seed", "recorded", code=0)["hash_seed"] == 0
    assert verified(place, "--hash-seed", "7", "--experiments", "0", code=1)["hash_seed"] == 7
    assert place("verify", "latest", "--hash-seed", "x").code == 2


def test_maps_repeats_and_commands(place: Place) -> None:
    place.flow("""
        @step
        def numbers(n: int) -> list[int]:
            return list(range(n))

        @step
        def noisy(x: int) -> float:
            return x + (rng().random() if x != 3 else time.time())

        @step
        def half(x: float) -> float:
            return x / 2

        @pipeline
        def halve(x: float):
            return {"x": half(x)}

        shout = command("tr a-z A-Z < {inputs.text} > {outputs.loud}", name="shout",
                        inputs={"text": Path}, outputs={"loud": "loud.txt"}, shell=True)

        @step
        def text(n: int) -> Path:
            path = workdir() / "t.txt"
            path.write_text("hello " * n)
            return path

        @pipeline
        def main(n: int = 5):
            drawn = noisy.map(numbers(n))
            small = repeat(halve, until=lambda out: out.x < 1.0, max=10)(x=10.0)
            return {"drawn": drawn, "small": small.x, "loud": shout(text=text(n))}
    """)
    place.run()
    found = verified(place, code=1)
    assert found["first"] == "noisy[3]"
    assert found["counts"] == {"identical": 11, "tolerance": 0, "unverified": 0, "differs": 1}
    found = verified(place, "--task", "noisy[2]", code=0)
    assert (found["counts"]["identical"], found["only"]) == (1, ["noisy[2]"])
    found = verified(place, "--task", "noisy", "--experiments", "0", code=1)
    assert sum(found["counts"].values()) == 5
    # A part is no verdict on the whole.
    assert place("runs", "--json").json["runs"][0]["verified"] == "differs"
    assert place("verify", "latest", "--task", "nope").code == 2


def test_what_looks_outside_is_left_out_unless_it_is_named(place: Place) -> None:
    place.flow("""
        @step(cache=False)
        def now() -> float:
            return time.time()

        @step
        def round_up(x: float) -> int:
            return int(x) + 1

        @pipeline
        def main():
            return round_up(now())
    """)
    place.run()
    found = verified(place, code=0)
    assert found["verdict"] == "identical"
    assert found["counts"]["unverified"] == 1
    assert "world outside" in found["tasks"][0]["reason"]
    found = verified(place, "--task", "now", code=1)
    assert found["suspects"][0]["name"] == "clock"


def test_failed_runs_and_values_that_are_gone(place: Place) -> None:
    place.flow("""
        @step
        def one() -> list[int]:
            return list(range(1000))

        @step
        def two(xs: list[int]) -> list[int]:
            return xs[::-1]

        @step
        def bad(xs: list[int]) -> int:
            raise ValueError(len(xs))

        @pipeline
        def main():
            return bad(two(one()))
    """)
    place.run(code=1)
    found = verified(place, code=4)
    assert (found["verdict"], found["counts"]["identical"]) == ("unverified", 2)
    assert [(t["path"], t["reason"]) for t in found["tasks"]] == [("bad", "it failed then")]
    for digest in place.show().digests.values():
        path = next((place.home / "blobs").rglob(digest.partition(":")[2][2:]), None) or next(
            (place.home / "blobs").rglob(digest.partition(":")[2])
        )
        path.unlink()
    found = verified(place, code=4)
    assert found["counts"] == {"identical": 2, "tolerance": 0, "unverified": 1, "differs": 0}
    (place.home / "blobs").rename(place.home / "gone")
    done = place("verify", "latest")
    assert done.code not in (0, 70), done
    assert "Traceback" not in done.err


def test_a_step_that_fails_now(place: Place, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    flag.write_text("1.5")
    ran(place, f"return [float(Path({str(flag)!r}).read_text())]")
    flag.unlink()
    found = verified(place, code=1)
    assert found["first"] == "odd"
    assert "it fails now" in found["tasks"][0]["reason"]
    flag.write_text("2.5")
    found = verified(place, code=1)
    assert found["suspects"][0]["name"] == "the world outside"
    assert str(flag) in found["suspects"][0]["evidence"]


def test_a_killed_verification_leaves_nothing_that_matters(place: Place, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    ran(place, f"Path({str(begun)!r}).touch(); time.sleep(1.0); return xs")
    begun.unlink()
    process = place.popen("verify", "latest", "--here")
    deadline = time.monotonic() + 60
    while not begun.exists() and time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert [run["verified"] for run in place("runs", "--json").json["runs"]] == [None]
    assert verified(place, "--task", "source", "--task", "after", code=0)["verdict"] == "identical"
    assert set(place.choices().values()) == {"reuse"}
    assert place("doctor").code == 0


def test_an_interrupted_one_says_so(place: Place, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    ran(place, f"Path({str(begun)!r}).touch(); time.sleep(1.0); return xs")
    before = place.attempts()
    begun.unlink()
    process = place.popen("verify", "latest", "--here")
    deadline = time.monotonic() + 60
    while not begun.exists() and time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert place.attempts() == before


def test_a_run_that_is_not_over_is_refused(place: Place) -> None:
    place.flow(FLOW.format(body="return xs"))
    queued = place("run", "--queue")
    done = place("verify", queued.out.strip())
    assert (done.code, "nothing final to verify" in done.err) == (2, True), done
