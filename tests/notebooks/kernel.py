"""A real Jupyter kernel in a directory of its own, and cells run in it one after the other."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any, NamedTuple

from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import KernelManager

ROOT = Path(__file__).parents[2]
_COLOR = re.compile(r"\x1b\[[0-9;]*m")


class Shown(NamedTuple):
    """What a cell showed: what it printed, its error (type and message), its displays in order."""

    text: str
    error: str
    displays: list[dict[str, Any]]
    updates: list[dict[str, Any]]


class Kernel:
    """A kernel of this interpreter whose notebook lies in `directory`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._manager = KernelManager()
        self._manager._kernel_spec = KernelSpec(
            argv=[sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
            display_name="this interpreter", language="python",
        )  # fmt: skip
        self._client: BlockingKernelClient | None = None

    def __enter__(self) -> Kernel:
        private = self.directory / ".jupyter"
        environment = {
            **os.environ, "PYTHONPATH": str(ROOT / "src"), "IPYTHONDIR": str(private / "ipython"),
            "PYDEVD_DISABLE_FILE_VALIDATION": "1", "JUPYTER_RUNTIME_DIR": str(private / "runtime"),
        }  # fmt: skip
        self._manager.connection_file = str(private / "kernel.json")
        private.mkdir(exist_ok=True)
        self._manager.start_kernel(cwd=str(self.directory), env=environment)
        self._client = self._manager.client()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=60)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._client is not None
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=True)
        self._manager.cleanup_resources()

    @property
    def client(self) -> BlockingKernelClient:
        assert self._client is not None
        return self._client

    def interrupt(self) -> None:
        self._manager.interrupt_kernel()

    def run(self, code: str, *, ok: bool = True) -> Shown:
        """Run a cell; unless `ok` is False it has to succeed."""
        sent = self.client.execute(dedent(code).strip())
        shown = self.follow(sent)
        assert not (ok and shown.error), f"{shown.error}\n{shown.text}"
        return shown

    def follow(self, sent: str) -> Shown:
        """Wait for the end of a cell that was sent."""
        text, error = "", ""
        displays: list[dict[str, Any]] = []
        updates: list[dict[str, Any]] = []
        while True:
            message = self.client.get_iopub_msg(timeout=100)
            if message["parent_header"].get("msg_id") != sent:
                continue
            kind, content = message["msg_type"], message["content"]
            if kind == "stream":
                text += content["text"]
            elif kind == "error":
                error = f"{content['ename']}: {content['evalue']}"
                text += _COLOR.sub("", "\n".join(content["traceback"]))
            elif kind in ("display_data", "execute_result"):
                displays.append(content["data"])
            elif kind == "update_display_data":
                updates.append(content["data"])
            elif kind == "status" and content["execution_state"] == "idle":
                return Shown(text, error, displays, updates)
