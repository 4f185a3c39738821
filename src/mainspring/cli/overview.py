"""What `mainspring --help` says: a table of the verbs, so that it costs no import of them."""

from __future__ import annotations

GROUPS: dict[str, dict[str, str]] = {
    "Start": {
        "init": "make a project here: settings and a pipeline that runs",
        "plan": "say what a run would do now, and why",
        "run": "run a pipeline; what nothing has changed is reused",
        "notebook": "execute one notebook with parameters",
        "engine": "work on the runs that are on record, with other engines",
    },
    "Go on": {
        "resume": "go on with a run that was interrupted, paused or failed",
        "pause": "let the tasks at work end, and start no more",
        "cancel": "stop a run for good",
        "rerun": "run a recorded run again, with changes if wanted",
    },
    "Look": {
        "runs": "list runs, or find some by metrics, parameters, tags",
        "show": "show a run or one of its tasks",
        "logs": "print what steps have printed",
        "why": "say why a task ran, or why it was reused",
        "diff": "show in what two runs differ",
        "lineage": "show from what an artifact was made, and what from it",
        "tag": "put tags on a run, to find it by",
        "note": "write something about a run",
        "artifacts": "list, preview and copy out what tasks have made",
    },
    "Keep data": {
        "data": "keep versions of datasets, compare them, get them back",
        "environment": "show what a run ran in; write its lock, build it",
    },
    "Share": {
        "export": "write a run as one file that others can check and run again",
        "import": "put a run of somebody else on record, once it is checked",
        "keys": "make keys to sign with, and say whose capsules you trust",
    },
    "Keep in order": {
        "gc": "delete what no run refers to",
        "store": "check, migrate or copy the project's records",
        "doctor": "check Python, the machine and the project's store",
    },
}

VERBS: dict[str, str] = {verb: text for verbs in GROUPS.values() for verb, text in verbs.items()}

USAGE = "Usage: mainspring [OPTIONS] VERB [ARGUMENTS]..."

OPTIONS = {
    "-C, --project DIR": "the project, or a directory in it (default: here)",
    "--json": "print a JSON object instead of text (see `VERB --help`)",
    "--no-color": "no colours; so does the environment variable NO_COLOR",
    "--version": "print the version",
    "--help": "print this, or with a verb what it does",
}

EXITS = "Exit status: 0 done, 1 a task failed, 2 wrong use, 3 waiting or paused, 130 interrupted."


def text() -> str:
    """The whole page."""
    lines = [
        USAGE,
        "",
        "Pipelines whose every result is recorded, and reused when nothing changed.",
    ]
    for title, verbs in GROUPS.items():
        lines += ["", f"{title}:", *(f"  {verb:<11}{about}" for verb, about in verbs.items())]
    lines += ["", "Options:", *(f"  {name:<20}{about}" for name, about in OPTIONS.items())]
    return "\n".join([*lines, "", EXITS])
