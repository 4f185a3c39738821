"""Zip files from strangers: each offence is refused by its name, and nothing is believed."""

from __future__ import annotations

import contextlib
import io
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mainspring.records.errors import CapsuleError
from mainspring.storage import archive
from mainspring.storage.archive import FREE, Archive, ArchiveWriter, name_offence


def entry(name: str, mode: int = stat.S_IFREG | 0o644) -> zipfile.ZipInfo:
    made = zipfile.ZipInfo(name)
    made.create_system = 3
    made.external_attr = mode << 16
    return made


def build(path: Path, *entries: tuple[zipfile.ZipInfo | str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as made:
        for name, data in entries:
            made.writestr(name, data)
    return path


def take(path: Path, *, read: bool) -> None:
    with Archive(path) as found:
        for name in found.names if read else ():
            found.read(name, 1 << 30)


def offence_of(path: Path, read: bool = False) -> str:
    """What the file is refused for."""
    with pytest.raises(CapsuleError) as caught:
        take(path, read=read)
    assert str(path) in str(caught.value)
    return caught.value.offence


def test_plain_files_are_read(tmp_path: Path) -> None:
    path = build(tmp_path / "x.zip", ("a.txt", b"one"), ("d/", b""), ("d/b.bin", bytes(3_000_000)))
    with Archive(path) as found:
        assert found.names == {"a.txt", "d/b.bin"}
        assert found.read("a.txt", 3) == b"one"
        assert sum(map(len, found.pieces("d/b.bin", 3_000_000))) == 3_000_000


@pytest.mark.parametrize(
    ("name", "offence"),
    [
        ("../evil", "path traversal"),
        ("a/../../evil", "path traversal"),
        ("..", "path traversal"),
        ("/etc/passwd", "absolute path"),
        ("a\\b", "backslash in a name"),
        ("..\\evil", "backslash in a name"),
        ("C:evil", "drive letter"),
        ("c:/evil", "drive letter"),
        ("a//b", "unsound name"),
        ("./a", "unsound name"),
        ("a\nb", "unsound name"),
        ("a\x7fb", "unsound name"),
        ("n" * 1025, "name that is too long"),
    ],
)
def test_names_that_lead_elsewhere(tmp_path: Path, name: str, offence: str) -> None:
    assert name_offence(name) == offence
    assert offence_of(build(tmp_path / "x.zip", (entry(name), b"x"))) == offence


@pytest.mark.parametrize("name", ["a", "source/ä.py", "artifacts/train[3]/x.npy", "...", "a..b"])
def test_sound_names(name: str) -> None:
    assert name_offence(name) is None


def test_a_name_that_hides_what_follows_a_nul(tmp_path: Path) -> None:
    path = build(tmp_path / "x.zip", (entry("safe.txtZevil"), b"x"))
    path.write_bytes(path.read_bytes().replace(b"txtZevil", b"txt\0evil"))
    assert offence_of(path) == "unsound name"


@pytest.mark.parametrize(
    ("mode", "offence"),
    [
        (stat.S_IFLNK | 0o777, "symbolic link"),
        (stat.S_IFIFO | 0o644, "special file"),
        (stat.S_IFCHR | 0o644, "special file"),
        (stat.S_IFBLK | 0o644, "special file"),
        (stat.S_IFSOCK | 0o644, "special file"),
        (stat.S_IFDIR | 0o755, "special file"),
    ],
)
def test_what_is_no_plain_file(tmp_path: Path, mode: int, offence: str) -> None:
    assert offence_of(build(tmp_path / "x.zip", (entry("link", mode), b"/etc/passwd"))) == offence


def test_names_twice(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        path = build(tmp_path / "x.zip", ("a", b"1"), ("a", b"2"))
    assert offence_of(path) == "name used twice"


@pytest.mark.parametrize("twin", ["READ.me", "read.ME", "Read.me"])
def test_names_that_differ_in_case(tmp_path: Path, twin: str) -> None:
    path = build(tmp_path / "x.zip", ("read.me", b"1"), (twin, b"2"))
    assert offence_of(path) == "names that differ only in case"


def test_names_that_differ_in_the_form_of_an_accent(tmp_path: Path) -> None:
    path = build(tmp_path / "x.zip", ("é", b"1"), ("e\u0301", b"2"))
    assert offence_of(path) == "names that differ only in case"


def test_a_file_that_is_a_directory_too(tmp_path: Path) -> None:
    path = build(tmp_path / "x.zip", ("a", b"1"), ("a/b", b"2"))
    assert offence_of(path) == "file that is a directory too"


def test_a_name_that_is_not_utf8(tmp_path: Path) -> None:
    path = build(tmp_path / "x.zip", ("nameX", b"1"))
    path.write_bytes(path.read_bytes().replace(b"nameX", b"name\xff"))
    assert offence_of(path) == "name that is not UTF-8"
    path = build(tmp_path / "y.zip", ("naméX", b"1"))  # flagged as UTF-8
    path.write_bytes(path.read_bytes().replace("naméX".encode(), b"nam\xff\xffX"))
    assert offence_of(path) == "name that is not UTF-8"


def central(path: Path, offset: int, form: str, value: int) -> None:
    """Change a number in the first entry of the list of entries."""
    data = bytearray(path.read_bytes())
    struct.pack_into(form, data, data.index(b"PK\1\2") + offset, value)
    path.write_bytes(data)


def test_an_encrypted_entry(tmp_path: Path) -> None:
    path = build(tmp_path / "x.zip", ("a", b"1"))
    central(path, 8, "<H", 1)
    assert offence_of(path) == "encrypted entry"


def test_an_unknown_compression(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_BZIP2) as made:
        made.writestr("a", bytes(1000))
    assert offence_of(tmp_path / "x.zip") == "unknown compression"


def test_a_bomb_that_says_so(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("a", bytes(300 << 20))
    assert offence_of(tmp_path / "x.zip") == "zip bomb"


def test_a_bomb_that_says_it_is_small(tmp_path: Path) -> None:
    """Its headers say 100 bytes; the data go on for 50 MB."""
    with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("a", bytes(50 << 20))
    path = tmp_path / "x.zip"
    central(path, 24, "<I", 100)
    assert offence_of(path, read=True) == "damaged entry"


def test_a_bomb_whose_headers_say_that_it_is_not_compressed_much(tmp_path: Path) -> None:
    """The ratio is counted while it is read: here the header's compressed size is a lie."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    data = packer.compress(bytes(100 << 20)) + packer.flush()
    info = entry("a")
    info.compress_type = zipfile.ZIP_STORED
    path = build(tmp_path / "x.zip", (info, data + bytes(1 << 20)))
    central(path, 10, "<H", zipfile.ZIP_DEFLATED)
    central(path, 24, "<I", 100 << 20)
    with Archive(path) as found, pytest.raises(CapsuleError) as caught:
        for _ in found.pieces("a", 10 << 20):
            pass
    assert caught.value.offence == "wrong size"


def test_more_than_the_manifest_says(tmp_path: Path) -> None:
    path = build(tmp_path / "x.zip", ("a", bytes(2 * FREE)))
    with Archive(path) as found, pytest.raises(CapsuleError) as caught:
        list(found.pieces("a", FREE))
    assert caught.value.offence == "wrong size"
    with Archive(path) as found, pytest.raises(CapsuleError) as caught:
        found.read("a", FREE)
    assert caught.value.offence == "oversized file"


def test_entries_that_share_bytes(tmp_path: Path) -> None:
    """As in the bombs that consist of one kernel with many names."""
    path = build(tmp_path / "x.zip", ("aa", b"1" * 40), ("bb", b"2" * 40))
    data = bytearray(path.read_bytes())
    second = data.index(b"PK\1\2", data.index(b"PK\1\2") + 1)
    struct.pack_into("<I", data, second + 42, 0)
    path.write_bytes(data)
    assert offence_of(path) == "overlapping entries"


def test_an_entry_that_runs_into_the_list_of_entries(tmp_path: Path) -> None:
    path = build(tmp_path / "x.zip", ("a", b"1" * 40))
    central(path, 20, "<I", 60)
    central(path, 24, "<I", 60)
    assert offence_of(path) == "overlapping entries"


def test_something_before_or_after_the_zip(tmp_path: Path) -> None:
    path = build(tmp_path / "x.zip", ("a", b"1"))
    whole = path.read_bytes()
    path.write_bytes(b"#!/bin/sh\n" + whole)
    assert offence_of(path) in ("something before the zip", "damaged zip")
    path.write_bytes(whole + b"more")
    assert offence_of(path) == "truncated zip"


def test_a_list_of_entries_that_is_too_long(tmp_path: Path) -> None:
    path = build(tmp_path / "x.zip", ("a", b"1"))
    data = bytearray(path.read_bytes())
    struct.pack_into("<I", data, data.rindex(b"PK\5\6") + 12, 1 << 30)
    path.write_bytes(data)
    assert offence_of(path) == "oversized list of entries"


def test_every_truncation_is_refused(tmp_path: Path) -> None:
    path = build(tmp_path / "x.zip", ("a.txt", b"some text"), ("b.txt", b"more"))
    whole = path.read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        assert offence_of(path, read=True)


def test_what_is_no_zip(tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_bytes(b"")
    assert offence_of(tmp_path / "x.zip") == "truncated or no zip"
    os.mkfifo(tmp_path / "y.zip")
    handle = os.open(tmp_path / "y.zip", os.O_RDWR)
    try:
        assert offence_of(tmp_path / "y.zip") == "not a file"
    finally:
        os.close(handle)
    with pytest.raises(CapsuleError, match="can't be read"):
        Archive(tmp_path / "missing.zip")


def written(*files: tuple[str, bytes]) -> bytes:
    stream = io.BytesIO()
    made = ArchiveWriter(stream)
    seen = bytearray()
    for name, data in files:
        assert made.add(name, len(data), pieces(data), seen.extend) == len(data)
    made.close()
    assert seen == b"".join(data for _, data in files)
    return stream.getvalue()


def pieces(data: bytes) -> Iterator[bytes]:
    return (data[at : at + 7] for at in range(0, len(data), 7))


def test_what_we_write_depends_on_names_and_contents_only(tmp_path: Path) -> None:
    files = (("b.txt", b"two" * 10), ("ä/a", b""))
    path = tmp_path / "x.zip"
    path.write_bytes(written(*files))
    assert written(*files) == path.read_bytes()
    with Archive(path) as found:
        assert {name: found.read(name, 100) for name in found.names} == dict(files)
    with zipfile.ZipFile(path) as found:
        assert {info.date_time for info in found.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert found.testzip() is None


GOOD = written(("a.txt", b"some text" * 20), ("d/b.txt", b"more text"))


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_changed_bytes_are_refused_or_change_nothing(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    change: Callable[[bytearray], None] = data.draw(st.sampled_from([flip, cut, insert]))(data)
    damaged = bytearray(GOOD)
    change(damaged)
    path = tmp_path_factory.mktemp("zip") / "x.zip"
    path.write_bytes(damaged)
    with contextlib.suppress(CapsuleError):  # any other error fails
        take(path, read=True)


def flip(data: st.DataObject) -> Callable[[bytearray], None]:
    places = data.draw(st.lists(st.integers(0, len(GOOD) - 1), min_size=1, max_size=4))
    values = data.draw(st.lists(st.integers(0, 255), min_size=4, max_size=4))

    def change(found: bytearray) -> None:
        for place, value in zip(places, values, strict=False):
            found[place] = value

    return change


def cut(data: st.DataObject) -> Callable[[bytearray], None]:
    start, count = data.draw(st.integers(0, len(GOOD))), data.draw(st.integers(1, 50))

    def change(found: bytearray) -> None:
        del found[start : start + count]

    return change


def insert(data: st.DataObject) -> Callable[[bytearray], None]:
    place, more = data.draw(st.integers(0, len(GOOD))), data.draw(st.binary(min_size=1, max_size=9))

    def change(found: bytearray) -> None:
        found[place:place] = more

    return change


def test_a_list_of_entries_that_only_the_longer_end_tells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python's zipfile reads the record of zip64 whenever there is a locator of one."""
    monkeypatch.setattr(archive, "MOST_ENTRIES", 1000)
    path = build(tmp_path / "x.zip", *((f"{n}", b"") for n in range(70_000)))
    assert offence_of(path) == "oversized list of entries"
    data = bytearray(path.read_bytes())
    struct.pack_into("<HHL", data, data.rfind(b"PK\5\6") + 8, 1, 1, 50)
    path.write_bytes(data)
    assert offence_of(path) == "oversized list of entries"
