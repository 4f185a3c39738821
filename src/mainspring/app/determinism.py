"""`doctor determinism`: every step of a run twice, and once with one thread; whose bytes differ.

The two executions differ in their process, in string hashes and in the order in which steps are
started. Unlike `verify`, nothing is compared with what is on record.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable

from mainspring.app.differing import Known
from mainspring.app.project import Project
from mainspring.app.recorded import Recorded, RecordedRun
from mainspring.app.suspects import Inquiry
from mainspring.app.trials import Trials, made_text
from mainspring.app.verdict_views import DeterminismView, StepView
from mainspring.records.canonical import digest_of
from mainspring.records.runs import Outcome, Run
from mainspring.records.status import TASK_HAS_OUTPUTS
from mainspring.records.surroundings import HASH_SEED, Surroundings

LISTED = 20
"""Steps whose causes are looked for; all that differ are named."""


def check_determinism(
    project: Project, run: Run, *, times: int, say: Callable[[str], None]
) -> DeterminismView:
    """Execute every task of a run under several conditions; say which differ, and why.

    Tasks whose inputs are gone, that failed, or that look at the world outside are left out.
    """
    recorded = RecordedRun(project, run)
    trials = Trials(project, recorded, None)
    tasks = [task for task in recorded.tasks() if _fits(task)]
    other = Surroundings(hash_seed=HASH_SEED + 1 + secrets.randbelow(2**31))

    def execute(name: str, order: list[Recorded], conditions: Surroundings) -> dict[str, Outcome]:
        say(f"{name}: {len(order)} tasks")
        change = {"threads": 1} if conditions.single else {}
        made = trials.execute(order, conditions, change=change)
        return {task.task.path: outcome for task, outcome in made}

    usual = execute("first", tasks, Surroundings())
    shuffled = sorted(tasks, key=lambda task: digest_of([other.hash_seed, task.task.path]))
    again = execute("again, shuffled, with other string hashes", shuffled, other)
    single = execute("with one thread", tasks, Surroundings(single=True))
    steps: list[StepView] = []
    for task in tasks:
        path = task.task.path
        results = [made_text(found[path]) for found in (usual, again, single)]
        if len(set(results)) == 1:
            continue
        suspects = ()
        if len(steps) < LISTED and times:
            task.outputs = usual[path].outputs
            inquiry = Inquiry(
                trials, task, again[path], other, times=times, known=Known(), told=say
            )
            suspects = inquiry.suspects()
        differs, by_threads = results[0] != results[1], results[0] != results[2]
        steps.append(
            StepView(path=path, differs=differs, with_threads=by_threads, suspects=suspects)
        )
    return DeterminismView(run=run.id, tasks=len(tasks), steps=steps)


def _fits(task: Recorded) -> bool:
    return (
        task.task.status in TASK_HAS_OUTPUTS
        and task.keyed is not None
        and task.options.cache is True
    )
