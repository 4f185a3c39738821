"""Steps in environments of their own, from the plan to the values: real builds, real workers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.app import flows
from tests.services.wheels import make_wheel

from mainspring.app.environments import build, environment_of
from mainspring.app.gc import Policy, collect
from mainspring.app.project import Project
from mainspring.app.running import drive, warm_up
from mainspring.records.canonical import digest_bytes
from mainspring.records.errors import DefinitionError, EnvironmentBuildError, NotFoundError
from mainspring.records.runs import Run
from mainspring.records.spec import CommandNode, Options, PipelineSpec, StepNode
from mainspring.storage.serializers import registry

pytestmark = pytest.mark.system("uv")

STEPS = """
    from mainspring.definition.step import step

    class Odd:
        def __reduce__(self):
            return (Odd, ())

    @step
    def inside(x: int) -> list[str]:
        import sys
        import only
        return [only.VERSION, sys.prefix]

    @step
    def odd() -> object:
        return Odd()

    @step
    def take(it: object) -> int:
        return 1

    @step
    def last(text: list[str]) -> str:
        return text[0]
"""


def inside(environment: str = "envs/only") -> StepNode:
    return flows.step("inside", {"x": 1}, environment=environment, inputs={"x": "int"},
                      outputs={"result": "list[str]"})  # fmt: skip


def flow(*more: StepNode) -> PipelineSpec:
    last = flows.step("last", {"text": "${{ steps.inside.result }}"}, outputs={"result": "str"})
    return flows.pipeline(inside(), last, *more)


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.setenv("UV_FIND_LINKS", str(tmp_path / "wheels"))
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "wheels"


def pin(project: Path, wheels: Path, version: str, name: str = "only") -> None:
    total = make_wheel(wheels, name, version)
    text = f"{name}=={version} --hash=sha256:{total}\n"
    flows.write(project, text, "envs/only/requirements.txt")


@pytest.fixture
def opened(project: Path, wheels: Path) -> Iterator[Project]:
    flows.write(project, STEPS)
    pin(project, wheels, "1.0")
    opened = Project(project)
    yield opened
    opened.close()


def value(project: Project, run: Run, task: str) -> object:
    for path, _, ref in project.store.read.artifacts(run.id):
        if path == task:
            return project.artifacts.value(ref)
    raise AssertionError(task)


def failure(project: Project, run: Run, task: str) -> str:
    (found,) = [t for t in project.store.read.tasks(run.id) if t.path == task]
    assert found.error is not None
    return found.error.message


def test_a_step_runs_in_its_environment(opened: Project, wheels: Path) -> None:
    run = flows.run(opened, flow())
    assert flows.states(opened, run) == {"inside": "succeeded", "last": "succeeded"}
    assert value(opened, run, "last") == "1.0"
    _, prefix = value(opened, run, "inside")  # type: ignore[misc]
    assert Path(prefix).is_relative_to(opened.home / "environments")
    again = flows.run(opened, flow())
    assert set(flows.states(opened, again).values()) == {"reused"}
    pin(opened.root, wheels, "2.0")
    changed = flows.run(opened, flow())
    assert value(opened, changed, "last") == "2.0"
    reason = flows.reasons(opened, changed)["inside"]
    assert reason is not None
    assert reason.startswith("envs/only requirements.txt ")


def test_what_is_recorded_is_its_lock_and_not_what_is_installed(opened: Project) -> None:
    found = environment_of(opened, flows.run(opened, flow()))
    lock = found.steps["envs/only"]
    assert (lock.kind, lock.path) == ("requirements", "envs/only/requirements.txt")
    assert opened.blobs.read(lock.files["requirements.txt"]).startswith(b"only==1.0 ")


def test_pickles_do_not_cross(opened: Project) -> None:
    one = flows.step("odd", environment="envs/only")
    run = flows.run(opened, flows.pipeline(one))
    assert "output result can only be pickled" in failure(opened, run, "odd")
    take = flows.step("take", {"it": "${{ steps.odd.result }}"}, environment="envs/only",
                      inputs={"it": "any"})  # fmt: skip
    run = flows.run(opened, flows.pipeline(flows.step("odd"), take))
    assert "the input it is pickled" in failure(opened, run, "take")


def test_a_program_finds_its_environment(opened: Project) -> None:
    code = "import only, sys; open(sys.argv[1], 'w').write(only.VERSION)"
    command = CommandNode(
        name="show", command=f'python -c "{code}" {{outputs.text}}',
        outputs={"text": "text.txt"}, options=Options(environment="envs/only"),
    )  # fmt: skip
    run = flows.run(opened, flows.pipeline(command))
    assert flows.states(opened, run) == {"show": "succeeded"}
    ((_, _, ref),) = opened.store.read.artifacts(run.id)
    assert digest_bytes(b"1.0") in (ref.digest, *registry.references(ref, opened.blobs))


def test_what_can_not_be_built_stops_before_anything_is_recorded(
    opened: Project, wheels: Path
) -> None:
    make_wheel(wheels, "only", "1.0", "changed = True\n")
    planned = flows.plan(opened, flow())
    with pytest.raises(EnvironmentBuildError, match="Hash mismatch"):
        warm_up(opened, planned)
    assert list((opened.home / "zygotes").glob("*")) == []


def test_an_engine_that_has_to_build_tells_the_task(opened: Project, wheels: Path) -> None:
    """An engine on another machine meets the environment first when it claims the step."""
    make_wheel(wheels, "only", "1.0", "changed = True\n")
    run = flows.recorded(opened, flow())
    drive(opened, [run.id])
    assert "Hash mismatch" in failure(opened, run, "inside")
    pin(opened.root, wheels, "3.0")
    run = flows.recorded(opened, flow())
    drive(opened, [run.id])
    assert value(opened, run, "last") == "3.0"


@pytest.mark.parametrize(
    ("environment", "fault"),
    [("envs/none", "the environment 'envs/none' is not in the project"),
     ("flow.py", "is not in the project"), ("envs", "there is no lock in it")],
)  # fmt: skip
def test_a_bad_environment_is_refused_by_the_plan(
    opened: Project, environment: str, fault: str
) -> None:
    if environment == "flow.py":
        environment = "renv.lock"
    with pytest.raises(DefinitionError, match=fault):
        flows.plan(opened, flows.pipeline(inside(environment)))


def test_gc_removes_what_no_run_is_in(opened: Project, wheels: Path) -> None:
    first = flows.run(opened, flow())
    pin(opened.root, wheels, "2.0")
    flows.run(opened, flow())
    folder = opened.home / "environments"
    (folder / ".killed-x").mkdir()
    with opened.store.write([first.id]) as tx:
        tx.delete_run(first.id)
    built = {path.name for path in folder.glob("requirements-*")}
    assert len(built) == 2
    collect(opened, Policy(), dry_run=False, grace=-1)
    left = {path.name for path in folder.iterdir() if not path.name.endswith(".lock")}
    assert len(left) == 1
    assert left < built


def test_a_python_step_is_not_in_r(opened: Project) -> None:
    flows.write(opened.root, '{"R": {"Version": "4.2.2"}, "Packages": {}}', "renv.lock")
    with pytest.raises(DefinitionError, match=r"'renv\.lock' is for commands in R"):
        flows.plan(opened, flows.pipeline(inside("renv.lock")))


def test_an_environment_is_built_from_a_run(opened: Project) -> None:
    run = flows.run(opened, flow())
    found = environment_of(opened, run)
    assert found.lock is not None
    assert build(opened, found).is_file()
    with pytest.raises(NotFoundError, match="was not recorded"):
        environment_of(opened, Run(**{f: getattr(run, f) for f in run.__struct_fields__}
                                   | {"environment": None}))  # fmt: skip
