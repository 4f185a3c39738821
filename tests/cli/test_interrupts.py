"""SIGTERM where there is nothing to save."""

from __future__ import annotations

import os
import signal

import pytest

from mainspring.cli.interrupts import sigterm_as_interrupt


def test_sigterm_is_an_interrupt_in_the_block_only():
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), sigterm_as_interrupt():
        os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before
