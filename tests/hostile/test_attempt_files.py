"""Steps that write what they like where their attempt keeps its files.

Each is an error of its own attempt at most: the engine neither crashes, hangs nor reads elsewhere.
"""

from __future__ import annotations

from typing import Any

import pytest
from tests.e2e.place import LIMIT, Place, Result, finish

STEPS = '''
    import json, shutil, socket

    def here(name=""):
        return str(workdir().parent / name)

    def put(name, data, mode="wb"):
        with open(here(name), mode) as file:
            file.write(data)

    def instead(name):
        """Take a file away, so that something else may have its name."""
        if os.path.lexists(here(name)):
            os.unlink(here(name))
        return here(name)

    OUTCOME = {
        "attempt": "other", "status": "succeeded", "started": 0.0, "ended": 1.0,
        "outputs": {},
    }

    @step
    def fine() -> int:
        log(loss=1.0)
        return 1

    @step
    def metrics_fifo() -> int:
        os.mkfifo(instead("metrics.jsonl"))
        return 1

    @step
    def metrics_folder() -> int:
        os.mkdir(instead("metrics.jsonl"))
        return 1

    @step
    def metrics_zero() -> int:
        os.symlink("/dev/zero", instead("metrics.jsonl"))
        return 1

    @step
    def metrics_elsewhere() -> int:
        os.symlink(os.environ["SECRET_FILE"], instead("metrics.jsonl"))
        return 1

    @step
    def metrics_loop() -> int:
        os.symlink("metrics.jsonl", instead("metrics.jsonl"))
        return 1

    @step
    def metrics_sparse() -> int:
        with open(here("metrics.jsonl"), "wb") as file:
            file.truncate(1 << 40)
        return 1

    @step
    def metrics_garbage() -> int:
        lines = [
            b"\\xff\\xfe", b"[", b"null", b"{}", b'["a"]', b'["a", 1, 2, 3, 4]',
            b'["a", "NaN", null, 0]', b'["b", "inf", 1e999, 0]', b'["c", 1, "x", 0]',
            b'["d", "1e999999", 1, 1e308]', b'["\\\\ud800", 1, 1, 0]', b'["\\\\u0000", 1, 1, 0]',
            b'["\\\\u001b[31m", 1, 1, 0]', b'["", 1, 1, 0]',
            b'["' + b"x" * 1000000 + b'", 1, 1, 0]',
            b'["e", ' + b"9" * 5000 + b', 1, 0]', b"[" * 100000, b'["ok", 2.0, 1, 0]', b"",
        ]
        put("metrics.jsonl", b"\\n".join(lines) + b"\\n", "ab")
        return 1

    @step
    def media_garbage() -> int:
        digest = "blake3:" + "0" * 64
        rows = [
            ["figure", "a", "../../../../etc/passwd", 1, "image/png", None, 0.0],
            ["figure", "b", "blake3:../../../../../etc/passwd", 1, "image/png", None, 0.0],
            ["figure", "c", digest, -1, "image/png", None, 0.0],
            ["figure", "../../d", digest, 2**70, "image/png", None, 0.0],
            ["figure", "e\\x1b[31m", digest, 2**62, "x" * 100000, None, 0.0],
            ["nothing", "f", digest, 1, "", 1e400, 0.0],
            [1, 2, 3], {}, None,
        ]
        put("media.jsonl", b"\\n".join(json.dumps(row).encode() for row in rows) + b"\\n", "ab")
        return 1

    @step
    def media_fifo() -> int:
        os.mkfifo(instead("media.jsonl"))
        return 1

    @step
    def log_fifo() -> int:
        os.mkfifo(instead("log"))
        return 1

    @step
    def log_elsewhere() -> int:
        os.symlink(os.environ["SECRET_FILE"], instead("log"))
        return 1

    @step
    def log_zero() -> int:
        os.symlink("/dev/zero", instead("log"))
        return 1

    @step
    def outcome_garbage() -> int:
        put("outcome.json", b"\\xff not JSON")
        return 1

    @step
    def outcome_empty() -> int:
        put("outcome.json", b"")
        return 1

    @step
    def outcome_fifo() -> int:
        os.mkfifo(here("outcome.json"))
        return 1

    @step
    def outcome_folder() -> int:
        os.mkdir(here("outcome.json"))
        return 1

    @step
    def outcome_zero() -> int:
        os.symlink("/dev/zero", here("outcome.json"))
        return 1

    @step
    def outcome_nowhere() -> int:
        os.symlink("nowhere", here("outcome.json"))
        return 1

    @step
    def outcome_sparse() -> int:
        with open(here("outcome.json"), "wb") as file:
            file.truncate(1 << 40)
        return 1

    @step
    def outcome_deep() -> int:
        put("outcome.json", b"[" * 1000000)
        return 1

    @step
    def outcome_of_another() -> int:
        put("outcome.json", json.dumps(OUTCOME).encode())
        return 1

    @step
    def outcome_that_escapes() -> int:
        digest = "blake3:../../../../../../etc/passwd"
        attempt = os.path.basename(os.path.realpath(here()))
        output = {"digest": digest, "format": "json", "size": 1, "type": "int"}
        put("outcome.json", json.dumps(
            {**OUTCOME, "attempt": attempt, "outputs": {"result": output}}).encode())
        os._exit(0)

    @step
    def outcome_with_no_outputs() -> int:
        attempt = os.path.basename(os.path.realpath(here()))
        put("outcome.json", json.dumps({**OUTCOME, "attempt": attempt}).encode())
        os._exit(0)

    @step
    def lock_gone() -> int:
        os.unlink(here("lock"))
        return 1

    @step
    def lock_garbage() -> int:
        put("lock", b"\\xff" * 1000)
        return 1

    @step
    def folder_gone() -> int:
        shutil.rmtree(os.path.realpath(here()))
        return 1

    @step
    def folder_locked() -> int:
        os.chmod(here(), 0)
        return 1

    @step
    def work_elsewhere() -> int:
        place = str(workdir())
        os.rmdir(place)
        os.symlink(os.environ["PRECIOUS"], place)
        return 1

    @step
    def sockets() -> int:
        made = socket.socket(socket.AF_UNIX)
        os.chdir(here())
        made.bind("socket")
        return 1
'''
NAMES = [
    line.split("def ")[1].split("(")[0]
    for line in STEPS.splitlines()
    if line.startswith("    def ") and "() -> int" in line
]
PIPELINE = "\n    @pipeline\n    def main():\n" + "".join(f"        {name}()\n" for name in NAMES)
SECRET = "the contents of a file outside"


class Ended:
    """The run in which all of it happened. Only to be read."""

    def __init__(self, place: Place, done: Result) -> None:
        self.place = place
        self.done = done
        self.shown: Any = place.show().json
        self.tasks = {task["path"]: task for task in self.shown["tasks"]}


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Ended:
    top = tmp_path_factory.mktemp("attempts")
    place = Place(top / "demo", more="[execution]\nworkers = 4\n")
    (top / "secret").write_text(f"{SECRET}\n")
    (top / "precious").mkdir()
    (top / "precious" / "kept").write_text("x")
    text = STEPS.replace("@step", "@step(env=['SECRET_FILE', 'PRECIOUS'])")
    place.flow(text + PIPELINE)
    place.env = {"SECRET_FILE": str(top / "secret"), "PRECIOUS": str(top / "precious")}
    done = finish(place.popen("run"), LIMIT)
    return Ended(place, done)


def test_the_engine_goes_on(ended: Ended) -> None:
    assert ended.done.code == 1, ended.done
    assert "Traceback" not in ended.done.err, ended.done.err
    assert "bug in" not in ended.done.err, ended.done.err
    assert set(ended.tasks) == set(NAMES)
    assert {task["status"] for task in ended.tasks.values()} == {"succeeded", "failed"}
    assert ended.tasks["fine"]["status"] == "succeeded"


def test_nothing_outside_was_read_or_removed(ended: Ended) -> None:
    top = ended.place.root.parent
    assert (top / "precious" / "kept").exists()
    for words in (("logs",), ("show",), ("show", "--json"), ("artifacts", "list")):
        done = ended.place(*words)
        assert SECRET not in done.out + done.err, words
        assert "Traceback" not in done.err, done.err
        assert "bug in" not in done.err, done.err


def test_metrics_that_can_be_read_are_kept(ended: Ended) -> None:
    found = {m["name"] for m in ended.shown["metrics"] if m["task"] == "metrics_garbage"}
    assert "ok" in found
    assert all(len(name) <= 500 for name in found)


def test_every_verb_copes(ended: Ended) -> None:
    place = ended.place
    for name in ("log_fifo", "log_zero", "media_garbage", "outcome_fifo", "folder_gone"):
        for verb in ("show", "logs"):
            words = (verb, "latest", name)
            done = finish(place.popen(*words), 20)
            assert done.code in (0, 1, 2), (words, done)
            assert "Traceback" not in done.err, (words, done.err)
            assert "bug in" not in done.err, (words, done.err)
            assert "\x1b" not in done.out, words
    assert place("doctor", "--deep").code in (0, 1)
    assert place("gc").code == 0
    again = finish(place.popen("run"), LIMIT)
    assert again.code == 1, again
    assert "fine  reused" in again.out
