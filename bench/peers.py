"""Other systems beside ours in the same minutes: dbos, redun, metaflow, where they can be had.

    python bench/peers.py [NAME ...]

Each gets an environment of its own (uv, the newest release) in a directory that is gone afterwards.
Their guarantees differ: dbos and redun run steps in one process, metaflow gives each its own
process but does not fsync. The column `floor` holds the peer here: a ratio below 1 means that ours
is faster. Ours is the whole `run()`, its zygote's start included.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import timing
import workloads
from timing import Row

K = 3

DBOS = """
import json, sys, time
from dbos import DBOS, SetWorkflowID
folder, n = sys.argv[1], int(sys.argv[2])
DBOS(config={"name": "bench", "system_database_url": f"sqlite:///{folder}/system.sqlite",
             "log_level": "ERROR", "run_admin_server": False})
@DBOS.step()
def inc(x):
    return x + 1
@DBOS.workflow()
def chain(n):
    x = 0
    for _ in range(n):
        x = inc(x)
    return x
DBOS.launch()
start = time.perf_counter()
with SetWorkflowID("one"):
    assert chain(n) == n
print(json.dumps({"per_step": 1000 * (time.perf_counter() - start) / n}))
DBOS.destroy()
"""

REDUN = """
import json, logging, sys, time
logging.disable(logging.WARNING)
from redun import Scheduler, task
from redun.config import Config
redun_namespace = "bench"
folder, n = sys.argv[1], int(sys.argv[2])
@task(executor="ex")
def inc(x):
    return x + 1
@task()
def chain(n):
    x = 0
    for _ in range(n):
        x = inc(x)
    return x
def timed():
    scheduler = Scheduler(config=Config({"backend": {"db_uri": f"sqlite:///{folder}/redun.db"},
        "executors.ex": {"type": "local", "mode": "thread", "max_workers": "2"}}))
    scheduler.load()
    start = time.perf_counter()
    assert scheduler.run(chain(n)) == n
    return 1000 * (time.perf_counter() - start)
if __name__ == "__main__":
    first, again = timed(), timed()
    print(json.dumps({"per_step": first / n, "again": again}))
"""

METAFLOW = """
import json, os, subprocess, sys, time
folder, n = sys.argv[1], int(sys.argv[2])
lines = ["from metaflow import FlowSpec, step", "class F(FlowSpec):"]
for i in range(n):
    name = "start" if i == 0 else "end" if i == n - 1 else f"s{i}"
    after = "end" if i == n - 2 else f"s{i + 1}"
    lines += ["    @step", f"    def {name}(self):", "        self.x = getattr(self, 'x', 0) + 1"]
    lines += [] if name == "end" else [f"        self.next(self.{after})"]
lines += ["if __name__ == '__main__': F()"]
with open(folder + "/flow.py", "w") as file:
    file.write("\\n".join(lines) + "\\n")
env = dict(os.environ, USERNAME="bench", METAFLOW_DATASTORE_SYSROOT_LOCAL=folder,
           METAFLOW_HOME=folder + "/home", METAFLOW_DEFAULT_METADATA="local")
start = time.perf_counter()
subprocess.run([sys.executable, "flow.py", "--quiet", "run", "--max-workers", "2"],
               cwd=folder, env=env, check=True, stdout=subprocess.DEVNULL)
print(json.dumps({"per_step": 1000 * (time.perf_counter() - start) / n}))
"""

PEERS = {"dbos": (DBOS, 100), "redun": (REDUN, 100), "metaflow": (METAFLOW, 30)}


def measure(name: str) -> list[Row]:
    script, n = PEERS[name]
    code = workloads.CHAIN.format(n=n - 1)
    with timing.folder() as tmp, timing.project(code, "pipeline:chain") as root:
        python = make_environment(tmp, name)
        (tmp / "peer.py").write_text(script)
        a, b = timing.alternate(K, lambda: ours(root), theirs(tmp, python, n))
    mine, other = timing.medians(a), timing.medians(b)
    version = b[0]["version"]
    note = timing.spread([sample["per_step"] for sample in b])
    rows = [Row(f"chain of {n} per step, floor = {name} {version}", mine["per_step"],
                other["per_step"], "ms", "", note)]  # fmt: skip
    if "again" in other:
        what = f"chain of {n} again, all reused, floor = {name} {version}"
        rows.append(Row(what, mine["again"], other["again"], "ms", "", "run() / scheduler.run()"))
    return rows


def make_environment(tmp: Path, name: str) -> str:
    """Install a peer into a fresh environment; its interpreter."""
    python = str(tmp / "venv" / "bin" / "python")
    env = timing.environment()
    subprocess.run(["uv", "venv", "--quiet", "--python", timing.PYTHON, tmp / "venv"], check=True)
    install = ["uv", "pip", "install", "--quiet", "--compile-bytecode", "--python", python, name]
    subprocess.run(install, env=env, check=True)
    ask = f"import importlib.metadata as m; print(m.version({name!r}), end='')"
    version = subprocess.run([python, "-c", ask], check=True, capture_output=True, text=True)
    (tmp / "version").write_text(version.stdout)
    return python


def ours(root: Path) -> dict[str, Any]:
    """A whole `run()`, so that nothing of ours is left out, and once more with all reused."""
    timing.forget(root)
    found = timing.answer("probe.py", "chain", cwd=root)
    again = timing.answer("probe.py", "chain", cwd=root)
    return {"per_step": 1000 * found["wall"] / found["tasks"], "again": 1000 * again["wall"]}


def theirs(tmp: Path, python: str, n: int) -> Callable[[], dict[str, Any]]:
    """The peer's script, each time with an empty folder for its state."""

    def run() -> dict[str, Any]:
        state = tmp / "state"
        shutil.rmtree(state, ignore_errors=True)
        state.mkdir()
        env = {**timing.environment(), "HOME": str(state), "DO_NOT_TRACK": "1"}
        command = [python, str(tmp / "peer.py"), str(state), str(n)]
        said = subprocess.run(
            command, env=env, cwd=state, check=True, stdout=subprocess.PIPE, text=True
        )
        line = next(x for x in reversed(said.stdout.splitlines()) if x.startswith("{"))
        return {**json.loads(line), "version": (tmp / "version").read_text()}

    return run


if __name__ == "__main__":
    chosen = sys.argv[1:] or list(PEERS)
    timing.report([row for name in chosen for row in measure(name)])
