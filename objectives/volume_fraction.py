"""Volume fraction of a phase."""

from typing import Literal

from jaxtyping import Float, Float64
from pydantic import Field
from torch import Tensor

from objectives.images import checked_images, phase_indicator
from objectives.settings import Settings


class VolumeFraction(Settings):
    """Share of the volume that a phase fills; differentiable.

    >>> import torch
    >>> VolumeFraction()(torch.full((1, 1, 2, 2), 0.25))
    {'volume_fraction': tensor([0.2500], dtype=torch.float64)}
    """

    kind: Literal["volume_fraction"] = "volume_fraction"
    phase: int = Field(
        default=1,
        ge=0,
        description="Phase whose volume fraction is computed. Images of one channel have phases "
        "0 and 1; otherwise it is the number of the channel.",
    )

    @property
    def name(self) -> str:
        """``volume_fraction``, with the number of any phase but 1 behind it."""
        return "volume_fraction" if self.phase == 1 else f"volume_fraction_{self.phase}"

    @property
    def units(self) -> dict[str, str]:
        """The one value, without unit."""
        return {self.name: "1"}

    def __call__(self, images: Float[Tensor, "n c *space"]) -> dict[str, Float64[Tensor, "n"]]:
        """The fraction of every image, from 0 to 1.

        Raises
        ------
        EvaluationError
            (A ``ValueError``.) The images are not images, or have no such phase.
        """
        indicator = phase_indicator(checked_images(images), self.phase)
        return {self.name: indicator.double().flatten(1).mean(1)}
