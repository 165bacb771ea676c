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
        min_length=1,
        description="Cheap objectives to compute for every proposed point, such as surrogates, "
        "each by its kind and options.",
    )
    require: tuple[str, ...] = Field(
        min_length=1,
        description='Inequalities that a point must satisfy to be evaluated, such as "cnn_k_xx '
        '>= 8".',
    )
    limit: float = Field(
        20.0,
        ge=0,
        description="Largest number of points that the screen rules out, in multiples of trials. "
        "After that every point is evaluated; 0 rules out none.",
    )

    @field_validator("require")
    @classmethod
    def _requirements_are_readable(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        for text in texts:
            parse_constraint(text)
        return texts


class RetrainConfig(Settings):
    """How the generative model is trained on towards the best structures of a campaign."""

    every: int = Field(ge=1, description="Number of evaluations from one retraining to the next.")
    weight_k: PositiveFloat = Field(
        1e-3,
        description="Constant k of the weights 1/(k N + rank), with which N structures are "
        "sampled by their rank. Small values favour the best structures; large values weigh "
        "all alike.",
    )
    steps: int = Field(
        500,
        ge=1,
        description="Number of optimization steps of a network in each retraining. pca is fitted "
        "anew and ignores it.",
    )
    learning_rate: PositiveFloat = Field(
        3e-4, description="Peak learning rate of the AdamW optimizer in a retraining."
    )
    images: int = Field(
        4096, ge=2, description="Largest number of training images that are used in a retraining."
    )
    data: str | None = Field(
        None,
        description="Folder or file of training images. null takes those of the space, or "
        "decoded training points if they are gone.",
    )


class CampaignConfig(Settings):
    """Settings of a campaign.

    >>> config = CampaignConfig(objective="k_xx - 2*k_yy", evaluate=["effective_conductivity"])
    >>> config.trials, config.strategy
    (30, {'kind': 'structure'})
    """

    name: str = Field(
        "campaign",
        min_length=1,
        description="Name of the campaign in reports and in Ax, and of its folder under runs/ "
        "where folder is null.",
    )
    space: str = Field(
        "default", description='Folder of a latent space, or an embedded one: "default" or "ldm".'
    )
    objective: str = Field(
        description='Expression to maximize, such as "k_xx - 2*k_yy". Commas separate several '
        "objectives."
    )
    constraints: tuple[str, ...] = Field(
        (),
        description='Inequalities that a structure has to satisfy, such as "volume_fraction <= '
        '0.5".',
    )
    evaluate: tuple[Spec, ...] = Field(
        (), description="Objectives to compute for every structure, each by its kind and options."
    )
    simulate: tuple[Spec, ...] = Field(
        (),
        description="Simulators to run after the objectives, which are cheaper, each by its kind "
        "and options.",
    )
    strategy: Spec = Field(
        {"kind": DEFAULT_STRATEGY},
        description="Search strategy that proposes points, by its kind and options.",
    )
    engine: Annotated[dict[str, Any], BeforeValidator(as_engine)] = Field(
        {"kind": "process"},
        description="Engine that runs the evaluations, by its kind and options: where, and how "
        "many at a time.",
    )
    screen: ScreenConfig | None = Field(
        None,
        description="Cheap requirements on a point before it is evaluated. null evaluates every "
        "point.",
    )
    retrain: RetrainConfig | None = Field(
        None,
        description="Settings of weighted retraining, which trains the generative model on "
        "towards the best structures during the campaign. null never retrains.",
    )
    trials: int = Field(
        30,
        ge=1,
        le=10**9,
        description="Number of evaluations in all, the budget of the campaign. It may be raised "
        "later.",
    )
    batch: int = Field(
        1,
        ge=1,
        description="Number of points proposed at a time. Larger batches learn less from each "
        "evaluation.",
    )
    repeats: int = Field(
        0,
        ge=0,
        description="Number of trials, the last ones, that evaluate the best structures again, "
        "for objectives with noise. All results of a structure are combined. 0 repeats none.",
    )
    stop_gain: PositiveFloat | None = Field(
        None,
        description="Smallest expected improvement that is worth an evaluation, in units of the "
        "objective. The campaign ends when the model expects less of two batches in a row; "
        "null runs all trials.",
    )
    dry_run: bool = Field(
        True,
        description="Whether to compute the objectives of one training structure before the "
        "first trial, so that a mistake in them costs no trial. Simulators do not run, and "
        "nothing is recorded.",
    )
    stop_failures: Annotated[int, Field(ge=1)] | None = Field(
        5,
        description="Number of evaluations in a row that crash, take too long or give invalid "
        "values, all for one reason, that end the campaign. null goes on whatever fails.",
    )
    start: str | None = Field(
        None,
        description="NPY or CSV file of latent points that are evaluated before the strategy "
        "proposes any. null begins with the strategy.",
    )
    seed: int = Field(0, ge=0, lt=2**63, description="Seed of all random choices of the campaign.")
    score: Literal["phases", "decoded"] = Field(
        "phases",
        description="Image that objectives are computed on: the segmented structure that is "
        "exported (phases), or the grey image of the decoder (decoded).",
    )
    voxel_size_um: PositiveFloat | tuple[PositiveFloat, ...] = Field(
        1.0,
        description="Edge of a voxel in micrometres, or one edge for each axis z, y, x. "
        "Objectives, rules and simulators all measure by it.",
    )
    phase_names: tuple[str, ...] | None = Field(
        None,
        description="Names of the phases in reports and exports, from phase 0 on. null calls "
        'them "phase 0", "phase 1" and so on.',
    )
    periodic: bool = Field(
        True,
        description="Whether structures repeat beyond their faces. If not, effective properties "
        "are those of a body closed at its sides, and rules see open faces.",
    )
    folder: str | None = Field(
        None, description="Folder of the campaign's results. null takes runs/NAME."
    )

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
