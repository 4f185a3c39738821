"""A real OCI registry (docker-registry) on this machine, and pushing to it as ORAS does."""

from __future__ import annotations

import hashlib
import json
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

CONFIG = """\
version: 0.1
log: {{ level: error }}
storage: {{ filesystem: {{ rootdirectory: {root} }} }}
http: {{ addr: 127.0.0.1:{port} }}
"""
TITLE = "org.opencontainers.image.title"


class Registry:
    """A registry with an empty store. A context manager: its process ends with the block."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.host = f"127.0.0.1:{free.getsockname()[1]}"

    def __enter__(self) -> Registry:
        self._folder.mkdir(parents=True, exist_ok=True)
        config = self._folder / "config.yml"
        port = self.host.partition(":")[2]
        config.write_text(CONFIG.format(root=self._folder / "data", port=port), "utf-8")
        program = shutil.which("docker-registry")
        assert program is not None
        with open(self._folder / "log", "wb") as log:
            self._server = subprocess.Popen([program, "serve", config], stdout=log, stderr=log)
        deadline = time.monotonic() + 30
        while True:
            try:
                urllib.request.urlopen(f"http://{self.host}/v2/", timeout=5).close()
                return self
            except OSError:
                assert self._server.poll() is None, (self._folder / "log").read_text()
                assert time.monotonic() < deadline, "the registry does not answer"
                time.sleep(0.05)

    def __exit__(self, *_: object) -> None:
        self._server.terminate()
        self._server.wait(20)

    def _send(self, method: str, url: str, data: bytes, kind: str) -> Any:
        request = urllib.request.Request(
            url, data=data, method=method, headers={"Content-Type": kind}
        )
        return urllib.request.urlopen(request, timeout=30)

    def _blob(self, name: str, data: bytes) -> dict[str, Any]:
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        with self._send("POST", f"http://{self.host}/v2/{name}/blobs/uploads/", b"", "") as answer:
            place = answer.headers["Location"]
        mark = "&" if "?" in place else "?"
        self._send("PUT", f"{place}{mark}digest={digest}", data, "application/octet-stream").close()
        return {
            "mediaType": "application/octet-stream",
            "digest": digest,
            "size": len(data),
        }

    def push(self, name: str, tag: str, files: Mapping[str, bytes], **annotations: str) -> str:
        """Push files as an artifact; return the digest of its manifest."""
        layers = [
            {**self._blob(name, data), "annotations": {TITLE: title}}
            for title, data in files.items()
        ]
        manifest = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": self._blob(name, b"{}"),
            "layers": layers,
            "annotations": annotations,
        }
        data = json.dumps(manifest).encode()
        url = f"http://{self.host}/v2/{name}/manifests/{tag}"
        self._send("PUT", url, data, manifest["mediaType"]).close()
        return f"sha256:{hashlib.sha256(data).hexdigest()}"
