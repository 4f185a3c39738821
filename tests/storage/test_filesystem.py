"""Which filesystem a folder lies on: by device, else by the longest mount point above it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mainspring.records.errors import StoreError
from mainspring.storage.filesystem import filesystem_of, refuse_network


def table(tmp_path: Path, *lines: str) -> Path:
    file = tmp_path / "mountinfo"
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return file


def line(point: str, kind: str, device: str = "0:999", options: str = "shared:1 - ") -> str:
    return f"36 22 {device} / {point} rw,relatime {options}{kind} source rw"


def test_the_longest_mount_point_wins_whatever_the_order(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    lines = [line(str(tmp_path / "a"), "nfs"), line("/", "ext4"), line(str(folder), "xfs")]
    for order in (lines, lines[::-1]):
        assert filesystem_of(folder, table(tmp_path, *order)) == "xfs"
        assert filesystem_of(tmp_path / "a", table(tmp_path, *order)) == "nfs"
        assert filesystem_of(tmp_path, table(tmp_path, *order)) == "ext4"


def test_of_two_on_one_point_the_upper_one_counts(tmp_path: Path) -> None:
    found = table(tmp_path, line(str(tmp_path), "ext4"), line(str(tmp_path), "nfs4"))
    assert filesystem_of(tmp_path, found) == "nfs4"


def test_a_folder_is_followed_to_where_it_is(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.mkdir()
    link = tmp_path / "link"
    link.symlink_to(real)
    found = table(tmp_path, line("/", "ext4"), line(str(real), "cifs"))
    assert filesystem_of(link, found) == "cifs"


def test_a_line_without_optional_fields(tmp_path: Path) -> None:
    assert filesystem_of(tmp_path, table(tmp_path, line("/", "xfs", options="- "))) == "xfs"


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    assert filesystem_of(tmp_path / "none", table(tmp_path, line("/", "nfs"))) == ""
    assert filesystem_of(tmp_path, tmp_path / "no-table") == ""
    assert filesystem_of(tmp_path, table(tmp_path)) == ""


@pytest.mark.parametrize(
    "kind", ["nfs", "nfs4", "cifs", "smb3", "9p", "lustre", "fuse.sshfs", "fuse.s3fs", "fuse.ceph"]
)
def test_what_other_machines_may_write_is_refused(tmp_path: Path, kind: str) -> None:
    with pytest.raises(StoreError) as caught:
        refuse_network(tmp_path, table(tmp_path, line("/", kind)))
    assert kind in caught.value.what
    assert caught.value.where == str(tmp_path)


@pytest.mark.parametrize(
    "kind", ["ext4", "xfs", "btrfs", "tmpfs", "overlay", "zfs", "fuse", "fuse.ntfs-3g", "fuseblk"]
)
def test_what_is_of_this_machine_is_taken(tmp_path: Path, kind: str) -> None:
    refuse_network(tmp_path, table(tmp_path, line("/", kind)))


def test_here(tmp_path: Path) -> None:
    """The real table of this machine is understood."""
    if not os.path.exists("/proc/self/mountinfo"):
        assert filesystem_of(tmp_path) == ""
    else:
        assert filesystem_of(tmp_path) != ""
        refuse_network(tmp_path)
