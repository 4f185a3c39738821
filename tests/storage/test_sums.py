from __future__ import annotations

import hashlib
import os

import pytest

from mainspring.storage.sums import APART, Sums


@pytest.mark.parametrize("size", [0, 1, APART - 1, APART, 3 * APART + 5])
def test_any_pieces_have_the_digest_of_the_whole(size: int) -> None:
    data = os.urandom(size)
    with Sums() as sums:
        for step in (APART, 1000, APART + 1):
            for at in range(0, size, step):
                sums.update(data[at : at + step])
            assert sums.finish() == hashlib.sha256(data).hexdigest()
        assert sums.finish() == hashlib.sha256().hexdigest()
