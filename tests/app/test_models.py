"""Models are imported whole and checked, or not at all; nothing of them is overwritten."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from tests.app.flows import pipeline, run, step, write
from tests.services.registry import Registry
from tests.services.web import Reply, Web
from tests.storage.test_signatures import write_key

from mainspring.app.gc import Policy, collect
from mainspring.app.models import Card, import_model, list_models, set_alias, show_model
from mainspring.app.project import Project
from mainspring.records.errors import DefinitionError, MainspringError, NotFoundError
from mainspring.storage.serializers import registry

FLOW = """
    from pathlib import Path
    from mainspring import step

    @step
    def names(model: Path) -> list[str]:
        return sorted(f.relative_to(model).as_posix() for f in model.rglob("*") if f.is_file())
"""


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    root = tmp_path / "project"
    write(root, '[project]\nname = "demo"\n', "mainspring.toml")
    write(root, FLOW)
    opened = Project(root)
    yield opened
    opened.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "bert", '{"layers": 2}', "config.json")
    write(tmp_path / "bert", "numbers", "weights/w.bin")
    return tmp_path / "bert"


def test_a_directory_becomes_a_version(project: Project, folder: Path) -> None:
    found = import_model(project, "bert", str(folder), Card(licence="MIT", alias="prod"))
    model = found.model
    assert (found.new, model.version, model.files, model.licence) == (True, "v1", 2, "MIT")
    assert (model.origin, model.aliases, model.data_only) == ("bert", ["prod"], True)
    again = import_model(project, "bert", str(folder), Card())
    assert (again.new, again.model.version) == (False, "v1")
    moved = folder.rename(folder.parent / "other")  # what it was called is no content
    assert import_model(project, "bert", str(moved), Card()).new is False
    other = import_model(project, "bert", str(moved), Card(licence="Apache-2.0"))
    assert (other.new, other.model.version, other.model.digest) == (True, "v2", model.digest)
    assert show_model(project, "bert@prod").versions[0].licence == "MIT"


def test_a_step_gets_it(project: Project, folder: Path) -> None:
    import_model(project, "bert", str(folder), Card(alias="prod"))
    node = step("names", {"model": "${{ models['bert@prod'] }}"}, inputs={"model": "pathlib.Path"})
    record = run(project, pipeline(node))
    assert record.sources["models.bert@prod"].alias == "prod"
    write(folder, "more", "vocab.txt")
    import_model(project, "bert", str(folder), Card(alias="prod"))
    after = run(project, pipeline(node))
    assert after.sources["models.bert@prod"].version == "v2"
    task = project.store.read.find_task(after.id, "names")
    made = project.store.read.outputs(task.id)["result"]
    assert registry.load(made, project.blobs) == ["config.json", "vocab.txt", "weights/w.bin"]
    assert task.reason == "model bert v1 → v2 (1 file added)"


def test_aliases_move_and_their_moves_stay(project: Project, folder: Path) -> None:
    import_model(project, "bert", str(folder), Card())
    write(folder, "2", "config.json")
    import_model(project, "bert", str(folder), Card())
    found, before = set_alias(project, "bert@v1", "prod")
    assert (found.aliases, before) == ({"prod": "v1"}, None)
    found, before = set_alias(project, "bert", "prod")
    assert (found.aliases, before) == ({"prod": "v2"}, "v1")
    found, before = set_alias(project, "bert@prod", "prod")
    assert [move.number for move in found.moves] == [1, 2]
    with pytest.raises(NotFoundError, match="'v7'"):
        set_alias(project, "bert@v7", "prod")
    with pytest.raises(MainspringError, match="can't be an alias"):
        set_alias(project, "bert@v1", "v2")
    assert list_models(project).counts == {"bert": 2}


def test_pickles_are_refused_or_marked(project: Project, folder: Path) -> None:
    (folder / "weights.safetensors").write_bytes(pickle.dumps({"w": [1.0]}))
    with pytest.raises(MainspringError, match=r"'weights.safetensors' is refused: it is a pickle"):
        import_model(project, "bert", str(folder), Card())
    assert project.store.read.models() == []
    found = import_model(project, "bert", str(folder), Card(allow_pickle=True))
    assert found.model.data_only is False
    assert project.store.read.model_version("bert").ref.data_only is False


def test_digests_are_checked(project: Project, folder: Path) -> None:
    path = folder / "config.json"
    sha256 = f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
    found = import_model(project, "c", str(path), Card(digest=sha256))
    assert found.model.digests == [sha256]
    assert import_model(project, "d", str(path), Card(digest=found.model.digest)).new
    for digest, words in (("sha256:" + "0" * 64, "not what was asked for"), ("md5:1", "no digest")):
        with pytest.raises(MainspringError, match=words):
            import_model(project, "e", str(path), Card(digest=digest))
    assert project.store.read.model_versions("e") == []


def test_signatures_are_checked(project: Project, folder: Path, tmp_path: Path) -> None:
    private = ed25519.Ed25519PrivateKey.generate()
    key = write_key(tmp_path / "key.pem", private)
    digest = import_model(project, "bert", str(folder), Card()).model.digest
    (tmp_path / "sig").write_bytes(private.sign(digest.encode()))
    card = Card(signature=tmp_path / "sig", key=key)
    signed = import_model(project, "bert", str(folder), card)
    assert signed.new  # the first one was not signed
    assert signed.model.signature is not None
    assert import_model(project, "bert", str(folder), card).new is False
    write(folder, "changed", "config.json")
    with pytest.raises(MainspringError, match="does not hold"):
        import_model(project, "bert", str(folder), card)
    with pytest.raises(MainspringError, match="checked with a key"):
        import_model(project, "bert", str(folder), Card(key=key))


def test_over_http(project: Project) -> None:
    data = b"weights" * 1000
    sha256 = f"sha256:{hashlib.sha256(data).hexdigest()}"
    with Web() as web:
        web.pages["/m/w%20b.onnx?token=secret"] = Reply(data)
        url = f"http://ann:secret@{web.host}/m/w%20b.onnx?token=secret"
        model = import_model(project, "w", url, Card(digest=sha256)).model
        assert (model.origin, model.size) == (f"http://{web.host}/m/w%20b.onnx", 7000)
        with pytest.raises(MainspringError, match="not what was asked for") as caught:
            import_model(project, "w", url, Card(digest="sha256:" + "0" * 64))
        assert "secret" not in str(caught.value)
        web.pages["/half"] = Reply(data[:9], length=7000)
        with pytest.raises(MainspringError, match="broke off"):
            import_model(project, "w", f"{web.url}/half", Card())
    assert len(project.store.read.model_versions("w")) == 1
    with pytest.raises(MainspringError, match="over http anybody"):
        import_model(project, "w", "http://example.invalid/w", Card())


@pytest.mark.system("docker-registry")
def test_from_a_registry(project: Project, tmp_path: Path) -> None:
    with Registry(tmp_path / "registry") as server:
        digest = server.push("bert", "v1", {"a.json": b"{}", "w/x.bin": b"\1" * 99})
        model = import_model(project, "bert", f"oci://{server.host}/bert:v1", Card()).model
        assert (model.files, model.digests) == (2, [digest])
        assert model.origin == f"oci://{server.host}/bert:v1"
        server.push("one", "v1", {"m.onnx": b"one"})
        one = import_model(project, "one", f"oci://{server.host}/one:v1", Card()).model
        assert one.files == 1
        server.push("evil", "v1", {"m.onnx": pickle.dumps([1])})
        with pytest.raises(MainspringError, match=r"'m\.onnx' is refused"):
            import_model(project, "evil", f"oci://{server.host}/evil:v1", Card())


@pytest.mark.parametrize(
    ("name", "source", "words"),
    [
        ("b e", "x", "no name of a model"),
        ("bert@v1", "x", "it is given by the import"),
        ("bert", "nope", "there is no file or directory nope"),
        ("bert", "s3://b/x", "not imported from s3://"),
        ("bert", "file:///etc/passwd", "not imported from file://"),
    ],
)
def test_what_is_no_model(project: Project, name: str, source: str, words: str) -> None:
    with pytest.raises((MainspringError, DefinitionError), match=words):
        import_model(project, name, source, Card())


def test_an_empty_directory_is_no_model(project: Project, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(MainspringError, match="has no files"):
        import_model(project, "bert", str(tmp_path / "empty"), Card())


def test_gc_keeps_models_and_what_runs_have_used(project: Project, folder: Path) -> None:
    import_model(project, "bert", str(folder), Card())
    ref = project.store.read.model_version("bert").ref
    inside = [ref.digest, *registry.references(ref, project.blobs)]
    loose, _ = project.blobs.put(b"nothing speaks of this")
    collect(project, Policy(older_than=None, keep=1), dry_run=False, grace=-1.0)
    assert [project.blobs.has(digest) for digest in inside] == [True] * 3
    assert not project.blobs.has(loose)
