"""Projects whose values are in a bucket of a Ceph gateway."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from tests.e2e.place import Place, finish, until
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


OUTAGE = """
@step
def before(mark: str) -> str:
    Path(mark).write_text("here")
    while Path(mark).exists():
        time.sleep(0.01)
    return "made while the bucket was away"

@step(cache=False)
def after(text: str) -> str:
    return text.upper()

@pipeline
def main(mark: str):
    return after(before(mark))
"""


@pytest.mark.timeout(240)
def test_a_bucket_that_is_away_in_mid_run_fails_nothing(ceph: Ceph, tmp_path: Path):
    ceph.client().create_bucket(Bucket="away")
    place = in_bucket(ceph, tmp_path / "p", "away")
    place.flow(OUTAGE)
    mark = tmp_path / "mark"
    running = place.popen("run", "--json", "-p", f"mark={mark}")
    until(lambda: mark.exists() and mark.read_text() == "here", 90, "for the step")
    ceph.kill_gateway()
    try:
        mark.unlink()
        with pytest.raises(subprocess.TimeoutExpired):
            running.wait(8)  # it waits, and neither it nor the attempt fails
    finally:
        ceph.start_gateway()
    done = finish(running, 120)
    assert done.code == 0, done
    assert done.json["counts"] == {"succeeded": 2}
    shown = place("artifacts", "open", "latest", "after")
    assert shown.out.strip() == "MADE WHILE THE BUCKET WAS AWAY"
