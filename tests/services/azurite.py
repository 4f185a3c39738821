"""A light Azure Blob server for tests: Azurite (`npm install --global azurite`), in memory."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate

PROGRAM = "azurite-blob"
ACCOUNT = "mainspringtests"
_PATIENCE = 60.0
_VERSION = "2021-12-02"


class Azurite:
    """A server at `url`, with one account whose key nobody else has."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.key = base64.b64encode(os.urandom(32)).decode()

    @property
    def variables(self) -> dict[str, str]:
        """What the environment has to say for the server to be used."""
        return {
            "AZURE_STORAGE_ACCOUNT_NAME": ACCOUNT,
            "AZURE_STORAGE_ACCOUNT_KEY": self.key,
            "AZURE_STORAGE_ENDPOINT": f"{self.url}/{ACCOUNT}",
        }

    def create_container(self, name: str) -> None:
        """Make one; our own client can't."""
        date = formatdate(usegmt=True)
        headers = f"x-ms-date:{date}\nx-ms-version:{_VERSION}\n"
        resource = f"/{ACCOUNT}/{ACCOUNT}/{name}\nrestype:container"
        words = "PUT" + "\n" * 12 + headers + resource
        sign = hmac.new(base64.b64decode(self.key), words.encode(), hashlib.sha256).digest()
        request = urllib.request.Request(
            f"{self.url}/{ACCOUNT}/{name}?restype=container",
            method="PUT",
            headers={
                "x-ms-date": date,
                "x-ms-version": _VERSION,
                "Content-Length": "0",
                "Authorization": f"SharedKey {ACCOUNT}:{base64.b64encode(sign).decode()}",
            },
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert answer.status == 201


@contextmanager
def running() -> Iterator[Azurite]:
    """A server for the length of a block."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = Azurite(f"http://127.0.0.1:{port}")
    with (
        tempfile.TemporaryDirectory(prefix="msazure-") as folder,
        open(f"{folder}/log", "wb") as log,
    ):
        words = ["--blobHost", "127.0.0.1", "--blobPort", str(port), "--inMemoryPersistence"]
        process = subprocess.Popen(
            [PROGRAM, *words, "--silent", "--disableTelemetry"],
            env={**os.environ, "AZURITE_ACCOUNTS": f"{ACCOUNT}:{server.key}"},
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder,
        )  # fmt: skip
        try:
            _await(process, port, f"{folder}/log")
            yield server
        finally:
            process.kill()
            process.wait()


def _await(process: subprocess.Popen[bytes], port: int, log: str) -> None:
    deadline = time.monotonic() + _PATIENCE
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if process.poll() is not None or time.monotonic() > deadline:
            with open(log, encoding="utf-8", errors="replace") as said:
                raise AssertionError(f"Azurite did not start:\n{said.read()}")
        time.sleep(0.05)
