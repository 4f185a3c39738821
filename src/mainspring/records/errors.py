"""The errors a user can meet: each says what is wrong, where, and what to do about it."""

from __future__ import annotations


class MainspringError(Exception):
    """Base of every error raised on purpose; the CLI prints it without a traceback.

    `where` is a `file:line` or a field path, `hint` the next thing to try. `exit_code` is the
    documented process exit status (see docs/reference/cli.md).
    """

    exit_code = 2

    def __init__(self, what: str, *, where: str | None = None, hint: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text}\n  hint: {self.hint}" if self.hint else text


class ProjectError(MainspringError):
    """The project directory, `mainspring.toml` or a setting is missing or wrong."""


class DefinitionError(MainspringError):
    """A pipeline, step, expression or YAML file is wrong; found before anything runs."""


class ParameterError(DefinitionError):
    """A parameter given for a run is unknown, missing or of the wrong type."""


class SearchError(MainspringError):
    """A condition by which runs are to be found, or their order, can't be understood."""


class SerializationError(MainspringError):
    """A value can't be written or read in the format that its type asks for."""


class StoreError(MainspringError):
    """The metadata store can't be opened, read or written."""


class StoreUnavailableError(StoreError):
    """The store went away in the middle of a change (connection lost, restarted, deadlocked).

    The change was undone, or its fate is not known; to read what is recorded and try again is
    right."""


class BlobError(StoreError):
    """A blob is missing, can't be written, or can't be read."""


class CorruptBlobError(BlobError):
    """A blob's bytes do not have the digest that names it."""


class NotFoundError(MainspringError):
    """A run, task, artifact or name does not exist."""


class ConflictError(MainspringError):
    """The request does not fit the present state (for example, resuming a finished run)."""


class ExecutionError(MainspringError):
    """An executor can't do what was asked of it (no worker can be started, for example)."""


class EnvironmentBuildError(MainspringError):
    """An environment can't be made from its lock, or a step can't be run in it."""


class RunFailedError(MainspringError):
    """A result was asked of a run that did not succeed."""

    exit_code = 1
