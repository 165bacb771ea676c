"""The parts of a campaign, from its config, its settings and what was given in Python."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from latentopt.config import DEFAULT_STRATEGY, CampaignConfig
from latentopt.embedded import EMBEDDED
from latentopt.parts import (
    BUILT_IN_UNITS,
    GIVEN_IN_PYTHON,
    build_engine,
    build_strategy,
    check_goal,
    resolve_objectives,
    resolve_simulators,
    spec_of,
)
from latentopt.protocols import Objective, Simulator, Strategy
from latentopt.screening import Screen, resolve_screen

__all__ = ["CampaignParts"]


@dataclass(frozen=True)
class CampaignParts:
    """What a campaign consists of beside its space, and the config with complete specs of it.

    Parameters
    ----------
    config
        Checked as a whole.
    strategy, engine, objectives, simulators, screen
        Ready to be used; `screen` is None where nothing is screened.
    units
        Unit of each metric, where it is known.
    """

    config: CampaignConfig
    strategy: Strategy
    engine: Any
    objectives: tuple[Objective, ...]
    simulators: tuple[Simulator, ...]
    screen: Screen | None
    units: Mapping[str, str]

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
        screen = Screen.of(cheap, config.screen)
        measuring = (*objectives, *simulators, *cheap)
        check_goal(config.goal, measuring, strategy)
        units = dict(BUILT_IN_UNITS)
        for part in measuring:
            units |= part.units
        return cls(config, strategy, engine, objectives, simulators, screen, units)
