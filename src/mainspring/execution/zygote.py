"""A warm process that imports a project's modules once and forks a worker for every attempt.

It keeps spare workers waiting, each with a socket to the executor, so that no attempt waits for a
fork; it reaps them, and kills whatever an attempt has left running. Where forking would not be
safe it starts fresh interpreters instead. It ends when the executor hangs up; workers that have
an order go on. See docs/decisions/0007-zygote.md.
"""

from __future__ import annotations

import contextlib
import fcntl
import gc
import os
import select
import signal
import socket
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any, NoReturn, cast

from mainspring.execution import wire
from mainspring.execution.interpreters import successor
from mainspring.execution.rehearsal import Rehearsal
from mainspring.execution.worker import SOCKET, Site, import_modules, serve, settle_in
from mainspring.records.errors import MainspringError
from mainspring.records.runs import TaskError

_PR_SET_CHILD_SUBREAPER = 36
_KILOBYTE = 1024 if sys.platform.startswith("linux") else 1


def main() -> None:
    """Serve one executor, over the packet socket that is open as descriptor 3."""
    control = socket.socket(fileno=SOCKET)
    os.set_inheritable(SOCKET, False)
    data = control.recv(wire.PACKET)
    if not data:
        return
    boot = wire.read_request(data)
    assert isinstance(boot, wire.Boot)
    _adopt_orphans()
    site: Site | None = None
    if boot.fork:
        site = _warm_up(control, boot)
    control.send(wire.packet(wire.Ready()))
    Zygote(control, boot, site).run()
    os._exit(0)


def _warm_up(control: socket.socket, boot: wire.Boot) -> Site:
    _end_with(control, True)
    try:
        if boot.blobs.url:
            _fetch_source(boot)
        site = settle_in(boot)
    except MainspringError as error:
        _end_with(control, False)
        told = TaskError(
            kind=type(error).__name__,
            message=error.what,
            where=error.where or "",
            hint=error.hint or "",
        )
        control.send(wire.packet(wire.Broken(error=told)))
        sys.exit(0)
    import_modules(site, boot.modules)
    _end_with(control, False)
    why = unsafe_to_fork()
    if why:
        _become_fresh(control, why)
    site.rehearsal = Rehearsal(boot.home)
    site.rehearsal.everything()
    gc.collect()
    gc.freeze()
    return site


def _fetch_source(boot: wire.Boot) -> None:
    """Have a child bring the source here: the client of a bucket has threads, which would make
    this process unsafe to fork. What the child can't do is tried, and reported, afterwards."""
    pid = os.fork()
    if pid == 0:
        try:
            with contextlib.suppress(MainspringError):
                settle_in(boot)
        finally:
            os._exit(0)
    os.waitpid(pid, 0)


def _end_with(control: socket.socket, on: bool) -> None:
    """While a module is imported (for ever, perhaps) nobody looks at the socket.

    The executor says nothing meanwhile, so that the signal, which ends this process, means that
    it hung up.
    """
    flags = fcntl.fcntl(control, fcntl.F_GETFL)
    if on:
        fcntl.fcntl(control, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(control, fcntl.F_SETFL, flags | os.O_ASYNC)
        poll = select.poll()
        poll.register(control, 0)
        if poll.poll(0):
            sys.exit(0)
    else:
        fcntl.fcntl(control, fcntl.F_SETFL, flags & ~os.O_ASYNC)


def unsafe_to_fork() -> str | None:
    """Why this process must not be forked from, or None."""
    torch: Any = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        return "importing the project's modules initialised CUDA (torch)"
    bridge: Any = sys.modules.get("jax._src.xla_bridge")
    if bridge is not None and getattr(bridge, "_backends", None):
        return "importing the project's modules started a JAX backend"
    threads = _threads()
    if threads > 1:
        names = _thread_names()
        said = f" ({', '.join(names)})" if names else " (a numerical or native library's)"
        return f"importing the project's modules started {threads - 1} thread(s){said}"
    return None


def _threads() -> int:
    try:
        return len(os.listdir("/proc/self/task"))
    except FileNotFoundError:
        return 1 + len(_thread_names())


def _thread_names() -> list[str]:
    threading: Any = sys.modules.get("threading")
    if threading is None:
        return []
    main_thread = threading.main_thread()
    return sorted(thread.name for thread in threading.enumerate() if thread is not main_thread)


def _become_fresh(control: socket.socket, why: str) -> NoReturn:
    """Start over without importing anything: nothing of what made it unsafe is kept."""
    control.send(wire.packet(wire.Unsafe(why=why)))
    os.set_inheritable(control.fileno(), True)
    os.environ["PYTHONPATH"] = os.path.dirname(_package())
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.execv(sys.executable, successor(__name__))  # noqa: S606


def _load_prctl() -> Callable[..., int] | None:
    if not sys.platform.startswith("linux"):
        return None
    import ctypes

    return getattr(ctypes.CDLL(None), "prctl", None)


_set_signal: Callable[[int, int], Any] = getattr(signal.signal, "__wrapped__", signal.signal)
_DEFAULT = int(signal.SIG_DFL)
_prctl = _load_prctl()


def _adopt_orphans() -> None:
    """Have processes whose parent ended come to this one, so that none escapes by forking twice."""
    if _prctl is not None:
        _prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


class Zygote:
    """The loop: requests of the executor in, workers and reports of their ends out."""

    def __init__(self, control: socket.socket, boot: wire.Boot, site: Site | None) -> None:
        self._control = control
        self._boot = boot
        self._site = site
        self._workers: set[int] = set()
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def run(self) -> None:
        """Serve until the executor hangs up."""
        signal.signal(signal.SIGCHLD, _noted)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        poll.register(self._wake_read, select.POLLIN)
        try:
            while True:
                ready = {fd for fd, _ in poll.poll()}
                if self._wake_read in ready:
                    os.read(self._wake_read, 4096)
                    self._reap()
                if self._control.fileno() in ready:
                    data = self._control.recv(wire.PACKET)
                    if not data:
                        return
                    self._obey(wire.read_request(data))
        except (BrokenPipeError, ConnectionResetError):
            return
        finally:
            if self._site is not None and self._site.rehearsal is not None:
                self._site.rehearsal.close()

    def _obey(self, request: wire.ToZygote) -> None:
        if isinstance(request, wire.Fork):
            for _ in range(request.count):
                self._make_spare()

    def _make_spare(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        pid = self._start(ours, theirs)
        theirs.close()
        self._workers.add(pid)
        descriptors = [ours.fileno()]
        if hasattr(os, "pidfd_open"):
            descriptors.append(os.pidfd_open(pid))
        socket.send_fds(self._control, [wire.packet(wire.Spare(pid=pid))], descriptors)
        for extra in descriptors[1:]:
            os.close(extra)
        ours.close()

    def _start(self, ours: socket.socket, theirs: socket.socket) -> int:
        if self._site is None:
            ours.sendall(wire.frame(wire.packet(self._boot)))
            environment = {**os.environ, "PYTHONPATH": os.path.dirname(_package())}
            return os.posix_spawn(
                sys.executable,
                successor("mainspring.execution.worker"),
                environment,
                file_actions=[(os.POSIX_SPAWN_DUP2, theirs.fileno(), SOCKET)],
                setsid=True,
            )
        pid = os.fork()
        if pid == 0:
            try:
                self._turn_into_worker(ours, theirs)
            finally:
                os._exit(1)
        return pid

    def _turn_into_worker(self, ours: socket.socket, theirs: socket.socket) -> None:
        signal.set_wakeup_fd(-1)
        # The module's own function is wrapped in enums: 50 memory pages that nothing else touches.
        _set_signal(signal.SIGCHLD, _DEFAULT)
        self._control.close()
        ours.close()
        os.close(self._wake_read)
        os.close(self._wake_write)
        os.setsid()
        _adopt_orphans()
        site = cast("Site", self._site)
        if site.rehearsal is not None and not _spoken_to(theirs):
            site.rehearsal.one()
        serve(wire.Inbox(theirs), site)

    def _reap(self) -> None:
        """Report the workers that have ended, after killing what they started and left."""
        while True:
            try:
                info = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if info is None:
                return
            pid = info.si_pid
            known = pid in self._workers
            if known:
                # While it is not reaped its number can't belong to anybody else.
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(pid, signal.SIGKILL)
                self._workers.discard(pid)
            _, status, usage = os.wait4(pid, 0)
            self._kill_strays()
            if known:
                report = wire.Exit(
                    pid=pid,
                    status=status,
                    cpu=usage.ru_utime + usage.ru_stime,
                    peak_memory=usage.ru_maxrss * _KILOBYTE,
                )
                self._control.send(wire.packet(report))

    def _kill_strays(self) -> None:
        """Kill the orphans that have come to this process: their attempt has ended."""
        for pid in _children() - self._workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _spoken_to(sock: socket.socket) -> bool:
    """Whether an order is there within a millisecond: while many wait, nobody rehearses."""
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(1))


def _noted(_number: int, _frame: FrameType | None) -> None:
    """The wake-up descriptor has told the loop already."""


def _children() -> set[int]:
    try:
        with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as file:
            return {int(word) for word in file.read().split()}
    except OSError:
        return set()


def _package() -> str:
    """The directory of this package."""
    return os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
