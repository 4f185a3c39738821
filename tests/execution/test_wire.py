from __future__ import annotations

import socket
import threading

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.execution import wire
from mainspring.records.artifacts import Literal
from mainspring.records.ports import BlobPlace
from mainspring.records.runs import Order, TaskError

ORDER = Order(
    attempt="r.1.1", run="r", path="a[2]", node="a", snapshot="s", uses="m:a",
    inputs={"x": Literal(value={"a": [1, None]})}, seed=2**62, timeout=1.5,
)  # fmt: skip


@given(st.lists(st.binary(max_size=300), max_size=6), st.integers(1, 40))
def test_messages_come_back_however_they_are_cut(messages: list[bytes], size: int) -> None:
    stream = b"".join(map(wire.frame, messages))
    buffer, found = bytearray(), []
    for start in range(0, len(stream), size):
        buffer += stream[start : start + size]
        while (whole := wire.unframe(buffer)) is not None:
            found.append(whole)
            del buffer[: len(wire.frame(whole))]
    assert found == messages
    assert not buffer


def test_an_order_and_its_environment() -> None:
    data = wire.unframe(wire.dispatch_frame(ORDER, {"TOKEN": "é"}))
    assert data is not None
    found = wire.read_dispatch(data)
    assert (found.order, found.env) == (ORDER, {"TOKEN": "é"})


@pytest.mark.parametrize(
    "message",
    [
        wire.Ready(), wire.Unsafe(why="a thread runs"), wire.Spare(pid=7),
        wire.Broken(error=TaskError(kind="k", message="m")),
        wire.Exit(pid=7, status=9, cpu=0.5, peak_memory=1 << 40),
    ],
)  # fmt: skip
def test_what_a_zygote_says(message: wire.FromZygote) -> None:
    assert wire.read_report(wire.packet(message)) == message


def test_what_a_zygote_is_told() -> None:
    boot = wire.Boot(
        home="h",
        blobs=BlobPlace(root="b"),
        snapshot="s",
        modules=("m",),
        env={"A": "1"},
        fork=False,
    )
    assert wire.read_request(wire.packet(boot)) == boot
    assert wire.read_request(wire.packet(wire.Fork(count=3))) == wire.Fork(count=3)
    with pytest.raises(msgspec.ValidationError):
        wire.read_request(wire.packet(wire.Ready()))


def test_a_worker_waits_for_a_whole_message_and_sees_the_end() -> None:
    ours, theirs = socket.socketpair()
    inbox = wire.Inbox(theirs)
    frames = wire.dispatch_frame(ORDER, {}) + wire.frame(b"x" * 500_000)

    def send() -> None:
        for start in range(0, len(frames), 7_001):
            ours.sendall(frames[start : start + 7_001])
        ours.close()

    thread = threading.Thread(target=send)
    thread.start()
    found = inbox.dispatch()
    assert found is not None
    assert found.order == ORDER
    assert inbox.message() == b"x" * 500_000
    assert inbox.message() is None
    assert inbox.dispatch() is None
    thread.join()
    theirs.close()


def test_half_a_message_is_none_when_the_other_side_is_gone() -> None:
    ours, theirs = socket.socketpair()
    ours.sendall(wire.dispatch_frame(ORDER, {})[:-1])
    ours.close()
    assert wire.Inbox(theirs).dispatch() is None
    theirs.close()
