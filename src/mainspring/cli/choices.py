"""Arguments and options that several verbs have, and how a shell completes them."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.shell_completion import CompletionItem

from mainspring.records.errors import MainspringError, ParameterError

if TYPE_CHECKING:
    from mainspring.app.project import Project

F = TypeVar("F", bound=Callable[..., Any])

NEWEST = 50
"""How many runs a shell is offered."""


def _found(context: click.Context) -> Project | None:
    """The project at hand, for completion: nothing is said where there is none."""
    from mainspring import settings
    from mainspring.app.project import Project

    start = context.params.get("project") or _parent_directory(context) or Path.cwd()
    try:
        return Project(settings.find_root(start))
    except MainspringError:
        return None


def _parent_directory(context: click.Context) -> Path | None:
    return getattr(context.obj, "directory", None)


def complete_run(
    context: click.Context, _: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Runs, newest first."""
    from mainspring.records.stores import RunFilter

    project = _found(context)
    if project is None:
        return []
    runs = project.store.read.runs(RunFilter(prefix=incomplete or None, limit=NEWEST))
    items = [CompletionItem(run.id, help=f"{run.pipeline} {run.status.value}") for run in runs]
    if "latest".startswith(incomplete):
        items.insert(0, CompletionItem("latest"))
    return items


def complete_pipeline(
    context: click.Context, _: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The pipelines that the settings list."""
    from mainspring.app.pipelines import pipeline_names

    project = _found(context)
    names = pipeline_names(project) if project else []
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def complete_task(
    context: click.Context, _: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The tasks of the run that was named before."""
    project = _found(context)
    if project is None:
        return []
    try:
        run = project.store.read.find_run(context.params.get("run") or "latest")
    except MainspringError:
        return []
    paths = [task.path for task in project.store.read.top_tasks(run.id)]
    return [CompletionItem(path) for path in paths if path.startswith(incomplete)]


def complete_dataset(
    context: click.Context, _: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The datasets; after an `@`, the versions of one."""
    project = _found(context)
    if project is None:
        return []
    name, at, _rest = incomplete.partition("@")
    read = project.store.read
    versions = read.dataset_versions(name)[::-1] if at else read.datasets()
    names = [version.name if at else version.dataset for version in versions]
    return [CompletionItem(text) for text in names if text.startswith(incomplete)]


def run_argument(name: str = "run", *, required: bool = True) -> Callable[[F], F]:
    """RUN: an id, its beginning, or `latest`."""
    # With a default, even None, click would not miss what is missing.
    default: dict[str, Any] = {} if required else {"default": "latest"}
    return click.argument(name, required=required, shell_complete=complete_run, **default)


def task_argument(function: F) -> F:
    """[TASK]: a task's path."""
    return click.argument("task", required=False, shell_complete=complete_task)(function)


def pipeline_argument(function: F) -> F:
    """[PIPELINE]: a name that the settings list, `module:name`, or a YAML file."""
    return click.argument("pipeline", required=False, shell_complete=complete_pipeline)(function)


def parameter_option(function: F) -> F:
    """-p name=value, any number of times."""
    return click.option(
        "-p",
        "--parameter",
        "parameters",
        metavar="NAME=VALUE",
        multiple=True,
        callback=_pairs,
        help="A parameter of the pipeline; may be given many times.",
    )(function)


def seed_option(function: F) -> F:
    """--seed N."""
    return click.option(
        "--seed", type=click.IntRange(0, 2**63 - 1), help="The run's seed (default: the project's)."
    )(function)


def force_option(function: F) -> F:
    """--force STEP."""
    return click.option(
        "--force",
        metavar="STEP",
        multiple=True,
        help="A step that is to run again even if nothing changed; may be given many times.",
    )(function)


def version_options(function: F) -> F:
    """--data NAME@VERSION and --model NAME@VERSION: passed on together, as `wanted`."""

    @wraps(function)
    def passing(*args: Any, data: tuple[str, ...], models: tuple[str, ...], **kwargs: Any) -> Any:
        from mainspring.records.sources import wanted_in

        wanted = {**wanted_in("dataset", data), **wanted_in("model", models)}
        return function(*args, wanted=wanted, **kwargs)

    found: Any = passing
    for option, name, word in (("--model", "models", "model"), ("--data", "data", "dataset")):
        said = f"The version of a {word} that the pipeline names without one; many times."
        found = click.option(option, name, metavar="NAME@VERSION", multiple=True, help=said)(found)
    return found


def quiet_option(function: F) -> F:
    """--quiet."""
    return click.option(
        "-q", "--quiet", is_flag=True, help="Print no progress, only how it ended."
    )(function)


def _pairs(_: click.Context, __: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    values: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise ParameterError(f"-p takes NAME=VALUE, not {text!r}", hint="for example -p c=0.5")
        values[name] = value
    return values
