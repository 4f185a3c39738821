"""What is remembered of files never misleads: damage and doubt only cost reading."""

from __future__ import annotations

from pathlib import Path

from mainspring.storage.folders.statcache import SETTLED, StatCache, StatWriter, Summary
from mainspring.storage.folders.walk import Row, encode

SUMMARY = Summary("blake3:d", "blake3:r", 3, 30)
NOW = 10 * SETTLED


def row(name: str, when: int = 5) -> Row:
    return (name, 10, when, when, 7, 0o100644)


def write(path: Path, *folders: tuple[str, list[Row]], started: int = NOW) -> None:
    writer = StatWriter(path, started)
    for folder, rows in folders:
        digests = [each[0].encode().ljust(32) for each in rows]
        writer.add(folder, rows, [each[2] for each in rows], digests)
    writer.save(SUMMARY)
    writer.close()


def test_folders_come_back_in_order(tmp_path: Path) -> None:
    path = tmp_path / "sub" / "cache"
    write(path, ("", [row("a"), row("é")]), ("b/", []), ("c/", [row("z")]))
    cache = StatCache(path)
    assert cache.summary == SUMMARY
    first = cache.folder("")
    assert first is not None
    assert first.rows == encode([row("a"), row("é")])
    assert first.by_name()["é"] == (row("é"), "é".encode().ljust(32))
    assert cache.folder("a/") is None  # a new one between them
    third = cache.folder("c/")
    assert third is not None
    assert cache.next() is None
    cache.close()
    copy = StatWriter(path, NOW)
    copy.keep(third)
    copy.save(SUMMARY)
    again = StatCache(path)
    assert again.folder("") is None
    assert again.folder("c/") == third
    again.close()
    assert [each.name for each in path.parent.iterdir()] == ["cache"]


def test_what_was_just_written_is_not_trusted(tmp_path: Path) -> None:
    write(tmp_path / "c", ("", [row("new", NOW - SETTLED), row("old", NOW - SETTLED - 1)]))
    cache = StatCache(tmp_path / "c")
    found = cache.folder("")
    cache.close()
    assert found is not None
    assert found.by_name()["new"][0] != row("new", NOW - SETTLED)
    assert found.by_name()["old"][0] == row("old", NOW - SETTLED - 1)


def test_what_was_not_saved_leaves_nothing(tmp_path: Path) -> None:
    writer = StatWriter(tmp_path / "c", NOW)
    writer.add("", [row("a")], [5], [b"x" * 32])
    writer.close()
    assert list(tmp_path.iterdir()) == []
    cache = StatCache(tmp_path / "c")
    assert (cache.summary, cache.next()) == (None, None)


def test_any_damage_ends_what_is_known(tmp_path: Path) -> None:
    path = tmp_path / "c"
    folders = [(f"{n}/" if n else "", [row("a"), row("b")]) for n in range(4)]
    write(path, *folders)
    whole = path.read_bytes()
    before = list(_all(path))
    assert len(before) == 4
    for at in range(0, len(whole), 3):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        found = list(_all(path))
        assert found == before[: len(found)]
        path.write_bytes(whole[:at])
        found = list(_all(path))
        assert found == before[: len(found)]


def _all(path: Path):
    cache = StatCache(path)
    try:
        while known := cache.next():
            yield known
    finally:
        cache.close()
