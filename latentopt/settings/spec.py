"""The parts that a config names, made and checked: objectives, simulators, strategy and space."""

import os
import sys
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from latentopt.engines.engine import Engine
from latentopt.errors import CampaignError, ConfigError
from latentopt.goal import Goal, nearest
from latentopt.protocols import FitsImages, Objective, Simulator, Strategy
from latentopt.settings.campaign import ROOT, CampaignConfig, as_engine, as_spec, explain
from latentopt.space.embedded import EMBEDDED
from latentopt.space.latent_space import LatentSpace
from objectives.grid import Grid, takes_grid
from objectives.settings import Settings

__all__ = [
    "BUILT_IN_UNITS",
    "GIVEN_IN_PYTHON",
    "build_engine",
    "build_objectives",
    "build_simulators",
    "build_strategy",
    "check_goal",
    "fit_objectives",
    "fit_structure",
    "import_target",
    "load_space",
    "properties_of",
    "resolve_objectives",
    "resolve_simulators",
    "spec_of",
]

BUILT_IN_UNITS = MappingProxyType({"distance_from_data": "1"})  # recorded for every trial

GIVEN_IN_PYTHON = "given in Python"  # the space of a config, where no folder was named


class ImportedObjective(Settings):
    """Spec of an objective of the user's own: ``{kind: import, target: "package.module:name"}``."""

    kind: str = "import"
    target: str = Field(pattern=r"^[\w.]+:[\w.]+$", description="Where it is: package.module:name.")
    options: dict[str, Any] = Field({}, description="Keyword arguments of the class or function.")
    path: str | None = Field(
        None,
        description="Folder of the module; the settings file's own where it is there, and else "
        "the working folder or what is installed.",
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
                    f"{where}: {self.target} does not take these options: {text}"
                ) from None
        elif self.options:
            found = partial(found, **self.options)
        return as_objective(found, where)


def import_target(target: str, where: str, path: str | None = None) -> Any:
    """What ``package.module:name`` names: in the folder `path` or the working one, or installed.

    Raises
    ------
    ConfigError
        It begins with `where`, the setting that named the target.
    """
    module, _, name = target.partition(":")
    try:
        with _importing_from(path or os.getcwd()):
            found: Any = import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(
            f"{where}: {target} cannot be imported ({error}); put "
            f"{module.partition('.')[0]}.py beside the settings file or into the working folder, "
            "or install it."
        ) from None
    return found


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
            f"{where}: an objective should be callable with images, got {type(found).__name__}; "
            "give a function of images or an object of objectives.OBJECTIVES."
        )
    return found if isinstance(found, Objective) else FunctionObjective(found)


def spec_of(part: Any) -> dict[str, Any]:
    """Spec of a part given in Python; a name only, where it is the user's own."""
    if isinstance(part, BaseModel) and hasattr(part, "kind"):
        return part.model_dump(mode="json")
    named = part if hasattr(part, "__qualname__") else type(part)
    return {"kind": "python", "target": f"{named.__module__}:{named.__qualname__}"}


def resolve_objectives(
    items: Iterable[Any], setting: str = f"{ROOT}.evaluate"
) -> tuple[tuple[Objective, ...], tuple[dict, ...]]:
    """Objectives, and their complete specs, of any mix of specs, kinds, objects and functions.

    Raises
    ------
    ConfigError
        Lists the problems of all of them, one a line that begins with the setting.
    """
    objectives, specs, problems = [], [], []
    for i, item in enumerate(items):
        try:
            part = item
            if isinstance(item, str | Mapping):
                part = _build(as_spec(item), _objectives(), f"{setting}[{i}]")
            specs.append(spec_of(part))
            objectives.append(as_objective(part, f"{setting}[{i}]"))
        except ConfigError as error:
            problems.append(str(error))
    if problems:
        raise ConfigError("\n".join(problems))
    return tuple(objectives), tuple(specs)


def properties_of(objective: Objective) -> tuple[str, ...]:
    """Names of the values that are properties of the images, and no errors of others."""
    errors = getattr(objective, "errors", ())
    return tuple(name for name in objective.units if name not in errors)


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
    fitted, complete, problems = [], [], []
    for i, (objective, spec) in enumerate(zip(objectives, specs, strict=True)):
        if isinstance(objective, FitsImages):
            try:
                objective = objective.for_images(shape)
                spec = spec if spec["kind"] == "python" else spec_of(objective)
            except ValueError as error:
                problems.append(f"{setting}[{i}]: {error}")
        fitted.append(objective)
        complete.append(dict(spec))
    if problems:
        raise ConfigError("\n".join(problems))
    return tuple(fitted), tuple(complete)


def build_objectives(items: Iterable[Any]) -> tuple[Objective, ...]:
    """Objectives of their specs, as `resolve_objectives` makes them."""
    return resolve_objectives(items)[0]


def resolve_simulators(items: Iterable[Any]) -> tuple[tuple[Simulator, ...], tuple[dict, ...]]:
    """Simulators that can start, and their complete specs, of any mix of specs, objects, functions.

    Raises
    ------
    ConfigError
        Lists the problems of all of them, one a line: a wrong setting, a command that does not
        exist, a token that is not set, two of one name.
    """
    from latentopt.simulators import SIMULATORS

    simulators, specs, problems = [], [], []
    for i, item in enumerate(items):
        where = f"{ROOT}.simulate[{i}]"
        try:
            part = item
            if isinstance(item, str | Mapping):
                part = _build(as_spec(item), SIMULATORS, where)
            simulator = _as_simulator(part, where)
            if hasattr(simulator, "check"):
                simulator.check(where)
            if simulator.name in [other.name for other in simulators]:
                raise ConfigError(
                    f"{where}: another simulator is called {simulator.name}; give this one a label."
                )
            simulators.append(simulator)
            specs.append(spec_of(simulator))
        except ConfigError as error:
            problems.append(str(error))
    if problems:
        raise ConfigError("\n".join(problems))
    return tuple(simulators), tuple(specs)


def build_simulators(items: Iterable[Any]) -> tuple[Simulator, ...]:
    """Simulators of their specs, as `resolve_simulators` makes them."""
    return resolve_simulators(items)[0]


def _as_simulator(found: Any, where: str) -> Simulator:
    if isinstance(found, Simulator):
        return found
    if not callable(found):
        raise ConfigError(
            f"{where}: a simulator should be callable with a Microstructure, got "
            f"{type(found).__name__}; give a function or an object of latentopt.simulators."
        )
    from latentopt.simulators.python_function import PythonSimulator

    return PythonSimulator(target=found)


def _objectives() -> dict[str, type[BaseModel]]:
    from objectives import OBJECTIVES

    return {**OBJECTIVES, "import": ImportedObjective}


def build_strategy(item: Any) -> Strategy:
    """Strategy of its spec, kind or itself; a `ConfigError` lists what is wrong with it."""
    if not isinstance(item, str | Mapping):
        return item
    from latentopt.strategies import STRATEGIES

    return _build(as_spec(item), STRATEGIES, f"{ROOT}.strategy")


def build_engine(item: Any) -> Engine:
    """Engine of its spec, kind, executor or itself; a `ConfigError` lists what is wrong with it."""
    if isinstance(item, Executor):
        from latentopt.engines.given import GivenExecutor

        return GivenExecutor.of(item)
    if isinstance(item, Engine):
        return item
    from latentopt.engines import ENGINES

    return _build(as_engine(item), ENGINES, f"{ROOT}.engine")


def check_goal(goal: Goal, objectives: Iterable[Objective], strategy: Strategy) -> None:
    """Refuse a goal that these parts cannot serve, with a `ConfigError` of one line a problem.

    Functions without units keep their names to themselves until they are called; with one of them
    among the objectives, a metric that nobody promises is not a problem yet.
    """
    objectives = list(objectives)
    promised = [*BUILT_IN_UNITS, *(name for objective in objectives for name in objective.units)]
    problems = [
        f"{ROOT}.evaluate: metric {name!r} is returned twice; each needs a name of its own."
        for name in dict.fromkeys(promised)
        if promised.count(name) > 1
    ]
    if all(objective.units for objective in objectives):
        unknown = goal.unknown_metrics(promised)
        problems += [f"{ROOT}.objective or constraints: {problem}" for problem in unknown]
    if len(goal.objectives) > 1 and not getattr(strategy, "multi_objective", True):
        problems.append(
            f"{ROOT}.objective: strategy {strategy.kind} takes one objective, got "
            f"{len(goal.objectives)}; join them into one sum, or use strategy structure."
        )
    if problems:
        raise ConfigError("\n".join(problems))


def load_space(name: str) -> LatentSpace:
    """The space that a config names: an embedded one, or a folder."""
    if name == GIVEN_IN_PYTHON:
        raise CampaignError("the campaign's space was given in Python: give space=... again.")
    if name in EMBEDDED and Path(name).is_dir():
        raise ConfigError(
            f"{name}: names a space that comes with latentopt, and a folder here. Give ./{name} "
            "for the folder; for the other, work in another folder."
        )
    return LatentSpace.default(name) if name in EMBEDDED else LatentSpace.load(name)


def fit_structure(config: CampaignConfig, space: LatentSpace) -> CampaignConfig:
    """The config with a name for each phase of the space's structures.

    Names, sizes and a score that do not fit them are refused by a `ConfigError`.
    """
    from objectives import OBJECTIVES

    channels, *sides = space.image_shape
    sizes, names, phases = config.voxel_size_um, config.phase_names, max(channels, 2)
    problems = []
    if isinstance(sizes, tuple) and len(sizes) != len(sides):
        problems.append(
            f"{ROOT}.voxel_size_um: should be one number, or one for each axis of "
            f"{'x'.join(map(str, sides))} structures, got {len(sizes)}."
        )
    if names is not None and (len(names) != phases or len(set(names)) < phases):
        problems.append(f"{ROOT}.phase_names: should be {phases} different names, got {names}.")
    ours = [spec["kind"] for spec in config.evaluate if spec["kind"] in OBJECTIVES]
    if config.score == "decoded" and channels > 1 and ours:
        problems.append(
            f"{ROOT}.score: {ours[0]} takes channels for phases that add to 1, which {channels} "
            "decoded channels need not; set score: phases."
        )
    if problems:
        raise ConfigError("\n".join(problems))
    named = names or tuple(f"phase {label}" for label in range(phases))
    return config.model_copy(update={"phase_names": named})


def _build(spec: Mapping[str, Any], table: Mapping[str, type[BaseModel]], root: str) -> Any:
    kind = spec.get("kind")
    if kind == "python" and kind not in table:
        raise ConfigError(
            f"{root}: {spec.get('target')} was given in Python and cannot be read from a file; "
            "give it again, or name it with {kind: import, target: package.module:name}."
        )
    if kind is None:
        raise ConfigError(f"{root}.kind: required, and missing; {nearest('', table)}")
    if not isinstance(kind, str) or kind not in table:
        raise ConfigError(f"{root}.kind: {kind!r} is unknown; {nearest(str(kind), table)}")
    try:
        return table[kind].model_validate(dict(spec))
    except ValidationError as error:
        raise ConfigError("\n".join(explain(error, table[kind], root))) from None


@contextmanager
def _importing_from(folder: str):
    """A folder is searched first, as `python -m` does its own, while this context lasts."""
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.path.remove(folder)
