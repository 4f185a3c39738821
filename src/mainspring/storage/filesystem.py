"""Is a path on a disk of this machine? A lock that one machine holds means little to another's."""

from __future__ import annotations

import os
import re
from pathlib import Path

from mainspring.records.errors import StoreError

_MOUNTS = Path("/proc/self/mountinfo")
_ESCAPE = re.compile(r"\\([0-7]{3})")
_NETWORK = frozenset(
    [
        "nfs",
        "nfs4",
        "cifs",
        "smb",
        "smb2",
        "smb3",
        "smbfs",
        "9p",
        "v9fs",
        "afs",
        "ncpfs",
        "ceph",
        "lustre",
        "glusterfs",
        "gfs",
        "gfs2",
        "ocfs2",
        "beegfs",
        "gpfs",
        "orangefs",
        "pvfs2",
        "davfs",
        "davfs2",
        "coda",
        "virtiofs",
    ]
)
_NETWORK_FUSE = frozenset(
    [
        "sshfs",
        "s3fs",
        "rclone",
        "glusterfs",
        "ceph",
        "gcsfuse",
        "goofys",
        "mount-s3",
        "blobfuse",
        "blobfuse2",
        "juicefs",
        "davfs",
        "davfs2",
        "smbnetfs",
        "curlftpfs",
        "gvfsd-fuse",
        "lustre",
    ]
)


def refuse_network(folder: Path, mounts: Path = _MOUNTS) -> None:
    """Raise StoreError when `folder` lies on a network filesystem (where that can be known)."""
    kind = filesystem_of(folder, mounts)
    if kind in _NETWORK or (kind.startswith("fuse.") and kind[5:] in _NETWORK_FUSE):
        raise StoreError(
            f"the store can't be kept on a network filesystem ({kind})",
            where=str(folder),
            hint="put the project's home on a local disk; PostgreSQL, for stores shared between "
            "machines, is not supported yet",
        )


def filesystem_of(folder: Path, mounts: Path = _MOUNTS) -> str:
    """The type of the filesystem that holds `folder`, or "" where the system does not say."""
    try:
        device = os.stat(folder).st_dev
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return ""
    number = f"{os.major(device)}:{os.minor(device)}"
    best, kind = "", ""
    path = os.path.realpath(folder)
    for line in lines:
        fields, _, rest = line.partition(" - ")
        parts = fields.split(" ", 5)
        if parts[2] == number:
            return rest.split(" ", 1)[0]
        point = parts[4]  # for those whose device number is not the one that stat gives (btrfs)
        if "\\" in point:
            point = _ESCAPE.sub(lambda match: chr(int(match[1], 8)), point)
        inside = path == point or path.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):
            best, kind = point, rest.split(" ", 1)[0]
    return kind
