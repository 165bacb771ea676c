"""What a campaign is, as data: read from YAML, checked as a whole, each problem on its own line."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    BeforeValidator,
    Field,
    PositiveFloat,
    ValidationError,
    field_validator,
    model_validator,
)

from latentopt.errors import ConfigError
from latentopt.goal import Goal, parse_constraint, parse_objectives
from latentopt.settings.explain import explain, members, short
from latentopt.settings.yaml_text import parse_yaml
from latentopt.space.embedded import EMBEDDED
from objectives.grid import Grid
from objectives.settings import Settings

__all__ = ["CampaignConfig", "explain", "load_config", "read_yaml"]

ROOT = "campaign"  # first part of every dotted path
DEFAULT_STRATEGY = "structure"
_MAX_BYTES = 1_000_000  # a larger file is no settings


def as_spec(value: object) -> object:
    """A bare kind as the spec it is short for."""
    return {"kind": value} if isinstance(value, str) else value


def as_engine(value: object) -> object:
    """The spec of an engine, also where it is written ``import:package.module:factory``."""
    if isinstance(value, str) and value.startswith("import:"):
        return {"kind": "import", "target": value.removeprefix("import:")}
    return as_spec(value)


# One of several parts by its `kind`; a bare string is a kind with its defaults. What else it may
# hold is checked by `latentopt.settings.spec`, which imports torch: reading a campaign should not.
Spec = Annotated[dict[str, Any], BeforeValidator(as_spec)]


class ScreenConfig(Settings):
    """Cheap metrics that decide which points are evaluated at all."""

    evaluate: tuple[Spec, ...] = Field(
        min_length=1, description="Cheap objectives, surrogates among them, of every point."
    )
    require: tuple[str, ...] = Field(
        min_length=1, description='What their metrics fulfil, such as "cnn_k_xx >= 8".'
    )
    limit: float = Field(
        20.0, ge=0, description="Points ruled out in all, in multiples of trials; then none is."
    )

    @field_validator("require")
    @classmethod
    def _requirements_are_readable(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        for text in texts:
            parse_constraint(text)
        return texts


class RetrainConfig(Settings):
    """How the generative model is trained on towards the best structures of a campaign."""

    every: int = Field(ge=1, description="Evaluations from one retraining to the next.")
    weight_k: PositiveFloat = Field(
        1e-3, description="Of the weights 1/(k N + rank): small follows the best, large all alike."
    )
    steps: int = Field(500, ge=1, description="Of a network; components are fitted anew.")
    learning_rate: PositiveFloat = Field(3e-4, description="Peak of a network's.")
    images: int = Field(4096, ge=2, description="Training images used, at most.")
    data: str | None = Field(
        None, description="Folder or file of training images; those of the space unless given."
    )


class CampaignConfig(Settings):
    """Settings of a campaign.

    >>> config = CampaignConfig(objective="k_xx - 2*k_yy", evaluate=["effective_conductivity"])
    >>> config.trials, config.strategy
    (30, {'kind': 'structure'})
    """

    name: str = Field("campaign", min_length=1, description="Names the run in reports and in Ax.")
    space: str = Field("default", description='Folder of a latent space, or "default", or "ldm".')
    objective: str = Field(description='What to maximize, such as "k_xx - 2*k_yy".')
    constraints: tuple[str, ...] = Field((), description='Such as "volume_fraction <= 0.5".')
    evaluate: tuple[Spec, ...] = Field((), description="Objectives, each with a kind.")
    simulate: tuple[Spec, ...] = Field(
        (), description="Simulators, each with a kind; run after the objectives, which are cheap."
    )
    strategy: Spec = Field({"kind": DEFAULT_STRATEGY}, description="How points are chosen.")
    engine: Annotated[dict[str, Any], BeforeValidator(as_engine)] = Field(
        {"kind": "process"}, description="Where evaluations run, and how many at a time."
    )
    screen: ScreenConfig | None = Field(
        None, description="What cheap metrics rule out before it is evaluated."
    )
    retrain: RetrainConfig | None = Field(
        None, description="Weighted retraining of the generative model; off unless given."
    )
    trials: int = Field(30, ge=1, le=10**9, description="Evaluations in all; may be raised later.")
    batch: int = Field(
        1, ge=1, description="Points proposed at a time; more learn less from each evaluation."
    )
    repeats: int = Field(
        0,
        ge=0,
        description="How many of the trials, the last ones, evaluate the best structures again, "
        "for objectives that are noisy; all results of a structure are combined. 0 repeats none.",
    )
    stop_gain: PositiveFloat | None = Field(
        None, description="End early when the model expects less than this of further points."
    )
    dry_run: bool = Field(
        True,
        description="Evaluate one training structure before the first trial, so that a mistake in "
        "the objectives costs no trial; what it took is said, and nothing of it is recorded.",
    )
    stop_failures: Annotated[int, Field(ge=1)] | None = Field(
        5,
        description="Stop when so many evaluations in a row failed in the same way; null goes on "
        "whatever fails.",
    )
    start: str | None = Field(
        None, description="NPY or CSV file of latent points that are evaluated first."
    )
    seed: int = Field(0, ge=0, lt=2**63, description="Fixes every random choice.")
    score: Literal["phases", "decoded"] = Field(
        "phases",
        description="Evaluate the segmented structure that is exported, or the grey image.",
    )
    voxel_size_um: PositiveFloat | tuple[PositiveFloat, ...] = Field(
        1.0,
        description="Edge of a voxel, or one number for each axis z, y, x; objectives, rules and "
        "simulators all measure by it.",
    )
    phase_names: tuple[str, ...] | None = Field(None, description="Names of phase 0, 1, ...")
    periodic: bool = Field(
        True,
        description="Whether structures repeat beyond their faces; if not, effective properties "
        "are those of a body closed at its sides, and rules see open faces.",
    )
    folder: str | None = Field(None, description="Where results go; runs/NAME unless given.")

    @field_validator("objective")
    @classmethod
    def _objective_is_readable(cls, text: str) -> str:
        parse_objectives(text)
        return text

    @field_validator("constraints")
    @classmethod
    def _constraints_are_readable(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        for text in texts:
            parse_constraint(text)
        return texts

    @model_validator(mode="after")
    def _something_evaluates(self) -> "CampaignConfig":
        if not self.evaluate and not self.simulate:
            raise ValueError("evaluate or simulate should name at least one part, got none")
        return self

    @model_validator(mode="after")
    def _something_is_repeated(self) -> "CampaignConfig":
        if self.repeats >= self.trials:
            raise ValueError(
                f"repeats ({self.repeats}) are part of trials ({self.trials}) and should be fewer"
            )
        return self

    @property
    def goal(self) -> Goal:
        """Objective and constraints, parsed."""
        return Goal.parse(self.objective, self.constraints)

    @property
    def grid(self) -> Grid:
        """What a voxel measures and whether structures repeat, as objectives take it."""
        return Grid(self.voxel_size_um, self.periodic)

    @property
    def path(self) -> Path:
        """The folder of the campaign's journal and candidates."""
        return Path(self.folder or f"runs/{self.name}")

    @classmethod
    def checked(cls, settings: Mapping[str, Any]) -> "CampaignConfig":
        """Config of these settings; one `ConfigError` lists everything wrong with them."""
        try:
            return cls.model_validate(dict(settings))
        except ValidationError as error:
            raise ConfigError("\n".join(explain(error, cls, ROOT))) from None


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
    problems, config = [], None
    try:
        config = CampaignConfig.checked(settings)
    except ConfigError as error:
        problems += str(error).splitlines()
    problems += _part_problems(settings, config)
    if problems:
        raise ConfigError("\n".join(f"{path}: {problem}" for problem in problems))
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
    from objectives import OBJECTIVES

    kind = spec.get("kind")
    fields = OBJECTIVES[kind].model_fields if kind in list(OBJECTIVES) else {}
    return [
        key
        for key, value in spec.items()
        if isinstance(value, str) and key in fields and Path in members(fields[key].annotation)
    ]


def _part_problems(settings: Mapping[str, Any], config: CampaignConfig | None) -> list[str]:
    """What is wrong with its parts, even where the rest of the file is wrong too."""
    from latentopt.campaign.screening import Screen, resolve_screen
    from latentopt.settings.spec import (
        build_engine,
        build_objectives,
        build_simulators,
        build_strategy,
        check_goal,
    )

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
                problems += str(error).splitlines()
    if config is not None and len(parts) == len(builds):
        objectives, simulators, strategy, _, cheap = parts
        try:
            Screen.of(cheap, config.screen)
            check_goal(config.goal, (*objectives, *simulators, *cheap), strategy)
        except ConfigError as error:
            problems += str(error).splitlines()
    return problems


def _specs(items: object) -> list[object]:
    return [as_spec(item) for item in items] if isinstance(items, list) else [None]


def read_yaml(path: Path, *, keys: str) -> dict[str, Any]:
    """Settings of a YAML file, unchecked.

    Parameters
    ----------
    path
        YAML file of one mapping.
    keys
        Some keys it should hold, for the message where it holds none.

    Raises
    ------
    ConfigError
        The file cannot be read, or is not such a file.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ConfigError(f"{path}: larger than {_MAX_BYTES} bytes; give a file of settings.")
        settings = parse_yaml(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); check the path.") from None
    except UnicodeDecodeError:
        raise ConfigError(
            f"{path}: not YAML (not text in UTF-8); give a file of settings."
        ) from None
    # ValueError: a date such as 2024-13-01; RecursionError: thousands of brackets.
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "not readable"
        raise ConfigError(f"{path}{line}: not YAML ({problem}).") from None
    if not isinstance(settings, dict):
        raise ConfigError(f"{path}: should hold keys such as {keys}, got {short(settings)}.")
    return {str(key): value for key, value in settings.items()}
