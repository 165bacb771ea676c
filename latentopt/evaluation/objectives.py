"""Objectives of their specs, kinds, objects and functions: what they are, made and checked."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import Any, Protocol, TypeGuard, runtime_checkable

from jaxtyping import Float
from pydantic import BaseModel, Field
from torch import Tensor

from generative.data.structure_files import StructureFiles
from latentopt.errors import ConfigError, Problem
from latentopt.settings.kinds import ROOT, as_spec
from latentopt.settings.spec import build, import_target, spec_of
from objectives.grid import Grid, takes_grid
from objectives.registry import OBJECTIVES
from objectives.settings import Settings

BUILT_IN_UNITS = MappingProxyType({"distance_from_data": "1"})  # recorded for every trial


# One float64 value for each image; of one image also a number, or one with its standard error.
Values = Float[Tensor, " n"] | float | tuple[float, float | None]


@runtime_checkable
class Objective(Protocol):
    """Images to named values with units; `GridObjective` where they depend on the grid."""

    @property
    def units(self) -> Mapping[str, str]:
        """Name of each value this objective returns, and its unit ("1" where it has none)."""
        ...

    def __call__(self, images: Float[Tensor, "n c *space"]) -> Mapping[str, Values]:
        """One value a row for every name in `units`, as `Values` says."""
        ...


@runtime_checkable
class GridObjective(Protocol):
    """An objective that is given the grid of its campaign, by a parameter of the name ``grid``."""

    @property
    def units(self) -> Mapping[str, str]:
        """Name of each value this objective returns, and its unit ("1" where it has none)."""
        ...

    def __call__(self, images: Float[Tensor, "n c *space"], *, grid: Grid) -> Mapping[str, Values]:
        """One value a row for every name in `units`; the grid tells what a voxel measures."""
        ...


def is_grid_objective(objective: Objective | GridObjective) -> TypeGuard[GridObjective]:
    """Whether an objective has a parameter ``grid``, which may have a default."""
    return takes_grid(objective)


@runtime_checkable
class FitsImages(Protocol):
    """An objective with settings that depend on the images it is for."""

    def for_images(self, shape: tuple[int, ...]) -> Objective:
        """The objective for images of shape (c, *space); a ``ValueError`` if it fits none such."""
        ...


@runtime_checkable
class SaysBoundary(Protocol):
    """An objective whose values hold under a boundary condition."""

    def boundary(self, grid: Grid) -> str:
        """Name of the condition on a grid: ``periodic``, ``mirrored``, ``open``."""
        ...


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


@dataclass(frozen=True)
class FunctionObjective:
    """A plain function of images as an objective whose names and units are not known beforehand."""

    function: Callable[..., Mapping[str, Any]]
    units: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, images: Any, grid: Grid | None = None) -> Mapping[str, Any]:
        """What the function returns; it is given the grid where it has such a parameter."""
        return (
            self.function(images, grid=grid) if takes_grid(self.function) else self.function(images)
        )


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
    return found if isinstance(found, Objective) else FunctionObjective(found)


def resolve_objective(item: Any, setting: str) -> tuple[Objective, dict[str, Any]]:
    """An objective, and its complete spec, of a spec, a kind, an object or a function.

    Raises
    ------
    ConfigError
        Each line begins with the setting.
    """
    part = item
    if isinstance(item, str | Mapping):
        part = build(_with_reader(as_spec(item)), _objectives(), setting)
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


def _with_reader(spec: Mapping[str, Any]) -> Mapping[str, Any]:
    """The spec with what no file of settings can hold: what reads the file of a target."""
    if spec.get("kind") != "two_point_target" or spec.get("reader") is not None:
        return spec  # a reader in a spec is refused as any wrong value
    return {**spec, "reader": StructureFiles()}


def _objectives() -> dict[str, type[BaseModel]]:
    return {**OBJECTIVES, "import": ImportedObjective}
