"""A campaign's YAML file: its settings, with all the parts that they name checked at once."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from latentopt.campaign.parts import check_goal
from latentopt.campaign.screen import Screen, resolve_screen
from latentopt.engines.build import build_engine
from latentopt.errors import ConfigError, Problem
from latentopt.evaluation.objectives import build_objectives
from latentopt.settings.campaign import CampaignConfig
from latentopt.settings.explain import members
from latentopt.settings.kinds import DEFAULT_STRATEGY, as_engine, as_spec
from latentopt.settings.yaml_files import read_yaml
from latentopt.simulators.build import build_simulators
from latentopt.space.embedded import EMBEDDED
from latentopt.strategies.build import build_strategy
from objectives.registry import OBJECTIVES

__all__ = ["CampaignConfig", "load_config"]


def load_config(path: Path | str, overrides: Mapping[str, Any] | None = None) -> CampaignConfig:
    """Campaign of a YAML file, with all its parts checked.

    Parameters
    ----------
    path
        YAML file with the fields of `CampaignConfig`. Files that it names are looked for in its
        own folder, and their whole path is kept: the campaign goes on from wherever it is called.
    overrides
        Fields that replace those of the file; None leaves a field as it is.

    Raises
    ------
    ConfigError
        The file cannot be read, or something in it is wrong: one line a problem, each with its
        dotted path and, for an unknown key, the nearest right one.
    """
    settings = _found_beside(Path(path), read_yaml(Path(path), keys="objective and evaluate"))
    settings |= {key: value for key, value in (overrides or {}).items() if value is not None}
    problems: list[Problem] = []
    config = None
    try:
        config = CampaignConfig.checked(settings)
    except ConfigError as error:
        problems += error.problems
    problems += _part_problems(settings, config)
    if problems or config is None:
        raise ConfigError(problems, file=path)
    return config


def _found_beside(file: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """Settings with the whole path of each file that they name relative to their own."""
    folder, evaluate, simulate = file.parent, settings.get("evaluate"), settings.get("simulate")
    changes: dict[str, Any] = {}
    if isinstance(space := settings.get("space"), str) and space not in EMBEDDED:
        changes["space"] = str((folder / space).resolve())
    if isinstance(start := settings.get("start"), str):
        changes["start"] = str((folder / start).resolve())
    if isinstance(evaluate, list):
        changes["evaluate"] = [_spec_beside(folder, spec) for spec in evaluate]
    if isinstance(screen := settings.get("screen"), dict) and isinstance(
        cheap := screen.get("evaluate"), list
    ):
        changes["screen"] = screen | {"evaluate": [_spec_beside(folder, spec) for spec in cheap]}
    if isinstance(retrain := settings.get("retrain"), dict):
        changes["retrain"] = _data_beside(folder, retrain)
    engine = as_engine(settings.get("engine"))
    if isinstance(engine, dict) and engine.get("kind") == "import":
        changes["engine"] = _module_beside(folder, engine)
    if isinstance(simulate, list):
        changes["simulate"] = [_command_beside(folder, spec) for spec in simulate]
    return settings | changes


def _data_beside(folder: Path, retrain: dict[str, Any]) -> dict[str, Any]:
    data = retrain.get("data")
    return retrain | ({"data": str((folder / data).resolve())} if isinstance(data, str) else {})


def _spec_beside(folder: Path, spec: Any) -> Any:
    """The spec of an objective with the whole path of each file that it names."""
    if not isinstance(spec, dict):
        return spec
    if spec.get("kind") == "import":
        return _module_beside(folder, spec)
    return spec | {key: str((folder / spec[key]).resolve()) for key in _paths_in(spec)}


def _command_beside(folder: Path, spec: Any) -> Any:
    """The spec of a simulator with the whole path of each argument that begins with ``./``."""
    if isinstance(spec, dict) and spec.get("kind") == "python":
        return _module_beside(folder, spec)
    command = spec.get("command") if isinstance(spec, dict) else None
    if not isinstance(command, list):
        return spec
    whole = [
        str((folder / part).resolve())
        if isinstance(part, str) and part.startswith(("./", "../"))
        else part
        for part in command
    ]
    return {**spec, "command": whole}


def _module_beside(folder: Path, spec: dict[str, Any]) -> dict[str, Any]:
    """The spec of a Python target with the folder of its module, where that is the file's own."""
    target, folder = spec.get("target"), folder.resolve()
    if not isinstance(target, str) or "path" in spec or folder == Path.cwd():
        return spec
    name = target.partition(":")[0].partition(".")[0]
    found = (folder / f"{name}.py").exists() or (folder / name / "__init__.py").exists()
    return spec | {"path": str(folder)} if name.isidentifier() and found else spec


def _paths_in(spec: Mapping[str, Any]) -> list[str]:
    """Keys of an objective's spec that hold the path of a file."""
    kind = spec.get("kind")
    fields = OBJECTIVES[kind].model_fields if kind in list(OBJECTIVES) else {}
    return [
        key
        for key, value in spec.items()
        if isinstance(value, str) and key in fields and Path in members(fields[key].annotation)
    ]


def _part_problems(settings: Mapping[str, Any], config: CampaignConfig | None) -> list[Problem]:
    """What is wrong with its parts, even where the rest of the file is wrong too."""
    strategy = as_spec(settings.get("strategy", DEFAULT_STRATEGY))
    builds = (
        (build_objectives, _specs(settings.get("evaluate", []))),
        (build_simulators, _specs(settings.get("simulate", []))),
        (lambda specs: build_strategy(*specs), [strategy]),
        (lambda specs: build_engine(*specs), [as_engine(settings.get("engine", "process"))]),
        (lambda _: resolve_screen(settings.get("screen"))[0], []),
    )
    problems, parts = [], []
    for build, specs in builds:
        if all(isinstance(spec, dict) for spec in specs):  # else reported with the other fields
            try:
                parts.append(build(specs))
            except ConfigError as error:
                problems += error.problems
    if config is not None and len(parts) == len(builds):
        objectives, simulators, strategy, _, cheap = parts
        try:
            Screen.of(cheap, config.screen)
            check_goal(config.goal, (*objectives, *simulators, *cheap), strategy)
        except ConfigError as error:
            problems += error.problems
    return problems


def _specs(items: object) -> list[object]:
    return [as_spec(item) for item in items] if isinstance(items, list) else [None]
