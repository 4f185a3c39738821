"""A throw-away PostgreSQL server: started in half a second, gone with the test process."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_BINARIES = Path("/usr/lib/postgresql")
_PATIENCE = 60.0  # seconds for a start or a stop on a busy machine
_STOP = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT}

# The role `guarded` has to give a password, every other is trusted.
_HBA = """\
local all all trust
host all guarded 127.0.0.1/32 scram-sha-256
host all all 127.0.0.1/32 trust
"""
# When the test process dies, however it dies, this shell reads the end of its input.
_GUARD = 'read _; kill -QUIT "$0" 2>/dev/null; rm -rf "$1"'


def binaries() -> Path | None:
    """The newest server's programs (they are not on PATH), or None where there are none."""
    found = [path.parent for path in _BINARIES.glob("*/bin/postgres")]
    if not found:
        program = shutil.which("postgres")
        return Path(program).parent if program else None
    return max(found, key=lambda path: float(path.parent.name))


def available() -> bool:
    """Whether a server can be started here (as root it runs as the user `postgres`)."""
    return binaries() is not None and (os.getuid() != 0 or _has_user())


def _has_user() -> bool:
    import pwd

    try:
        pwd.getpwnam("postgres")
    except KeyError:
        return False
    return True


class Postgres:
    """One server with a cluster of its own, on loopback. `durable`: commits reach the disk."""

    def __init__(self, *, durable: bool = False) -> None:
        found = binaries()
        assert found is not None, "no PostgreSQL server on this machine"
        self._bin = found
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self._server: subprocess.Popen[bytes] | None = None
        self._guard: subprocess.Popen[bytes] | None = None
        # Short, because the path of a socket is limited to about 100 bytes.
        self._root = Path(tempfile.mkdtemp(prefix="mspg-", dir="/tmp"))
        self._data = self._root / "data"
        self.port = _free_port()
        try:
            self._create(durable)
            self.start()
        except BaseException:
            self.stop()
            raise

    @property
    def url(self) -> str:
        """The database that is always there."""
        return self.url_of("postgres")

    @property
    def log(self) -> str:
        """What the server has written to its log."""
        return (self._root / "log").read_text("utf-8", "replace")

    def url_of(self, database: str, user: str = "postgres") -> str:
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    def new_database(self, template: str = "template0") -> str:
        """Create an empty database (or a copy of `template`); return its URL."""
        name = f"db{os.getpid()}_{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.url_of(name)

    def execute(self, sql: str, url: str | None = None) -> list[tuple[object, ...]]:
        """Run one statement by itself, in `url`'s database; return its rows."""
        import psycopg

        with psycopg.connect(url or self.url, autocommit=True) as connection:
            cursor = connection.execute(sql.encode())
            return cursor.fetchall() if cursor.description else []

    @property
    def pid(self) -> int:
        """The server's main process."""
        assert self._server is not None
        return self._server.pid

    def start(self) -> None:
        """Start the server on its port; return when it answers."""
        with open(self._root / "log", "ab") as log:
            self._server = subprocess.Popen(
                [self._bin / "postgres", "-D", self._data],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._root,
                start_new_session=True,
                **_as_postgres(),
            )
        self._guard = subprocess.Popen(
            ["/bin/sh", "-c", _GUARD, str(self._server.pid), str(self._root)],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        self._wait()

    def halt(self, mode: str = "fast") -> None:
        """End the server: `fast` disconnects everybody, `immediate` is a crash."""
        assert self._server is not None
        self._server.send_signal(_STOP[mode])
        self._server.wait(_PATIENCE)
        self._dismiss()

    def restart(self, mode: str = "fast") -> None:
        """End the server, and start it again on the same port with the same data."""
        with self._lock:
            self.halt(mode)
            self.start()

    def stop(self) -> None:
        """End the server and remove all that it wrote."""
        if self._server is not None and self._server.poll() is None:
            self.halt("immediate")
        shutil.rmtree(self._root, ignore_errors=True)

    def _create(self, durable: bool) -> None:
        if os.getuid() == 0:
            shutil.chown(self._root, "postgres", "postgres")
        command = [self._bin / "initdb", "-D", self._data, "-U", "postgres", "-A", "trust"]
        command += ["-E", "UTF8", "--locale=C", "--no-sync"]
        made = subprocess.run(
            command, capture_output=True, check=False, cwd=self._root, **_as_postgres()
        )
        assert made.returncode == 0, made.stderr.decode()
        quick = "" if durable else "fsync = off\nsynchronous_commit = off\nfull_page_writes = off\n"
        with open(self._data / "postgresql.conf", "a", encoding="utf-8") as file:
            file.write(
                f"port = {self.port}\nlisten_addresses = '127.0.0.1'\n"
                f"unix_socket_directories = '{self._root}'\n"
                f"max_connections = 60\nshared_buffers = 32MB\nautovacuum_naptime = 5min\n{quick}"
            )
        (self._data / "pg_hba.conf").write_text(_HBA, "utf-8")

    def _wait(self) -> None:
        assert self._server is not None
        deadline = time.monotonic() + _PATIENCE
        ready = [self._bin / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        while subprocess.run(ready, check=False).returncode != 0:
            if self._server.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"PostgreSQL did not start:\n{self.log}")
            time.sleep(0.02)

    def _dismiss(self) -> None:
        if self._guard is not None:
            self._guard.kill()
            self._guard.wait()
            assert self._guard.stdin is not None
            self._guard.stdin.close()
            self._guard = None


@contextmanager
def running(*, durable: bool = False) -> Iterator[Postgres]:
    """A server for the length of a block."""
    server = Postgres(durable=durable)
    try:
        yield server
    finally:
        server.stop()


def _as_postgres() -> dict[str, str | list[str]]:
    """PostgreSQL refuses to run as root."""
    if os.getuid() != 0:
        return {}
    return {"user": "postgres", "group": "postgres", "extra_groups": []}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
