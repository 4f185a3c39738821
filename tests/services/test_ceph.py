"""The throw-away gateway itself: it checks signatures, survives a crash, is gone at the end."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import botocore.exceptions
import pytest
from tests.services.ceph import Ceph, client

pytestmark = pytest.mark.system("ceph")
ROOT = Path(__file__).parents[2]


def test_it_checks_signatures(ceph: Ceph) -> None:
    wrong = client({**ceph.variables, "AWS_SECRET_ACCESS_KEY": "wrong"})
    with pytest.raises(botocore.exceptions.ClientError, match="SignatureDoesNotMatch"):
        wrong.list_buckets()


def test_what_is_stored_survives_a_crash_of_the_gateway(ceph: Ceph) -> None:
    s3 = ceph.client()
    s3.create_bucket(Bucket="survivor")
    s3.put_object(Bucket="survivor", Key="k", Body=b"x")
    ceph.kill_gateway()
    ceph.start_gateway()
    assert s3.get_object(Bucket="survivor", Key="k")["Body"].read() == b"x"


ORPHAN = """
import os, signal
from tests.services.ceph import Ceph
server = Ceph()
print(server._root, *(d.pid for d in server._daemons.values()), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_nothing_is_left_when_the_tests_are_killed() -> None:
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    killed = subprocess.run(
        [sys.executable, "-c", ORPHAN],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )  # returns when the guard, which shares the pipes, is gone too
    root, *pids = killed.stdout.split()
    assert killed.returncode == -9 and len(pids) == 3
    assert not Path(root).exists()
    deadline = time.monotonic() + 30
    while any(Path(f"/proc/{pid}").exists() for pid in pids):  # they have been told
        assert time.monotonic() < deadline
        time.sleep(0.01)
