"""What asks a verb to end, made one: SIGTERM does what Ctrl-C does."""

from __future__ import annotations

import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def sigterm_as_interrupt() -> Generator[None]:
    """In this block SIGTERM raises KeyboardInterrupt, so that what was started is ended too. For
    verbs that have nothing to save; only the main thread hears signals."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
