"""Finding a project's pipelines, importing them, and checking the parameters of a run."""

from __future__ import annotations

import ast
import difflib
import importlib
import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

import msgspec

from mainspring.app.project import Project
from mainspring.definition import types
from mainspring.definition.assignability import has_odd_float
from mainspring.definition.literals import plain
from mainspring.definition.locations import of_error, set_root
from mainspring.definition.pipeline import Pipeline
from mainspring.definition.sources import Sourced
from mainspring.planning.sources import type_members
from mainspring.records.errors import DefinitionError, MainspringError, ParameterError, ProjectError
from mainspring.records.spec import PipelineSpec

YAML = (".yaml", ".yml")


def load_pipeline(project: Project, target: str | None, directory: Path) -> PipelineSpec:
    """Return the spec of a pipeline: by its name, `module:name`, or YAML file.

    `directory` holds the source to import from (a materialised snapshot); `target` None means the
    project's first pipeline. Raises ProjectError or DefinitionError.
    """
    set_root(directory)
    listed = project.settings.project.pipelines
    if target is None:
        if not listed:
            raise ProjectError(
                "the project lists no pipeline",
                where="mainspring.toml",
                hint='[project]\n  pipelines = ["pipeline:name"]',
            )
        target = listed[0]
    elif not (":" in target or target.endswith(YAML)):
        target = _by_name(target, listed)
    try:
        return _from_yaml(target, directory) if target.endswith(YAML) else _from_module(target)
    except MainspringError:
        raise
    except (Exception, SystemExit) as error:
        where = of_error(error)
        if where is None:  # the fault is ours
            raise
        raise DefinitionError(f"the pipeline can't be built: {_said(error)}", where=where) from None


def pipeline_names(project: Project) -> list[str]:
    """Return the names under which the project's pipelines can be run."""
    return [_name_of(target) for target in project.settings.project.pipelines]


def _name_of(target: str) -> str:
    return Path(target).stem if target.endswith(YAML) else target.rpartition(":")[2]


def _by_name(name: str, listed: Iterable[str]) -> str:
    known = {_name_of(target): target for target in listed}
    if name not in known:
        near = difflib.get_close_matches(name, known, 1)
        listing = "list it in mainspring.toml, [project] pipelines"
        hint = f"did you mean {near[0]!r}?" if near else listing
        raise ProjectError(f"there is no pipeline {name!r}", hint=hint)
    return known[name]


def _from_yaml(target: str, directory: Path) -> PipelineSpec:
    if "\0" in target or len(target) > 1_000:
        raise ProjectError(f"{target[:60]!r} is no file's name")
    path = (directory / target).resolve()
    if not path.is_relative_to(directory.resolve()):
        raise ProjectError(f"{target} lies outside of the project")
    if not path.is_file():
        raise ProjectError(f"there is no file {target} in the project")
    from mainspring.definition import yaml

    return yaml.load(path)


def _from_module(target: str) -> PipelineSpec:
    module_name, _, name = target.partition(":")
    module = import_module(module_name)
    found = getattr(module, name, None)
    if isinstance(found, Pipeline):
        return cast("Pipeline[..., Any]", found).spec
    members = cast("dict[str, object]", vars(module))
    pipelines = [key for key, value in members.items() if isinstance(value, Pipeline)]
    near = difflib.get_close_matches(name, pipelines, 1)
    there = f"there is {', '.join(pipelines)}" if pipelines else "it has no @pipeline function"
    hint = f"did you mean {near[0]!r}?" if near else there
    raise ProjectError(f"module {module_name!r} has no pipeline {name!r}", hint=hint)


def import_module(name: str) -> Any:
    """Import a project's module; a fault in it becomes a DefinitionError with file:line."""
    if not all(part.isidentifier() for part in name.split(".")):
        raise ProjectError(
            f"{name!r} is no module's name", hint="write a pipeline as module:name or FILE.yaml"
        )
    sys.dont_write_bytecode = True
    before, _ = Pipeline.runner, Pipeline.forbid_runs("the project's modules were being imported")
    try:
        return importlib.import_module(name)
    except MainspringError:
        raise
    except ModuleNotFoundError as error:
        if error.name is not None and f"{name}.".startswith(f"{error.name}."):
            raise ProjectError(f"there is no module {name!r} in the project") from None
        raise _import_fault(name, error) from None
    except (Exception, SystemExit) as error:
        raise _import_fault(name, error) from None
    finally:
        Pipeline.runner, Sourced.forbidden = before, ""


def _import_fault(name: str, error: BaseException) -> DefinitionError:
    hint = None
    if isinstance(error, ModuleNotFoundError):
        hint = "is it a file of the project that is not there, or a package to be installed?"
    return DefinitionError(
        f"importing {name} failed: {_said(error)}", where=of_error(error), hint=hint
    )


def _said(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return f"it calls sys.exit({'' if error.code is None else repr(error.code)})"
    return f"{type(error).__name__}: {error}"


def check_parameters(spec: PipelineSpec, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return complete parameters: defaults filled in, values checked against their types.

    A text is read as the parameter's type asks (`"0.5"` for a float, `"[1, 2]"` for a list).
    Raises ParameterError.
    """
    for name in given:
        if name not in spec.parameters:
            near = difflib.get_close_matches(name, spec.parameters, 1)
            known = ", ".join(spec.parameters) or "none"
            hint = f"did you mean {near[0]!r}?" if near else f"there is {known}"
            raise ParameterError(f"{spec.name} has no parameter {name!r}", hint=hint)
    values: dict[str, Any] = {}
    for name, parameter in spec.parameters.items():
        if name in given:
            values[name] = _checked(name, parameter.type, given[name])
        elif parameter.default is msgspec.UNSET:
            raise ParameterError(
                f"{spec.name} needs a value for parameter {name!r} ({parameter.type})",
                hint=f"give it with -p {name}=VALUE",
            )
        else:
            values[name] = parameter.default
    return values


_SIMPLE: dict[str, Any] = {
    "int": int, "float": float, "bool": bool, "str": str, "list": list, "dict": dict,
    "list[int]": list[int], "list[float]": list[float], "list[str]": list[str],
    "list[bool]": list[bool], "dict[str, float]": dict[str, float],
    "dict[str, int]": dict[str, int], "dict[str, str]": dict[str, str],
}  # fmt: skip


def _checked(name: str, kind: str, value: Any) -> Any:
    try:
        found = plain(_fitted(name, kind, plain(value)))
    except ParameterError:
        raise
    except DefinitionError as error:
        raise ParameterError(f"parameter {name!r}: {error.what}") from None
    if has_odd_float(found):
        raise ParameterError(
            f"parameter {name!r} is {value!r}, for which JSON has no word",
            hint="leave it out, or say it with another type (None, text)",
        )
    return found


def _fitted(name: str, kind: str, value: Any) -> Any:
    options = type_members(kind)
    for option in options:
        try:
            return _as_type(option, value)
        except (ValueError, msgspec.ValidationError):
            continue
    raise ParameterError(
        f"parameter {name!r} is {value!r}, which is no {kind}",
        hint=f"give a value like {_like(options[0])}",
    )


def _as_type(kind: str, value: Any) -> Any:
    if kind in ("any", "Any"):
        return _loose(value) if isinstance(value, str) else value
    if kind in ("None", "NoneType"):
        if value is None or value in ("null", "none", "None"):
            return None
        raise ValueError(value)
    if kind.startswith("Literal["):
        return _choice(kind, value)
    wanted = str if kind == "pathlib.Path" else _SIMPLE.get(kind)
    if wanted is None:
        return _as_container(kind, value)
    if isinstance(value, str) and wanted is not str:
        value = _from_text(wanted, value)
    if wanted is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return msgspec.convert(value, wanted)


def _as_container(kind: str, value: Any) -> Any:
    """A list, tuple or dict of anything, checked as far as its type can be; other types not."""
    base: Any = {"list": list, "tuple": list, "dict": dict}.get(kind.partition("[")[0])
    if base is None:
        return _loose(value) if isinstance(value, str) else value
    found = _json(value) if isinstance(value, str) else value
    try:
        return msgspec.to_builtins(msgspec.convert(found, types.read(kind)))
    except (TypeError, DefinitionError):  # a class of the project inside
        return msgspec.convert(found, base)


def _choice(kind: str, value: Any) -> Any:
    choices = ast.literal_eval(f"[{kind[len('Literal[') : -1]}]")
    for choice in choices:
        same = value == choice and isinstance(value, bool) == isinstance(choice, bool)
        if same or (isinstance(value, str) and value == str(choice)):
            return choice
    raise ValueError(value)


def _from_text(wanted: Any, text: str) -> Any:
    if wanted is bool:
        known = {"true": True, "false": False, "yes": True, "no": False, "1": True, "0": False}
        if text.lower() not in known:
            raise ValueError(text)
        return known[text.lower()]
    if wanted in (int, float):
        return wanted(text)
    return _json(text)


def _json(text: str) -> Any:
    """Read JSON. Raises ValueError, for what is nested too deeply too."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _loose(text: str) -> Any:
    try:
        return _json(text)
    except ValueError:
        return text


def _like(kind: str) -> str:
    examples = {
        "int": "3", "float": "0.5", "bool": "true", "str": "abc", "list": "[1, 2]",
        "tuple": "[1, 2]", "dict": '{"a": 1}',
    }  # fmt: skip
    return examples.get(kind.partition("[")[0], kind)
