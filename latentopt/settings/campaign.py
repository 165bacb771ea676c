"""What a campaign is, as data: read from YAML, checked as a whole, each problem on its own line."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

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
from latentopt.settings.explain import explain
from latentopt.settings.kinds import DEFAULT_STRATEGY, ROOT, Spec, as_engine
from objectives.grid import Grid
from objectives.settings import Settings

__all__ = ["CampaignConfig", "RetrainConfig", "ScreenConfig"]


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
            raise ConfigError(explain(error, cls, ROOT)) from None
