"""The parts of a campaign, from its config, its settings and what was given in Python."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from latentopt.campaign.screen import Screen, resolve_screen
from latentopt.campaign.strategy_name import strategy_name
from latentopt.engines.build import build_engine
from latentopt.engines.engine import Engine
from latentopt.errors import ConfigError, Problem
from latentopt.evaluation.evaluation import Evaluation
from latentopt.evaluation.gradient import decodes_with_gradient
from latentopt.evaluation.objective import Objective, SaysBoundary
from latentopt.evaluation.objectives import (
    BUILT_IN_UNITS,
    fit_objectives,
    resolve_objectives,
)
from latentopt.goal import Goal
from latentopt.settings.campaign import CampaignConfig
from latentopt.settings.credentials import check_no_secrets
from latentopt.settings.kinds import DEFAULT_STRATEGY, GIVEN_IN_PYTHON, ROOT
from latentopt.settings.spec import spec_of
from latentopt.simulators.build import resolve_simulators
from latentopt.simulators.simulator import Simulator
from latentopt.simulators.trial_simulations import CampaignSimulations
from latentopt.space.embedded import EMBEDDED
from latentopt.space.latent_space import LatentSpace
from latentopt.strategies.build import build_strategy
from latentopt.strategies.strategy import Strategy
from objectives.registry import OBJECTIVES

__all__ = ["CampaignParts", "check_goal"]


@dataclass(frozen=True)
class CampaignParts:
    """What a campaign consists of beside its space, and the config with complete specs of it.

    Parameters
    ----------
    config
        Checked as a whole.
    strategy, engine, objectives, simulators, screen
        Ready to be used; `screen` is None where nothing is screened.
    """

    config: CampaignConfig
    strategy: Strategy
    engine: Engine
    objectives: tuple[Objective, ...]
    simulators: tuple[Simulator, ...]
    screen: Screen | None

    @classmethod
    def of(
        cls, config: CampaignConfig | None, settings: Mapping[str, Any], given: Mapping[str, Any]
    ) -> "CampaignParts":
        """Parts of a config, or of its fields by name; those given in Python replace its specs.

        Raises
        ------
        ConfigError
            Settings that are wrong or do not fit together: one line a problem.
        """
        if config is not None and settings:
            raise TypeError(
                f"give a config or its fields, not both: got {', '.join(settings)} as well."
            )
        fields = dict(settings) if config is None else config.model_dump()
        space, folder = given["space"], given["folder"]
        if isinstance(space, Path | str):
            fields["space"] = space if space in EMBEDDED else str(Path(space).absolute())
        elif space is not None and config is None:
            fields["space"] = GIVEN_IN_PYTHON
        if folder is not None:
            fields["folder"] = str(folder)
        strategy = build_strategy(given["strategy"] or fields.get("strategy", DEFAULT_STRATEGY))
        engine = build_engine(given["engine"] or fields.get("engine", "process"))
        fields |= {"strategy": spec_of(strategy), "engine": spec_of(engine)}
        items = given["objectives"]
        items = fields.get("evaluate", ()) if items is None else items
        objectives, fields["evaluate"] = resolve_objectives(items)
        items = given["simulators"]
        items = fields.get("simulate", ()) if items is None else items
        simulators, fields["simulate"] = resolve_simulators(items)
        cheap, fields["screen"] = resolve_screen(fields.get("screen"))
        config = CampaignConfig.checked(fields)
        check_no_secrets(config.model_dump(mode="json"), ROOT)
        screen = Screen.of(cheap, config.screen)
        return cls(config, strategy, engine, objectives, simulators, screen).checked()

    def fitted(self, space: LatentSpace) -> "CampaignParts":
        """These parts for the structures of a space, with every setting that depends on them.

        Raises
        ------
        ConfigError
            Settings that no structure of the space can ever serve: one line a problem.
        """
        config = _fit_structure(self.config, space)
        _check_gradient(self.strategy, space)
        shape = tuple(space.image_shape)
        objectives, specs = fit_objectives(self.objectives, config.evaluate, shape)
        changes: dict[str, Any] = {"evaluate": specs}
        screen, asked = self.screen, config.screen
        if screen is not None and asked is not None:
            setting = f"{ROOT}.screen.evaluate"
            cheap, specs = fit_objectives(screen.objectives, asked.evaluate, shape, setting)
            screen = replace(screen, objectives=cheap)
            changes["screen"] = asked.model_copy(update={"evaluate": specs})
        config = config.model_copy(update=changes)
        return replace(self, config=config, objectives=objectives, screen=screen).checked()

    def checked(self) -> "CampaignParts":
        """These parts, whose goal they can serve; else a `ConfigError`."""
        check_goal(self.config.goal, self._measuring, self.strategy)
        return self

    @property
    def units(self) -> dict[str, str]:
        """Unit of each metric, where it is known."""
        return {
            **BUILT_IN_UNITS,
            **{k: v for part in self._measuring for k, v in part.units.items()},
        }

    @property
    def boundary(self) -> dict[str, str]:
        """Boundary condition of each metric that says one."""
        return {
            name: part.boundary(self.config.grid)
            for part in self._measuring
            if isinstance(part, SaysBoundary)
            for name in part.units
        }

    @property
    def for_workers(self) -> tuple[Any, ...]:
        """The objectives as workers get them: specs where they have one, else themselves."""
        pairs = zip(self.objectives, self.config.evaluate, strict=True)
        return tuple(part if spec["kind"] == "python" else spec for part, spec in pairs)

    def evaluation(self, space: LatentSpace, folder: Path) -> Evaluation:
        """How structures of a space are evaluated; files of simulations are in the folder."""
        dims, config = len(space.image_shape) - 1, self.config
        parts = (self.simulators, config, folder)
        simulations = CampaignSimulations.of(*parts, dims=dims, space_id=space.id)
        return Evaluation(space, self.objectives, config.score, simulations, config.grid)

    @property
    def _measuring(self) -> tuple[Any, ...]:
        cheap = self.screen.objectives if self.screen is not None else ()
        return (*self.objectives, *self.simulators, *cheap)


def check_goal(goal: Goal, objectives: Iterable[Objective], strategy: Strategy) -> None:
    """Refuse a goal that these parts cannot serve, with a `ConfigError` of one line a problem.

    Functions without units keep their names to themselves until they are called; with one of them
    among the objectives, a metric that nobody promises is not a problem yet.
    """
    objectives = list(objectives)
    promised = [*BUILT_IN_UNITS, *(name for objective in objectives for name in objective.units)]
    problems = [
        Problem(
            f"{ROOT}.evaluate", f"metric {name!r} is returned twice; each needs a name of its own."
        )
        for name in dict.fromkeys(promised)
        if promised.count(name) > 1
    ]
    if all(objective.units for objective in objectives):
        unknown = goal.unknown_metrics(promised)
        problems += [Problem(f"{ROOT}.objective or constraints", text) for text in unknown]
    if len(goal.objectives) > 1 and not getattr(strategy, "multi_objective", False):
        text = (
            f"strategy {strategy_name(strategy)} takes one objective, got {len(goal.objectives)}; "
            "join them into one sum, or use strategy structure."
        )
        problems.append(Problem(f"{ROOT}.objective", text))
    if problems:
        raise ConfigError(problems)


def _check_gradient(strategy: Strategy, space: LatentSpace) -> None:
    """Refuse a strategy that follows a gradient which the space's decoder has not."""
    if getattr(strategy, "needs_gradient", False) and not decodes_with_gradient(space):
        text = (
            f"strategy {strategy_name(strategy)} follows the gradient of the decoder, and this "
            "space decodes without one (as a served space does); use strategy gp_typical, or the "
            "folder of the space."
        )
        raise ConfigError([Problem(f"{ROOT}.strategy", text)])


def _fit_structure(config: CampaignConfig, space: LatentSpace) -> CampaignConfig:
    """The config with a name for each phase of the space's structures.

    Names, sizes and a score that do not fit them are refused by a `ConfigError`.
    """
    channels, *sides = space.image_shape
    sizes, names, phases = config.voxel_size_um, config.phase_names, max(channels, 2)
    problems = []
    if isinstance(sizes, tuple) and len(sizes) != len(sides):
        text = (
            f"should be one number, or one for each axis of {'x'.join(map(str, sides))} "
            f"structures, got {len(sizes)}."
        )
        problems.append(Problem(f"{ROOT}.voxel_size_um", text))
    if names is not None and (len(names) != phases or len(set(names)) < phases):
        text = f"should be {phases} different names, got {names}."
        problems.append(Problem(f"{ROOT}.phase_names", text))
    ours = [spec["kind"] for spec in config.evaluate if spec["kind"] in OBJECTIVES]
    if config.score == "decoded" and channels > 1 and ours:
        text = (
            f"{ours[0]} takes channels for phases that add to 1, which {channels} decoded "
            "channels need not; set score: phases."
        )
        problems.append(Problem(f"{ROOT}.score", text))
    if problems:
        raise ConfigError(problems)
    named = names or tuple(f"phase {label}" for label in range(phases))
    return config.model_copy(update={"phase_names": named})
