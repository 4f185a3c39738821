"""Pulling from a real registry; and, from a server in this process, what no registry would send."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.services.registry import TITLE, Registry
from tests.services.web import Reply, Web

from mainspring.records.errors import MainspringError
from mainspring.storage.oci import pull
from mainspring.testing.memory import MemoryBlobs

FILES = {"config.json": b"{}", "sub/weights.bin": bytes(range(256)) * 9000}


@pytest.mark.system("docker-registry")
def test_from_a_real_registry(tmp_path: Path) -> None:
    with Registry(tmp_path / "registry") as registry:
        licence = {"org.opencontainers.image.licenses": "MIT"}
        digest = registry.push("models/bert", "v1", FILES, **licence)
        blobs = MemoryBlobs()
        for reference in ("models/bert:v1", f"models/bert@{digest}", f"models/bert:v1@{digest}"):
            found = pull(f"oci://{registry.host}/{reference}", blobs)
            assert (found.digest, found.licence) == (digest, "MIT")
            assert {one.name: blobs.read(one.digest) for one in found.files} == FILES
        for wrong in ("models/bert:nope", "models/none:v1", "models/bert@sha256:" + "0" * 64):
            with pytest.raises(MainspringError, match="404"):
                pull(f"oci://{registry.host}/{wrong}", blobs)


@pytest.fixture
def web() -> Iterator[Web]:
    with Web() as server:
        yield server


def sha256(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def serve(web: Web, *layers: dict[str, Any], **more: Any) -> str:
    """Have the server answer with a manifest; return the reference."""
    data = json.dumps({"schemaVersion": 2, "layers": layers, **more}).encode()
    web.pages["/v2/m/manifests/latest"] = Reply(data)
    return f"oci://{web.host}/m"


def layer(web: Web, name: str, data: bytes = b"data", **more: Any) -> dict[str, Any]:
    digest = sha256(data)
    web.pages.setdefault(f"/v2/m/blobs/{digest}", Reply(data))
    return {"digest": digest, "size": len(data), "annotations": {TITLE: name}, **more}


@pytest.mark.parametrize(
    "name", ["../x", "/etc/x", "a/../b", "a//b", ".", "a\\b", "c:x", "a\0b", "a/"]
)
def test_paths_do_not_lead_elsewhere(web: Web, name: str) -> None:
    with pytest.raises(MainspringError, match="unsafe name"):
        pull(serve(web, layer(web, name)), MemoryBlobs())


@pytest.mark.parametrize("names", [("a", "a"), ("a", "a/b")])
def test_two_files_at_one_path(web: Web, names: tuple[str, str]) -> None:
    layers = [layer(web, name, name.encode()) for name in names]
    with pytest.raises(MainspringError, match="two layers"):
        pull(serve(web, *layers), MemoryBlobs())


def test_a_layer_that_is_something_else(web: Web) -> None:
    wrong = layer(web, "a", b"data")
    web.pages[f"/v2/m/blobs/{wrong['digest']}"] = Reply(b"evil")
    blobs = MemoryBlobs()
    with pytest.raises(MainspringError, match="not what the manifest says"):
        pull(serve(web, wrong), blobs)
    web.pages[f"/v2/m/blobs/{wrong['digest']}"] = Reply(b"far too long")
    with pytest.raises(MainspringError, match="more than 4 bytes"):
        pull(serve(web, wrong), blobs)
    assert blobs.digests() == set()


def test_a_manifest_with_another_digest(web: Web) -> None:
    reference = serve(web, layer(web, "a"))
    wanted = "sha256:" + "0" * 64
    web.pages[f"/v2/m/manifests/{wanted}"] = web.pages["/v2/m/manifests/latest"]
    with pytest.raises(MainspringError, match="another digest"):
        pull(f"{reference}@{wanted}", MemoryBlobs())


@pytest.mark.parametrize(
    ("manifest", "words"),
    [
        (b"[]", "can't be read"),
        (b"{}", "has 0 layers"),
        (b"\xff", "can't be read"),
        (b'{"manifests": [{}], "layers": []}', "index of several"),
        (b'{"layers": [{"digest": "md5:x", "size": 1}]}', "has the digest"),
        (b'{"layers": [{"digest": "sha256:x", "size": "1"}]}', "can't be read"),
        (b" " * (5 << 20), "more than 4,194,304 bytes"),
    ],
)
def test_manifests_that_are_none(web: Web, manifest: bytes, words: str) -> None:
    web.pages["/v2/m/manifests/latest"] = Reply(manifest)
    with pytest.raises(MainspringError, match=words):
        pull(f"oci://{web.host}/m", MemoryBlobs())


def test_a_packed_directory(web: Web) -> None:
    notes = {TITLE: "dir", "io.deis.oras.content.unpack": "true"}
    with pytest.raises(MainspringError, match="packed directory"):
        pull(serve(web, {**layer(web, "dir"), "annotations": notes}), MemoryBlobs())


def test_a_token_is_asked_for(web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.json").write_text(
        json.dumps({"auths": {web.host: {"auth": "YW5uOnNlY3JldA=="}}}), "utf-8"
    )
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    challenge = f'Bearer realm="{web.url}/token",service="here"'
    web.pages["/v2/m/manifests/latest"] = Reply(status=401, headers={"WWW-Authenticate": challenge})
    web.pages["/token?scope=repository%3Am%3Apull&service=here"] = Reply(b'{"token": "t0k"}')
    with pytest.raises(MainspringError, match="answered 401"):  # of this server, always
        pull(f"oci://{web.host}/m", MemoryBlobs())
    sent = [headers.get("Authorization") for _, headers in web.asked]
    assert sent == [None, "Basic YW5uOnNlY3JldA==", "Bearer t0k"]
    web.pages["/v2/m/manifests/latest"] = Reply(
        status=401, headers={"WWW-Authenticate": 'Bearer realm="http://example.org/token"'}
    )
    with pytest.raises(MainspringError, match="without https"):
        pull(f"oci://{web.host}/m", MemoryBlobs())


@pytest.mark.parametrize(
    "text", ["oci://", "oci://h", "oci://h/UPPER", "oci://h/a@sha256:1", "h/a"]
)
def test_what_is_no_reference(text: str) -> None:
    with pytest.raises(MainspringError, match="no OCI reference"):
        pull(text, MemoryBlobs())
