"""Control variables: functions of some of the normal numbers that a structure is made of."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from pydantic import Field, field_validator, model_validator
from torch import Tensor

from generative.gans.settings import ResidualConfig
from generative.model import Control
from objectives.settings import Settings

FINEST = math.log(0.05)  # logarithm of the least spread with which a control is guessed


class ControlsConfig(Settings):
    """Which control variables there are, and how much it counts that they show in structures."""

    categories: tuple[int, ...] = Field(
        (3,),
        description="Number of categories of each categorical control. A control of k categories "
        "takes k of the normal numbers: the category is that of the largest.",
    )
    continuous: int = Field(
        2,
        ge=0,
        description="Number of continuous controls. Each is uniform from -1 to 1 and takes one of "
        "the normal numbers.",
    )
    weight: float = Field(
        1.0,
        ge=0,
        description="Weight of the mutual information of categories and structures beside the "
        "game. 0 leaves the categories without a meaning.",
    )
    continuous_weight: float = Field(
        0.1,
        ge=0,
        description="Weight of the mutual information of continuous controls and structures. 0 "
        "leaves them without a meaning. It is less than that of categories, because more can be "
        "told of a continuous control.",
    )
    temperature: float = Field(
        0.1,
        gt=0,
        le=1,
        description="Temperature of the softmax by which a category is told. Small values leave "
        "few structures between categories, and smaller gradients.",
    )

    @field_validator("categories")
    @classmethod
    def _of_two_or_more(cls, counts: tuple[int, ...]) -> tuple[int, ...]:
        if min(counts, default=2) < 2:
            raise ValueError(f"each control should have 2 categories or more, got {list(counts)}.")
        return counts

    @model_validator(mode="after")
    def _there_are_some(self) -> "ControlsConfig":
        if not self.numbers:
            raise ValueError("there are no controls; a model without any is a gan: use model gan.")
        without = {"categories": ("weight", "temperature"), "continuous": ("continuous_weight",)}
        for sort, names in without.items():
            for name in names:
                default = type(self).model_fields[name].default
                if not getattr(self, sort) and getattr(self, name) != default:
                    raise ValueError(f"{name} has no effect without {sort}; leave it out.")
        return self

    @property
    def numbers(self) -> int:
        """How many of the normal numbers the controls take."""
        return sum(self.categories) + self.continuous


class InfoGANConfig(ResidualConfig):
    """Networks, game and control variables of an `InfoGAN`."""

    controls: ControlsConfig = Field(
        ControlsConfig(), description="Settings of the control variables."
    )

    @model_validator(mode="after")
    def _controls_fit(self) -> "InfoGANConfig":
        if self.controls.numbers > self.latent_dim:
            raise ValueError(
                f"controls take {self.controls.numbers} numbers of {self.latent_dim}; use fewer, "
                "or a larger latent_dim."
            )
        if self.sets is not None and not self.sets.game_weight:
            raise ValueError(
                "sets.game_weight should be above 0 for an infogan: without the game nothing is "
                "told of the controls. Set sets: null to leave the stage out."
            )
        return self


@dataclass(frozen=True)
class Controls:
    """The first numbers of a code, read as control variables; the others are noise.

    A category of k is the place of the largest of k normal numbers, which by symmetry is as often
    one as another. A continuous control is ``erf(z / sqrt 2)``, uniform from -1 to 1.

    Parameters
    ----------
    config
        Which there are.
    """

    config: ControlsConfig

    @property
    def all(self) -> tuple[Control, ...]:
        """Each with its name and the numbers it is a function of."""
        found, first = [], 0
        for i, k in enumerate(self.config.categories, 1):
            found.append(Control(f"category {i}", tuple(range(first, first + k)), k))
            first += k
        for i in range(1, self.config.continuous + 1):
            found.append(Control(f"continuous {i}", (first,), 0))
            first += 1
        return tuple(found)

    def values(self, code: Float[Tensor, "n d"]) -> Float[Tensor, "n c"]:
        """Shares of the categories, in the order of their numbers, and continuous controls."""
        parts = []
        for control in self.all:
            z = code[:, list(control.numbers)]
            if control.categories:
                parts.append((z / self.config.temperature).softmax(1))
            else:
                parts.append(torch.erf(z / math.sqrt(2)))
        return torch.cat(parts, 1)

    def told(self, code: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """What a generator is given: values of mean 0 and variance 1, then the noise."""
        values, scaled, first = self.values(code), [], 0
        for control in self.all:
            part = values[:, first : first + len(control.numbers)]
            first += len(control.numbers)
            if k := control.categories:
                scaled.append((part - 1 / k) * (k / math.sqrt(k - 1)))
            else:
                scaled.append(part * math.sqrt(3))
        return torch.cat([*scaled, code[:, first:]], 1)

    def confusion(
        self, guess: Float[Tensor, "n d"], code: Float[Tensor, "n d"]
    ) -> Float[Tensor, ""]:
        """Cross entropy of the categories of guessed codes with those of codes, in nats."""
        total = code.new_zeros(())
        for control in self.all:
            if control.categories:
                z, known = (x[:, list(control.numbers)] for x in (guess, code))
                shares = (known / self.config.temperature).softmax(1)
                logits = (z / self.config.temperature).log_softmax(1)
                total = total - (shares * logits).sum(1).mean()
        return total

    @property
    def guessed(self) -> int:
        """Numbers in a guess: a logit of each category, mean and log spread of the others."""
        return sum(self.config.categories) + 2 * self.config.continuous

    def information(
        self, values: Float[Tensor, "n c"], guess: Float[Tensor, "n g"]
    ) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        r"""Lower bounds of the mutual information of structures with categories, and with others.

        .. math:: L_I = E \log Q(c \mid x) + H(c), \qquad c \sim p(c),\ x = G(z, c)

        in nats, summed over the controls of each sort: log k at most for a category of k. The
        entropy counts a category as if it was told without doubt.

        Parameters
        ----------
        values
            Of the controls, as `values` gives them.
        guess
            Of the same, by a network Q that has seen the structures.

        References
        ----------
        .. [1] Chen et al. (2016), InfoGAN: Interpretable representation learning by information
           maximizing generative adversarial nets, eq. 5.
        """
        categorical = values.new_zeros(())
        first = 0
        for k in self.config.categories:
            p, logits = (x[:, first : first + k] for x in (values, guess))
            first += k
            categorical = categorical + math.log(k) + (p * logits.log_softmax(1)).sum(1).mean()
        if not self.config.continuous:
            return categorical, values.new_zeros(())
        mean, log_spread = guess[:, first:].chunk(2, 1)
        log_spread = log_spread.clamp_min(FINEST)
        away = (values[:, first:] - mean) * (-log_spread).exp()
        likelihood = -0.5 * away.square() - log_spread - 0.5 * math.log(2 * math.pi)
        continuous = math.log(2) * self.config.continuous + likelihood.sum(1).mean()
        return categorical, continuous
