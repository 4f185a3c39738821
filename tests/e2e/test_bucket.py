"""Projects whose values are in a bucket of a Ceph gateway."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.e2e.place import Place
from tests.services.ceph import SECRET, Ceph

pytestmark = pytest.mark.system("ceph")
SPILL = """
@step
def spill() -> str:
    return str(dict(os.environ)) + Path("/proc/self/environ").read_text()

@pipeline
def main():
    return spill()
"""


def in_bucket(ceph: Ceph, root: Path, bucket: str) -> Place:
    place = Place(root, more=f'[storage]\nblobs = "s3://{bucket}/a"\n')
    place.env.update(ceph.variables)
    return place


def test_a_step_does_not_see_credentials(ceph: Ceph, tmp_path: Path):
    s3 = ceph.client()
    s3.create_bucket(Bucket="spilled")
    place = in_bucket(ceph, tmp_path / "p", "spilled")
    place.flow(SPILL)
    assert place("run").code == 0
    keys = [found["Key"] for found in s3.list_objects_v2(Bucket="spilled")["Contents"]]
    kept = b"".join(s3.get_object(Bucket="spilled", Key=key)["Body"].read() for key in keys)
    assert b"PATH=" in kept and b"AWS_SECRET" not in kept and SECRET.encode() not in kept
    files = [path for path in place.root.rglob("*") if path.is_file()]
    assert [path for path in files if SECRET.encode() in path.read_bytes()] == []
