"""A throw-away Docker daemon on a private socket: no bridge, no firewall rules, gone at the end."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PATIENCE = 30.0


@contextmanager
def running(image: Path, name: str) -> Iterator[str]:
    """Run Docker for the block, with an image made of an archive; give its URL."""
    root = Path(tempfile.mkdtemp(prefix="msdock-", dir="/tmp"))
    url = f"unix://{root}/docker.sock"
    with (root / "log").open("wb") as log:
        daemon = subprocess.Popen(
            ["dockerd", "--iptables=false", "--bridge=none", "--data-root", f"{root}/data",
             "--exec-root", f"{root}/exec", "--pidfile", f"{root}/pid", "-H", url,
             "--exec-opt", "native.cgroupdriver=cgroupfs"],
            stdout=log, stderr=log, cwd=root,
        )  # fmt: skip
    try:
        end = time.monotonic() + _PATIENCE
        while not (root / "docker.sock").exists():
            assert daemon.poll() is None, (root / "log").read_text()
            assert time.monotonic() < end, "docker did not start"
            time.sleep(0.02)
        subprocess.run(
            ["docker", "-H", url, "import", str(image), name], check=True, capture_output=True
        )
        yield url
    finally:
        daemon.terminate()
        daemon.wait(_PATIENCE)
        shutil.rmtree(root)
