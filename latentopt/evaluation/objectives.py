"""Objectives of their specs, kinds, objects and functions: what they are, made and checked."""

from collections.abc import Iterable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

from pydantic import Field

from latentopt.errors import ConfigError, Problem
from latentopt.evaluation.objective import FitsImages, Objective, wrapped
from latentopt.settings.kinds import ROOT, as_spec
from latentopt.settings.spec import build, import_target, spec_of
from objectives.settings import Settings

BUILT_IN_UNITS = MappingProxyType({"distance_from_data": "1"})  # recorded for every trial


class ImportedObjective(Settings):
    """Spec of an objective of the user's own: ``{kind: import, target: "package.module:name"}``."""

    kind: str = "import"
    target: str = Field(
        pattern=r"^[\w.]+:[\w.]+$",
        description="Class, function or object of the objective, as package.module:name.",
    )
    options: dict[str, Any] = Field(
        {}, description="Keyword arguments of the class or function, by name."
    )
    path: str | None = Field(
        None,
        description="Folder that the module is imported from. null takes the settings file's "
        "folder if the module is there, else the working folder or what is installed.",
    )

    def build(self, where: str) -> Objective:
        """The object itself, a class made with the options, or a function given them."""
        found = import_target(self.target, where, self.path)
        if isinstance(found, type):
            try:
                found = found(**self.options)
            except (TypeError, ValueError) as error:
                text = " ".join(str(error).split())
                raise ConfigError(
                    f"{self.target} does not take these options: {text}", at=where
                ) from None
        elif self.options:
            found = partial(found, **self.options)
        return as_objective(found, where)


def as_objective(found: Any, where: str) -> Objective:
    """The object if it is an objective, what it names if imported, or a function wrapped as one."""
    if isinstance(found, ImportedObjective):
        return found.build(where)
    if not callable(found):
        raise ConfigError(
            f"an objective should be callable with images, got {type(found).__name__}; "
            "give a function of images or an object of objectives.OBJECTIVES.",
            at=where,
        )
    return wrapped(found)


def resolve_objective(item: Any, setting: str) -> tuple[Objective, dict[str, Any]]:
    """An objective, and its complete spec, of a spec, a kind, an object or a function.

    Raises
    ------
    ConfigError
        Each line begins with the setting.
    """
    part = item
    if isinstance(item, str | Mapping):
        part = _build(as_spec(item), setting)
    return as_objective(part, setting), spec_of(part)


def resolve_objectives(
    items: Iterable[Any], setting: str = f"{ROOT}.evaluate"
) -> tuple[tuple[Objective, ...], tuple[dict, ...]]:
    """Objectives, and their complete specs, of any mix of specs, kinds, objects and functions.

    Raises
    ------
    ConfigError
        Lists the problems of all of them, one a line that begins with the setting.
    """
    objectives, specs = [], []
    problems: list[Problem] = []
    for i, item in enumerate(items):
        try:
            objective, spec = resolve_objective(item, f"{setting}[{i}]")
        except ConfigError as error:
            problems += error.problems
        else:
            objectives.append(objective)
            specs.append(spec)
    if problems:
        raise ConfigError(problems)
    return tuple(objectives), tuple(specs)


def properties_of(objective: Objective) -> tuple[str, ...]:
    """Names of the values that are properties of the images, and no errors of others."""
    errors = getattr(objective, "errors", ())
    return tuple(name for name in objective.units if name not in errors)


def fit_objective(
    objective: Objective, spec: Mapping[str, Any], shape: tuple[int, ...], setting: str
) -> tuple[Objective, dict[str, Any]]:
    """An objective for images of shape (c, *space), and its spec, which then tells all settings.

    Raises
    ------
    ConfigError
        It can never evaluate such images.
    """
    if not isinstance(objective, FitsImages):
        return objective, dict(spec)
    try:
        fitted = objective.for_images(shape)
    except ValueError as error:
        raise ConfigError(str(error), at=setting) from None
    return fitted, dict(spec) if spec["kind"] == "python" else spec_of(fitted)


def fit_objectives(
    objectives: Iterable[Objective],
    specs: Iterable[Mapping[str, Any]],
    shape: tuple[int, ...],
    setting: str = f"{ROOT}.evaluate",
) -> tuple[tuple[Objective, ...], tuple[dict, ...]]:
    """Objectives for images of shape (c, *space), and their specs, which then tell all settings.

    Raises
    ------
    ConfigError
        Lists those that can never evaluate such images, one a line.
    """
    fitted, complete = [], []
    problems: list[Problem] = []
    for i, (objective, spec) in enumerate(zip(objectives, specs, strict=True)):
        try:
            objective, spec = fit_objective(objective, spec, shape, f"{setting}[{i}]")
        except ConfigError as error:
            problems += error.problems
        fitted.append(objective)
        complete.append(dict(spec))
    if problems:
        raise ConfigError(problems)
    return tuple(fitted), tuple(complete)


def build_objectives(items: Iterable[Any]) -> tuple[Objective, ...]:
    """Objectives of their specs, as `resolve_objectives` makes them."""
    return resolve_objectives(items)[0]


def _build(spec: Mapping[str, Any], setting: str) -> Any:
    """The objective of a spec; one of the user's own is built without loading those of ours."""
    if spec.get("kind") == "import":
        return build(spec, {"import": ImportedObjective}, setting)
    from objectives.registry import OBJECTIVES

    table = {**OBJECTIVES, "import": ImportedObjective}
    return build(_with_reader(spec), table, setting)


def _with_reader(spec: Mapping[str, Any]) -> Mapping[str, Any]:
    """The spec with what no file of settings can hold: what reads the file of a target."""
    if spec.get("kind") != "two_point_target" or spec.get("reader") is not None:
        return spec  # a reader in a spec is refused as any wrong value
    from generative.data.structure_files import StructureFiles

    return {**spec, "reader": StructureFiles()}
