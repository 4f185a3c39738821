"""A throw-away S3 server: Ceph's gateway on a store in memory, gone with the test process."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

KEY, SECRET = "testaccesskey", "testsecretkey"
_PROGRAMS = ("ceph", "ceph-mon", "ceph-osd", "monmaptool", "radosgw", "radosgw-admin")
_PATIENCE = 90.0  # seconds for a start on a busy machine

_SETTINGS = """\
[global]
fsid = {fsid}
mon host = [v2:127.0.0.1:{v2},v1:127.0.0.1:{v1}]
mon initial members = a
public addr = 127.0.0.1
cluster addr = 127.0.0.1
public network = 127.0.0.0/8
ms bind ipv6 = false
ms client mode = crc
ms service mode = crc
ms cluster mode = crc
ms mon client mode = crc
ms mon cluster mode = crc
ms mon service mode = crc
auth cluster required = none
auth service required = none
auth client required = none
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pgp num = 4
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
osd objectstore = memstore
memstore device bytes = {bytes}
mon allow pool size one = true
mon warn on pool no redundancy = false
run dir = {root}/run
admin socket = {root}/run/$name.asok
log file = {root}/log/$name.log
mon data = {root}/mon
osd data = {root}/osd
rgw frontends = beast endpoint=127.0.0.1:{port} tcp_nodelay=1
rgw crypt require ssl = false
rgw gc obj min wait = 1
rgw gc processor period = 5
rgw gc processor max time = 5
"""
# When the test process dies, however it dies, this shell reads the end of its input.
_GUARD = 'read _; kill -KILL "$@" 2>/dev/null; rm -rf "$0"'


def available() -> bool:
    """Whether all of the programs are here."""
    return all(shutil.which(program) for program in _PROGRAMS)


class Ceph:
    """A monitor, one OSD with `size` bytes of memory, and a gateway at `url`; on loopback."""

    def __init__(self, size: int = 2 << 30) -> None:
        self._daemons: dict[str, subprocess.Popen[bytes]] = {}
        self._guard: subprocess.Popen[bytes] | None = None
        # Short, because the path of a socket is limited to about 100 bytes.
        self._root = Path(tempfile.mkdtemp(prefix="msceph-", dir="/tmp"))
        for name in ("mon", "osd", "run", "log"):
            (self._root / name).mkdir()
        v1, v2, self._port = _free_ports(3)
        self._conf = self._root / "ceph.conf"
        self._fsid = str(uuid.uuid4())
        self._conf.write_text(
            _SETTINGS.format(
                root=self._root, fsid=self._fsid, v1=v1, v2=v2, port=self._port, bytes=size
            ),
            "utf-8",
        )
        try:
            self._create(f"[v2:127.0.0.1:{v2},v1:127.0.0.1:{v1}]")
        except BaseException:
            self.stop()
            raise

    @property
    def url(self) -> str:
        """The gateway's endpoint."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def variables(self) -> dict[str, str]:
        """What the environment has to say for the gateway to be used."""
        return {
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_ENDPOINT_URL": self.url,
            "AWS_REGION": "us-east-1",
        }

    def client(self) -> Any:
        """Another client than ours: boto3's."""
        return client(self.variables)

    def kill_gateway(self) -> None:
        """Crash the gateway; what it has stored stays."""
        daemon = self._daemons.pop("gateway")
        daemon.kill()
        daemon.wait()

    def start_gateway(self) -> None:
        """Start the gateway on its port; return when it answers."""
        self._run("gateway", "radosgw", "-n", "client.admin")
        self._await(self._answers, "gateway")

    def stop(self) -> None:
        """End all of it and remove what it wrote."""
        for daemon in reversed(self._daemons.values()):
            daemon.kill()
            daemon.wait()
        self._daemons.clear()
        self._dismiss()
        shutil.rmtree(self._root, ignore_errors=True)

    def _create(self, address: str) -> None:
        root = self._root
        made = ["monmaptool", "--create", "--fsid", self._fsid, "--addv", "a", address]
        self._call(*made, str(root / "monmap"))
        self._call("ceph-mon", *self._of("a"), "--mkfs", "--monmap", str(root / "monmap"))
        self._run("mon", "ceph-mon", "-i", "a")
        self._call("ceph", "-c", str(self._conf), "--connect-timeout", "60", "osd", "create")
        self._call("ceph-osd", *self._of("0"), "--mkfs", "--osd-uuid", str(uuid.uuid4()))
        self._run("osd", "ceph-osd", "-i", "0")
        self._await(self._has_osd, "osd")
        user = ["user", "create", "--uid", "u", "--display-name", "u"]
        keys = ["--access-key", KEY, "--secret", SECRET]
        self._call("radosgw-admin", "-c", str(self._conf), *user, *keys)
        self.start_gateway()

    def _of(self, name: str) -> list[str]:
        return ["-c", str(self._conf), "-i", name]

    def _call(self, *command: str) -> str:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, cwd=self._root, timeout=_PATIENCE
        )
        assert done.returncode == 0, f"{command[0]}: {done.stderr}"
        return done.stdout

    def _run(self, name: str, program: str, *words: str) -> None:
        with open(self._root / "log" / f"{name}.out", "ab") as log:
            self._daemons[name] = subprocess.Popen(
                [program, "-c", str(self._conf), "-f", *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._root,
                start_new_session=True,
            )
        self._watch_over()

    def _watch_over(self) -> None:
        before = self._guard
        pids = [str(daemon.pid) for daemon in self._daemons.values()]
        self._guard = subprocess.Popen(
            ["/bin/sh", "-c", _GUARD, str(self._root), *pids],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        _end(before)

    def _dismiss(self) -> None:
        _end(self._guard)
        self._guard = None

    def _has_osd(self) -> bool:
        return " 1 up" in self._call("ceph", "-c", str(self._conf), "osd", "stat")

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._port)) == 0

    def _await(self, ready: Any, name: str) -> None:
        deadline = time.monotonic() + _PATIENCE
        while not ready():
            if self._daemons[name].poll() is not None or time.monotonic() > deadline:
                log = (self._root / "log" / f"{name}.out").read_text("utf-8", "replace")
                raise AssertionError(f"Ceph's {name} did not start:\n{log}")
            time.sleep(0.05)


def client(variables: dict[str, str]) -> Any:
    """A client of boto3 for what the variables say."""
    import boto3

    return boto3.client(
        "s3",
        endpoint_url=variables["AWS_ENDPOINT_URL"],
        region_name="us-east-1",
        aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
    )


@contextmanager
def running(size: int = 2 << 30) -> Iterator[Ceph]:
    """A server for the length of a block."""
    server = Ceph(size)
    try:
        yield server
    finally:
        server.stop()


def _end(process: subprocess.Popen[bytes] | None) -> None:
    if process is not None:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert process.stdin is not None
        process.stdin.close()


def _free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()
