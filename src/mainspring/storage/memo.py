"""What was found in files of code, kept on disk from one process to the next."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from mainspring.storage.cachefile import frame, frames, replace_file

LARGEST = 64 << 20  # bytes: beyond, the older half of the log is dropped


class FileMemo:
    """Implements `records.source.Memo`: a log of entries in `cache/code.log`, the last one wins.

    Every entry carries a checksum: from the first damaged one on, the log counts as lost.
    """

    def __init__(self, home: Path) -> None:
        self._path = home / "cache" / "code.log"
        self._entries: dict[str, bytes] | None = None

    def get(self, key: str) -> bytes | None:
        """The data last put under the key, by this or any process before it."""
        if self._entries is None:
            self._entries = self._load()
        return self._entries.get(key)

    def put(self, key: str, data: bytes) -> None:
        """Remember data; a disk that refuses only costs time later."""
        if self.get(key) == data:
            return
        assert self._entries is not None
        self._entries[key] = data
        with suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
            fd = os.open(self._path, flags, 0o644)
            try:
                # One write: entries of processes that write at once do not mix.
                os.write(fd, frame(key, data))
            finally:
                os.close(fd)

    def _load(self) -> dict[str, bytes]:
        try:
            data = self._path.read_bytes()
        except OSError:
            return {}
        entries: dict[str, bytes] = {}
        end = 0
        for key, value, after in frames(data):
            entries.pop(key, None)  # so that the order is that of the last use
            entries[key] = value
            end = after
        live = sum(map(len, entries.values()))
        if end < len(data) or len(data) > max(4 * live, 1 << 20) or len(data) > LARGEST:
            entries = self._rewritten(entries)
        return entries

    def _rewritten(self, entries: dict[str, bytes]) -> dict[str, bytes]:
        """Write the log anew, without what was damaged, repeated, or is too old to be kept."""
        kept: dict[str, bytes] = {}
        total = 0
        for key, value in reversed(entries.items()):
            total += len(value)
            if total > LARGEST // 2:
                break
            kept[key] = value
        kept = dict(reversed(kept.items()))
        with suppress(OSError):
            replace_file(self._path, b"".join(frame(*item) for item in kept.items()))
        return kept
