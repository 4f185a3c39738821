"""Capsules made to do harm: each is refused by the name of its offence, and leaves nothing."""

from __future__ import annotations

import contextlib
import json
import stat
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.app.capsule.forging import Files, blake, forged, taken_apart, zipped
from tests.app.capsule.world import World

from mainspring.app.capsule import opening, packing
from mainspring.app.capsule.collecting import past_of
from mainspring.app.capsule.importing import take
from mainspring.app.capsule.opening import Trust
from mainspring.app.project import Project
from mainspring.records.canonical import canonical, digest_bytes
from mainspring.records.errors import CapsuleError, MainspringError
from mainspring.storage import signing

Records = dict[str, Any]


@pytest.fixture(autouse=True)
def _no_keys_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Project]:
    made = project_in(tmp_path / "there")
    yield made
    made.close()


def project_in(root: Path) -> Project:
    root.mkdir()
    (root / "mainspring.toml").write_text('[project]\nname = "there"\n')
    return Project(root)


def trusting(world: World) -> Trust:
    return Trust(keys=(signing.key_id(world.key.public_key()),))


def offence(there: Project, path: Path, trust: Trust) -> str:
    """What the capsule is refused for; nothing of it may have stayed."""
    with pytest.raises(CapsuleError) as caught:
        take(there, path, trust)
    assert list(there.blobs.listing()) == []
    assert list((there.home / "cache").glob("import-*")) == []
    assert there.store.read.find_run is not None
    with pytest.raises(MainspringError):
        there.store.read.find_run("latest")
    assert there.store.integrity() == []
    return caught.value.offence


# The zip.


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("../evil.py", "path traversal"),
        ("/etc/cron.d/evil", "absolute path"),
        ("source\\evil.py", "backslash in a name"),
        ("C:/evil.py", "drive letter"),
        ("source/FLOW.py", "names that differ only in case"),
        ("extra.txt", "extra file"),
    ],
)
def test_names(world: World, there: Project, tmp_path: Path, name: str, word: str) -> None:
    files = taken_apart(world.capsule)
    path = zipped(tmp_path / "x.zip", {**files, name: b"evil"})
    assert offence(there, path, trusting(world)) == word


def test_a_symbolic_link(world: World, there: Project, tmp_path: Path) -> None:
    files = taken_apart(world.capsule)
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as made:
        for name, data in files.items():
            info = zipfile.ZipInfo(name)
            if name == "source/flow.py":
                info.create_system = 3
                info.external_attr = (stat.S_IFLNK | 0o777) << 16
            made.writestr(info, data)
    assert offence(there, tmp_path / "x.zip", trusting(world)) == "symbolic link"


def test_a_bomb(world: World, there: Project, tmp_path: Path) -> None:
    files = taken_apart(world.capsule)
    with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in files.items():
            made.writestr(name, data)
        made.writestr("blobs/bomb", bytes(300 << 20))
    assert offence(there, tmp_path / "x.zip", trusting(world)) == "zip bomb"


def test_packed_again_by_another_program_it_is_the_same(
    world: World, there: Project, tmp_path: Path
) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("source/", b"")
        for name, data in reversed(taken_apart(world.capsule).items()):
            made.writestr(name, data)
    assert take(there, tmp_path / "x.zip", trusting(world)).run == world.run.id


def test_more_than_a_terabyte(
    world: World, there: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "LARGEST", 1000)
    assert offence(there, world.capsule, trusting(world)) == "oversized capsule"


def test_oversized_json(world: World, there: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "LARGEST_JSON", 1000)
    assert offence(there, world.capsule, trusting(world)) == "oversized file"


NEEDED = (packing.CAPSULE, packing.SEAL, packing.SPEC, packing.MANIFEST, packing.METRICS)


@pytest.mark.parametrize("name", NEEDED[2:])
def test_a_file_that_is_not_listed_either(
    world: World, there: Project, tmp_path: Path, name: str
) -> None:
    path = forged(world.capsule, tmp_path / "x.zip", world.key, files=lambda files: files.pop(name))
    assert offence(there, path, trusting(world)) == "missing file"


@pytest.mark.parametrize("name", [*NEEDED, "source/flow.py"])
def test_a_missing_file(world: World, there: Project, tmp_path: Path, name: str) -> None:
    files = taken_apart(world.capsule)
    del files[name]
    path = zipped(tmp_path / "x.zip", files)
    assert offence(there, path, trusting(world)) == "missing file"


def test_truncated(world: World, there: Project, tmp_path: Path) -> None:
    whole = world.capsule.read_bytes()
    for size in (0, 100, len(whole) // 2, len(whole) - 1):
        (tmp_path / "x.zip").write_bytes(whole[:size])
        assert "zip" in offence(there, tmp_path / "x.zip", trusting(world))


# Digests and signatures.


@pytest.mark.parametrize("name", ["source/flow.py", "artifacts/matrix/result.npy", "README.md"])
def test_a_changed_byte(world: World, there: Project, tmp_path: Path, name: str) -> None:
    files = taken_apart(world.capsule)
    files[name] = bytes([files[name][0] ^ 1]) + files[name][1:]
    path = zipped(tmp_path / "x.zip", files)
    assert offence(there, path, trusting(world)) == "wrong digest"


def test_a_changed_record(world: World, there: Project, tmp_path: Path) -> None:
    files = taken_apart(world.capsule)
    files[packing.CAPSULE] = files[packing.CAPSULE].replace(b'"passed":true', b'"passed":false')
    path = zipped(tmp_path / "x.zip", files)
    assert offence(there, path, trusting(world)) == "signature over another capsule"


@pytest.mark.parametrize("digest", ["sha256", "blake3"])
def test_either_digest_is_checked(
    world: World, there: Project, tmp_path: Path, digest: str
) -> None:
    wrong = {"sha256": "0" * 64, "blake3": "blake3:" + "0" * 64}[digest]

    def change(found: Records) -> None:
        [entry] = [file for file in found["files"] if file["path"] == "README.md"]
        entry[digest] = wrong

    path = forged(world.capsule, tmp_path / "x.zip", world.key, records=change)
    assert offence(there, path, trusting(world)) == "wrong digest"


def test_a_signature_of_somebody_else(world: World, there: Project, tmp_path: Path) -> None:
    path = forged(world.capsule, tmp_path / "x.zip", signing.new_key())
    assert offence(there, path, trusting(world)) == "unknown signer"


def test_a_signature_in_the_name_of_somebody_trusted(
    world: World, there: Project, tmp_path: Path
) -> None:
    files = taken_apart(forged(world.capsule, tmp_path / "y.zip", signing.new_key()))
    files[packing.SIGNER] = signing.public_pem(world.key.public_key())
    seal = json.loads(files[packing.SEAL])
    seal["signatures"][0]["keyid"] = signing.key_id(world.key.public_key())
    files[packing.SEAL] = json.dumps(seal).encode()
    path = zipped(tmp_path / "x.zip", files)
    assert offence(there, path, trusting(world)) == "wrong signature"


def test_the_signature_of_another_capsule(world: World, there: Project, tmp_path: Path) -> None:
    """Both are signed by the same, trusted key."""
    other = taken_apart(
        forged(
            world.capsule, tmp_path / "y.zip", world.key,
            records=lambda found: found["past"]["run"].update(seed=1),
        )
    )  # fmt: skip
    files = taken_apart(world.capsule)
    files[packing.SEAL] = other[packing.SEAL]
    path = zipped(tmp_path / "x.zip", files)
    assert offence(there, path, trusting(world)) == "signature over another capsule"


def unsign(files: Files) -> None:
    seal = json.loads(files[packing.SEAL])
    seal["signatures"] = []
    files[packing.SEAL] = json.dumps(seal).encode()


def test_a_signature_taken_away(world: World, there: Project, tmp_path: Path) -> None:
    files = taken_apart(world.capsule)
    unsign(files)
    path = zipped(tmp_path / "x.zip", files)
    assert offence(there, path, Trust(unsigned=True)) == "missing signature"
    del files[packing.SIGNER]
    path = zipped(tmp_path / "y.zip", files)
    assert offence(there, path, Trust()) == "not signed"


@pytest.mark.parametrize(
    "change",
    [
        lambda seal: seal.update(payload="not base64!"),
        lambda seal: seal.update(payloadType="text/plain"),
        lambda seal: seal.update(signatures=seal["signatures"] * 2),
        lambda seal: seal.update(signatures=[{"sig": "AAAA"}]),
    ],
)
def test_a_damaged_envelope(
    world: World, there: Project, tmp_path: Path, change: Callable[[Records], None]
) -> None:
    files = taken_apart(world.capsule)
    seal = json.loads(files[packing.SEAL])
    change(seal)
    files[packing.SEAL] = json.dumps(seal).encode()
    path = zipped(tmp_path / "x.zip", files)
    assert offence(there, path, trusting(world)) in ("damaged signature", "wrong signature")


def test_a_key_that_is_none(world: World, there: Project, tmp_path: Path) -> None:
    files = taken_apart(world.capsule)
    files[packing.SIGNER] = b"-----BEGIN PUBLIC KEY-----\n"
    path = zipped(tmp_path / "x.zip", files)
    assert offence(there, path, trusting(world)) == "damaged signature"


# Formats and records, of somebody who is trusted and means harm (or has a bug).


@pytest.mark.parametrize(
    ("form", "word"),
    [
        ("mainspring.capsule/2", "newer format"),
        ("mainspring.capsule/999999999", "newer format"),
        ("mainspring.capsule/0", "no capsule"),
        ("something", "no capsule"),
        (7, "JSON that does not fit"),
    ],
)
def test_formats(world: World, there: Project, tmp_path: Path, form: Any, word: str) -> None:
    path = forged(
        world.capsule, tmp_path / "x.zip", world.key,
        records=lambda found: found.update(format=form),
    )  # fmt: skip
    assert offence(there, path, trusting(world)) == word


def run_with(**changes: Any) -> Callable[[Records], None]:
    return lambda found: found["past"]["run"].update(changes)


def task_with(of: str, **changes: Any) -> Callable[[Records], None]:
    def change(found: Records) -> None:
        [task] = [task for task in found["past"]["tasks"] if task["path"] == of]
        task.update(changes)

    return change


def output_with(path: str, **changes: Any) -> Callable[[Records], None]:
    def change(found: Records) -> None:
        [task] = [task for task in found["past"]["tasks"] if task["path"] == path]
        task["outputs"]["result"].update(changes)

    return change


def deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


NOWHERE = "blake3:" + "0" * 64
AGREE = "records that do not agree"
RECORDS: dict[str, tuple[Callable[[Records], None], str]] = {
    "an id that is a path": (run_with(id="../../evil"), AGREE),
    "an id with a line end": (run_with(id="20261124-202633-hkena\n"), AGREE),
    "a run at work": (run_with(status="running"), AGREE),
    "a huge seed": (run_with(seed=1 << 80), AGREE),
    "a time that is none": (run_with(created=1e300), AGREE),
    "another pipeline": (run_with(pipeline="other"), AGREE),
    "a parent that is a path": (run_with(parent="../x"), AGREE),
    "a huge parameter": (run_with(parameters={"n": 10**40}), "number that is too large"),
    "a deep parameter": (run_with(parameters={"n": deep(200)}), "JSON that is nested too deeply"),
    "another source": (run_with(snapshot="blake3:" + "0" * 64), "wrong digest"),
    "another spec": (run_with(spec="blake3:" + "0" * 64), "wrong digest"),
    "a task of no pipeline": (task_with("total", path="evil"), AGREE),
    "a task that is a path": (task_with("total", path="../total"), AGREE),
    "a billion rounds": (task_with("total", path="total#999999999999/x"), AGREE),
    "another node": (task_with("total", node="numbers"), AGREE),
    "a task at work": (task_with("total", status="running"), AGREE),
    "its own parent": (task_with("total", parent=2), AGREE),
    "a parent that is not there": (task_with("total", parent=99), AGREE),
    "after what is not there": (task_with("total", after=[99]), AGREE),
    "more parts than there are": (task_with("double", expanded=10**12), AGREE),
    "a key of something else": (task_with("total", seed=5), "wrong digest"),
    "a key of nothing": (task_with("total", static=None), AGREE),
    "made by nobody": (task_with("total", attempts=[]), AGREE),
    "attempts out of order": (
        task_with("total", attempts=[{"number": 7, "status": "succeeded", "started": 1.0}]),
        AGREE,
    ),
    "a negative size": (output_with("total", size=-1), AGREE),
    "a size beyond all bounds": (output_with("total", size=1 << 63), AGREE),
    "a digest that is a path": (output_with("total", digest="blake3:../../etc"), AGREE),
    "a value that is not there": (output_with("total", digest=NOWHERE), "missing file"),
    "a format that is none": (output_with("total", format="evil"), "unknown format"),
    "a list that is none": (output_with("total", format="list"), "damaged value"),
    "a hidden pickle": (output_with("total", format="pickle"), "pickle that is called data"),
    "a pickle that says so": (output_with("total", format="pickle", data_only=False), "pickle"),
    "a result of no task": (
        lambda found: found["past"]["results"].append({"task": 99, "ended": 1.0, "wall": 1.0}),
        AGREE,
    ),
    "a verdict of no task": (
        lambda found: found["past"]["verdicts"][0].update(task="evil"),
        AGREE,
    ),
    "a figure of no attempt": (lambda found: found["past"]["media"][0].update(attempt=9), AGREE),
    "a static part of another digest": (
        lambda found: next(iter(found["past"]["statics"].values())).update(platform="evil"),
        "wrong digest",
    ),
    "a file twice": (lambda found: found["files"].append(found["files"][0]), "name used twice"),
    "a listed file outside": (
        lambda found: found["files"][0].update(path="../evil"),
        "path traversal",
    ),
    "another size": (lambda found: found["files"][0].update(size=5), "wrong size"),
    "no list": (lambda found: found.update(files=7), "JSON that does not fit"),
    "too long a name": (task_with("total", kind="x" * 3000), "JSON that does not fit"),
}  # fmt: skip


@pytest.mark.parametrize("name", RECORDS)
def test_records(world: World, there: Project, tmp_path: Path, name: str) -> None:
    change, word = RECORDS[name]
    path = forged(world.capsule, tmp_path / "x.zip", world.key, records=change)
    assert offence(there, path, trusting(world)) == word


def test_deep_json(world: World, there: Project, tmp_path: Path) -> None:
    files = taken_apart(world.capsule)
    for data in (b"[" * 1_000_000, b'{"format":"mainspring.capsule/1","x":' + b"[" * 1_000_000):
        files[packing.CAPSULE] = data
        found = offence(there, zipped(tmp_path / "x.zip", files), trusting(world))
        assert found.startswith("JSON that")


def respun(files: Files, change: Callable[[Records], None]) -> str:
    """Change the spec, and name it by its digest."""
    spec = json.loads(files[packing.SPEC])
    change(spec)
    files[packing.SPEC] = json.dumps(spec).encode()
    return digest_bytes(files[packing.SPEC])


@pytest.mark.parametrize("uses", ["os:system", "subprocess:run", "numpy.testing:assert_equal"])
def test_code_outside_of_the_source(
    world: World, there: Project, tmp_path: Path, uses: str
) -> None:
    digests: list[str] = []

    def change(files: Files) -> None:
        digests.append(respun(files, lambda spec: spec["steps"][0].update(uses=uses)))

    path = forged(
        world.capsule, tmp_path / "x.zip", world.key, files=change,
        records=lambda found: found["past"]["run"].update(spec=digests[0]),
    )  # fmt: skip
    assert offence(there, path, trusting(world)) == "code outside of the source"


def test_a_spec_that_goes_deeper_than_there_is_stack(
    world: World, there: Project, tmp_path: Path
) -> None:
    digests: list[str] = []

    def change(files: Files) -> None:
        inner = '{"name":"p","steps":['
        node = '{"type":"pipeline","name":"g","pipeline":' + inner
        data = inner + node * 20_000 + "]}}" * 20_000 + "]}"
        files[packing.SPEC] = data.encode()
        digests.append(digest_bytes(data.encode()))

    path = forged(
        world.capsule, tmp_path / "x.zip", world.key, files=change,
        records=lambda found: found["past"]["run"].update(spec=digests[0]),
    )  # fmt: skip
    assert offence(there, path, trusting(world)) == "JSON that is nested too deeply"


@pytest.mark.parametrize("path", ["../../evil.py", "/etc/evil.py", "a/../../b.py", "", "a//b.py"])
def test_a_source_that_leads_outside(
    world: World, there: Project, tmp_path: Path, path: str
) -> None:
    snapshots: list[str] = []

    def change(files: Files) -> None:
        manifest = json.loads(files[packing.MANIFEST])
        manifest["files"][0][0] = path
        files[packing.MANIFEST] = json.dumps(manifest).encode()
        snapshots.append(blake(files[packing.MANIFEST]))

    made = forged(
        world.capsule, tmp_path / "x.zip", world.key, files=change,
        records=lambda found: found["past"]["run"].update(snapshot=snapshots[0]),
    )  # fmt: skip
    assert offence(there, made, trusting(world)) == "path traversal"


@pytest.mark.parametrize(
    ("path", "word"),
    [
        ("../../evil.toml", "path traversal"),
        ("/etc/evil.toml", "absolute path"),
        ("a\\b", "backslash in a name"),
        ("other.toml", "records that do not agree"),
    ],
)
def test_a_lock_that_leads_outside(
    world: World, there: Project, tmp_path: Path, path: str, word: str
) -> None:
    digests: list[str] = []

    def change(files: Files) -> None:
        found = json.loads(files[packing.ENVIRONMENT])
        lock = found["lock"]
        lock["files"] = {path: next(iter(lock["files"].values()))}
        files[packing.ENVIRONMENT] = json.dumps(found).encode()
        digests.append(blake(files[packing.ENVIRONMENT]))

    made = forged(
        world.capsule, tmp_path / "x.zip", world.key, files=change,
        records=lambda found: found["past"]["run"].update(environment=digests[0]),
    )  # fmt: skip
    assert offence(there, made, trusting(world)) == word


def test_a_file_that_nothing_speaks_of(world: World, there: Project, tmp_path: Path) -> None:
    path = forged(
        world.capsule, tmp_path / "x.zip", world.key,
        files=lambda files: files.update({"blobs/evil": b"stowaway"}),
    )  # fmt: skip
    assert offence(there, path, trusting(world)) == "file that nothing speaks of"


@pytest.mark.parametrize(
    "data", [b"evil", b'{"task":"nobody","name":"m","points":[]}\n', b"[]\n", b"x" * (2 << 20)]
)
def test_metrics_that_are_none(world: World, there: Project, tmp_path: Path, data: bytes) -> None:
    path = forged(
        world.capsule, tmp_path / "x.zip", world.key,
        files=lambda files: files.update({packing.METRICS: data}),
    )  # fmt: skip
    assert offence(there, path, trusting(world)) == "metrics"


def test_a_pickle_is_let_in_only_if_allowed_and_then_marked(
    world: World, there: Project, tmp_path: Path
) -> None:
    """Bytes that would do harm when unpickled; nothing here does that."""
    evil = b"cos\nsystem\n(S'touch " + str(tmp_path / "harm").encode() + b"'\ntR."

    def files(found: Files) -> None:
        found["artifacts/total/result.json"] = evil

    def records(found: Records) -> None:
        output_with("total", format="pickle", data_only=False, digest=blake(evil), size=len(evil))(
            found
        )

    path = forged(world.capsule, tmp_path / "x.zip", world.key, files=files, records=records)
    assert offence(there, path, trusting(world)) == "pickle"
    trust = Trust(keys=trusting(world).keys, pickle=True)
    view = take(there, path, trust)
    assert view.pickles == ["pickle"]
    origin = there.store.read.imported(view.run)
    assert origin is not None
    assert origin.pickles
    assert not (tmp_path / "harm").exists()


def test_a_pickle_hidden_in_a_list(world: World, there: Project, tmp_path: Path) -> None:
    from mainspring.storage.blobs import LocalBlobs
    from mainspring.storage.serializers import registry

    class Odd:
        """Has no form but a pickle."""

        def __reduce__(self) -> tuple[Any, ...]:
            return (int, ("7",))

    blobs = LocalBlobs(tmp_path / "blobs")
    ref = registry.dump([Odd(), 1], list, blobs)
    assert not ref.data_only

    def files(found: Files) -> None:
        found["artifacts/total/result.json"] = blobs.read(ref.digest)

    def records(found: Records) -> None:
        output_with(
            "total", format="list", data_only=True, digest=ref.digest, size=ref.size, count=2
        )(found)

    path = forged(world.capsule, tmp_path / "x.zip", world.key, files=files, records=records)
    assert offence(there, path, trusting(world)) == "pickle that is called data"


# Any bytes at all.


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_changed_bytes_give_the_same_run_or_none(
    world: World, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    whole = bytearray(world.capsule.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(whole) - 1))
        kind = data.draw(st.sampled_from(["set", "cut", "add"]))
        if kind == "set":
            whole[place] = data.draw(st.integers(0, 255))
        elif kind == "cut":
            del whole[place : place + data.draw(st.integers(1, 9))]
        else:
            whole[place:place] = data.draw(st.binary(min_size=1, max_size=9))
    root = tmp_path_factory.mktemp("mutated")
    path = root / "x.zip"
    path.write_bytes(whole)
    there = project_in(root / "there")
    view = None
    with contextlib.closing(there):
        with contextlib.suppress(CapsuleError):  # any other error fails
            view = take(there, path, trusting(world))
        if view is None:
            assert list(there.blobs.listing()) == []
            return
        found = past_of(there, there.store.read.run(view.run))
    expected = past_of(world.project, world.run)
    assert canonical((found.run, found.tasks)) == canonical((expected.run, expected.tasks))
