"""What commands print with `--json`: versioned records, published as JSON Schemas.

Times are seconds since the epoch, durations seconds, sizes bytes. A field may be added without a
new version; one that goes, or changes what it means, makes a new one.
"""

from __future__ import annotations

from typing import Any

import msgspec

from mainspring.records.artifacts import ArtifactRef
from mainspring.records.environments import Environment
from mainspring.records.imports import Import
from mainspring.records.metrics import Medium
from mainspring.records.runs import Attempt, TaskError, Verdict
from mainspring.records.sources import Source
from mainspring.records.verdicts import Exactness, Verification


class View(msgspec.Struct, frozen=True, kw_only=True):
    """Base of them all."""


class RunView(View, frozen=True, kw_only=True):
    """A run. `spec`, `snapshot` and `environment` are digests; `seconds` counts up while it runs.

    `working` says whether a live engine works on it: a run that is `running` but not working was
    interrupted, and `resume` goes on with it. `metrics` are their last values (null for "not a
    number"), `data` the versions that names of data stood for, both as conditions see them;
    `sources` all that datasets and models of the pipeline stood for.
    `verified` is the last verdict on the whole run.
    """

    id: str
    pipeline: str
    status: str
    wish: str
    parameters: dict[str, Any]
    seed: int
    spec: str
    snapshot: str
    created: float
    started: float | None
    ended: float | None
    seconds: float | None
    parent: str | None
    reason: str | None
    working: bool = False
    metrics: dict[str, float | None] = {}
    data: dict[str, str] = {}
    tags: dict[str, str] = {}
    note: str | None = None
    sources: dict[str, Source] = {}
    environment: str | None = None
    verified: Exactness | None = None


class TaskView(View, frozen=True, kw_only=True):
    """A task. `children` counts the elements of a map, or the tasks of a repeat, by status."""

    path: str
    node: str
    kind: str
    status: str
    reason: str | None = None
    source: str | None = None
    started: float | None = None
    ended: float | None = None
    seconds: float | None = None
    attempts: int = 0
    total: int | None = None
    children: dict[str, int] = {}
    key: str | None = None
    error: TaskError | None = None


class ArtifactView(View, frozen=True, kw_only=True):
    """An output of a task; `data_only` is False for a pickle, `count` a list's length."""

    task: str
    output: str
    digest: str
    size: int
    format: str
    type: str
    data_only: bool
    count: int | None = None


class MetricView(View, frozen=True, kw_only=True):
    """A logged metric: its last value and how far it ranged; null stands for "not a number"."""

    task: str
    name: str
    last: float | None
    step: float | None
    count: int
    minimum: float | None
    maximum: float | None


class EdgeView(View, frozen=True, kw_only=True):
    """`task` can't begin before `after` is settled; with `guard`, before it has passed."""

    after: str
    task: str
    guard: bool = False


class DivergenceView(View, frozen=True, kw_only=True):
    """A result that differed from an earlier one of the same key."""

    task: str
    output: str
    source: str


class EngineView(View, frozen=True, kw_only=True):
    """`mainspring engine`: the runs that came to rest while it worked, with their statuses."""

    runs: dict[str, str]
    format: str = "mainspring.engine/1"


class RunsView(View, frozen=True, kw_only=True):
    """`mainspring runs`: newest first."""

    runs: list[RunView]
    format: str = "mainspring.runs/1"


class RunDetail(View, frozen=True, kw_only=True):
    """`mainspring show RUN`. Elements of maps are counted in their map; failed ones are listed.

    `cut` names the lists that go on beyond what is here: at most 100 of `failed`, and 1,000 of
    `metrics`, `media` and `divergences`. `imported` says where a run that was made elsewhere came
    from. `verifications` are the last 20.
    """

    run: RunView
    counts: dict[str, int]
    tasks: list[TaskView]
    failed: list[TaskView]
    edges: list[EdgeView]
    checkpoints: list[Verdict]
    metrics: list[MetricView]
    artifacts: list[ArtifactView]
    media: list[Medium]
    divergences: list[DivergenceView]
    verifications: list[Verification] = []
    cut: list[str] = []
    imported: Import | None = None
    format: str = "mainspring.run/1"


class TaskDetail(View, frozen=True, kw_only=True):
    """`mainspring show RUN TASK`. `inputs` are digest and short text by name; `log` is a file.

    `children` are at most `--limit`: of a map, elements from number `--first` on, or else some
    that failed and then the first. `task.children` counts them all.
    """

    run: str
    task: TaskView
    attempts: list[Attempt]
    inputs: dict[str, tuple[str, str]]
    artifacts: list[ArtifactView]
    children: list[TaskView]
    metrics: list[MetricView]
    media: list[Medium]
    checkpoints: list[Verdict]
    log: str | None
    format: str = "mainspring.task/1"


class WhyView(View, frozen=True, kw_only=True):
    """`mainspring why`. `reason` was recorded when it was decided; `differences` are between the
    task's key and that of `compared`, the task at this path that had a key before it.
    """

    run: str
    task: str
    status: str
    reason: str | None
    source: str | None = None
    compared: str | None = None
    differences: list[str] = []
    inputs: dict[str, tuple[str, str]] = {}
    because: list[TaskView] = []
    children: dict[str, int] = {}
    format: str = "mainspring.why/1"


class ChangeView(View, frozen=True, kw_only=True):
    """A parameter or package in which two runs differ. `how` is added, removed or changed."""

    name: str
    how: str
    before: Any = None
    after: Any = None


class FileDiffView(View, frozen=True, kw_only=True):
    """A source file in which two runs differ; `diff` is unified, null where that can't be made."""

    path: str
    how: str
    diff: str | None


class TaskDiffView(View, frozen=True, kw_only=True):
    """A task that ended differently, or whose key differs: `differences` says in what."""

    path: str
    how: str
    before: str | None
    after: str | None
    differences: list[str]


class MetricDiffView(View, frozen=True, kw_only=True):
    """A metric's last values."""

    task: str
    name: str
    how: str
    before: float | None
    after: float | None


class ArtifactDiffView(View, frozen=True, kw_only=True):
    """The digests of an output that is not the same."""

    task: str
    output: str
    how: str
    before: str | None
    after: str | None


class DiffView(View, frozen=True, kw_only=True):
    """`mainspring diff`: each list names what differs, `sources` of datasets and models the
    versions (and digests). `cut` names lists of which only the first 1,000 are here."""

    before: RunView
    after: RunView
    parameters: list[ChangeView]
    source: list[FileDiffView]
    environment: list[ChangeView]
    tasks: list[TaskDiffView]
    metrics: list[MetricDiffView]
    artifacts: list[ArtifactDiffView]
    cut: list[str] = []
    sources: list[ChangeView] = []
    format: str = "mainspring.diff/1"

    @property
    def differ(self) -> bool:
        """Whether anything does."""
        lists = (self.parameters, self.source, self.environment, self.tasks, self.metrics)
        more = self.artifacts or self.sources
        return any(lists) or bool(more) or self.before.seed != self.after.seed


class ArtifactsView(View, frozen=True, kw_only=True):
    """`mainspring artifacts list`."""

    run: str
    artifacts: list[ArtifactView]
    format: str = "mainspring.artifacts/1"


class PreviewView(View, frozen=True, kw_only=True):
    """`mainspring artifacts open`."""

    run: str
    artifact: ArtifactView
    preview: str
    format: str = "mainspring.preview/1"


class WrittenView(View, frozen=True, kw_only=True):
    """`mainspring artifacts get`, `mainspring init`: what was written."""

    paths: list[str]
    format: str = "mainspring.written/1"


class ResultView(View, frozen=True, kw_only=True):
    """`run`, `resume`, `rerun`, `cancel`, `pause`: what the run came to."""

    run: RunView
    counts: dict[str, int]
    failed: list[TaskView]
    exit_code: int
    format: str = "mainspring.result/1"


class LogLine(View, frozen=True, kw_only=True):
    """`mainspring logs --json`: one such object on each line."""

    run: str
    task: str
    attempt: str
    number: int
    text: str
    format: str = "mainspring.log/1"


class Waste(View, frozen=True, kw_only=True):
    """Something that `gc` deletes: a run, blob, snapshot, attempt, container or
    temporary file."""

    kind: str
    name: str
    size: int
    reason: str


class WasteView(View, frozen=True, kw_only=True):
    """`mainspring gc`: what was deleted, or with `--dry-run` would be.

    `count` things of `size` bytes, of which at most 1,000 are listed; `cut` is then ["items"].
    `left` are containers whose engine could not be reached.
    """

    deleted: bool
    items: list[Waste]
    count: int
    size: int
    cut: list[str] = []
    left: list[str] = []
    format: str = "mainspring.gc/1"


class Check(View, frozen=True, kw_only=True):
    """One thing that `doctor` looked at; `status` is "ok", "warn" or "fail"."""

    name: str
    status: str
    text: str
    hint: str | None = None


class EnvironmentView(View, frozen=True, kw_only=True):
    """`mainspring environment`: what a run's steps ran in (its blob is `digest`), and of each lock
    that was built, by its path in the project, the Python (for R, the library) of the environment.
    """

    run: str | None
    digest: str | None = None
    environment: Environment | None = None
    built: dict[str, str] = {}
    format: str = "mainspring.environments/1"


class StoreView(View, frozen=True, kw_only=True):
    """`mainspring store`: where the store is, its format's number, what is wrong with it, and,
    after a copy, how many rows each of its tables has."""

    place: str
    version: int
    faults: list[str]
    rows: dict[str, int] = {}
    format: str = "mainspring.store/1"


class ValuesView(View, frozen=True, kw_only=True):
    """`mainspring store claim` and `copy-values`: where the values are; after a copy, how many
    were copied, their bytes, and how many were there before."""

    place: str
    copied: int = 0
    size: int = 0
    present: int = 0
    format: str = "mainspring.values/1"


class DoctorView(View, frozen=True, kw_only=True):
    """`mainspring doctor`; `status` is the worst of its checks."""

    status: str
    checks: list[Check]
    format: str = "mainspring.doctor/1"


def artifact_view(task: str, output: str, ref: ArtifactRef) -> ArtifactView:
    """Return an artifact as it is shown."""
    return ArtifactView(
        task=task,
        output=output,
        digest=ref.digest,
        size=ref.size,
        format=ref.format,
        type=ref.type,
        data_only=ref.data_only,
        count=ref.count,
    )
