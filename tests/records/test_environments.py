from __future__ import annotations

from mainspring.records.environments import Environment, Lock, Machine, Python, decode, encode


def lock(**changes: object) -> Lock:
    fields = {"kind": "pylock", "main": "pylock.toml", "files": {"pylock.toml": "blake3:1"}}
    return Lock(**{**fields, **changes})  # type: ignore[arg-type]


def test_an_environment_comes_back_and_names_its_blobs() -> None:
    made = Environment(
        lock=lock(),
        python=Python(version="3.11.7", implementation="CPython"),
        machine=Machine(system="Linux", architecture="x86_64"),
        steps={"envs/a": lock(files={"pylock.toml": "blake3:2"}), "envs/b": lock()},
    )
    assert decode(encode(made)) == made
    assert made.blobs() == ["blake3:1", "blake3:2"]
    assert Environment(lock=None, python=made.python, machine=made.machine).blobs() == []


def test_a_locks_digest_is_of_what_it_says() -> None:
    assert lock().digest == lock(path="envs/a/pylock.toml").digest
    others = [lock(python="3.12"), lock(kind="made"), lock(main="x"), lock(files={})]
    assert len({lock().digest, *(other.digest for other in others)}) == 5
