"""How far sets of decoded draws are from sets of images, in all that is asked of them."""

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from generative.losses.set_distance import (
    Recent,
    SetStatistics,
    amount,
    amount_and_interface,
    interface,
    moment_kernel,
    set_distance,
    texture,
    two_point,
)
from objectives.settings import Settings


class StructureDistancesConfig(Settings):
    """What sets of structures are compared in, and how much each counts."""

    weight: float = Field(
        2.0,
        ge=0,
        description="Weight of the energy distances between sampled and training structures, "
        "beside the other losses. They compare phase fractions, interface, texture "
        "and two-point correlations. 0 leaves them out.",
    )
    moments_weight: float = Field(
        0.5,
        ge=0,
        description="Weight of the differences in mean and second moments of the two-point "
        "correlations of sampled and training structures. 0 leaves them out.",
    )
    interface_weight: float = Field(
        0.5,
        ge=0,
        description="Weight of the differences in mean and second moments of the interface in "
        "each direction and the phase fractions, taken together. 0 leaves them out.",
    )
    fraction_weight: float = Field(
        60.0,
        ge=0,
        description="Weight of the differences in mean and second moments of phase fractions "
        "alone, which most other statistics depend on. 0 leaves them out.",
    )
    interface_components: int = Field(
        3,
        ge=1,
        description="Number of principal components that describe the interface in each "
        "direction (variograms at shifts of one voxel).",
    )
    texture_reach: int = Field(
        6, ge=1, description="Largest shift of the variograms that describe texture, in voxels."
    )
    texture_components: int = Field(
        4,
        ge=1,
        description="Number of principal components that describe texture (phase fractions and "
        "logarithms of variograms).",
    )
    two_point_reach: int = Field(
        16,
        ge=1,
        description="Largest shift of the two-point correlations, in voxels. A quarter of the "
        "shortest side of the image is the most that is used.",
    )
    two_point_components: int = Field(
        10,
        ge=1,
        description="Number of principal components that describe the two-point correlations.",
    )
    recent: int = Field(
        16,
        ge=1,
        description="Number of steps, the present one and those before it, whose training images "
        "the samples of a step are compared with. More steps make the comparison less noisy.",
    )


class StructureDistances(nn.Module):
    """Weighted distances between statistics of sampled structures and of images.

    Energy distances see what single structures are, moments how wide and how far along sets are.

    Parameters
    ----------
    image_shape
        ``(c, *space)``.
    config
        What is compared, and how much it counts.

    References
    ----------
    .. [1] Székely and Rizzo (2013), Energy statistics: A class of statistics based on distances.
    .. [2] Li et al. (2015), Generative moment matching networks (moments of sets as a loss).
    """

    def __init__(self, image_shape: tuple[int, ...], config: StructureDistancesConfig) -> None:
        super().__init__()
        reach = max(1, min(config.two_point_reach, min(image_shape[1:]) // 4))
        self.recent_steps = config.recent
        self.statistics = nn.ModuleList(
            [
                SetStatistics(amount, 0, image_shape[0], equal=True),
                SetStatistics(interface, 1, config.interface_components, equal=True),
                SetStatistics(texture, config.texture_reach, config.texture_components, equal=True),
                SetStatistics(two_point, reach, config.two_point_components, equal=False),
                SetStatistics(amount_and_interface, 1, config.interface_components + 1, equal=True),
            ]
        )
        weights = config.fraction_weight, config.moments_weight, config.interface_weight
        fractions, moments, crossed = ((weight, moment_kernel) for weight in weights)
        energy = (config.weight, torch.cdist)
        self.kinds = ((energy, fractions), (energy,), (energy,), (energy, moments), (crossed,))

    def fit(
        self, images: Float[Tensor, "n c *space"], batch_size: int, *, told: int = 0
    ) -> "StructureDistances":
        """Fix the components by images, and make room for those of the last steps.

        Parameters
        ----------
        images, batch_size
            What fixes the components, and how many images a step has.
        told
            Numbers in what each structure is asked for, if they are compared together with it.
        """
        size = self.recent_steps * batch_size
        widths = [taken.fit(images)(images[:1]).shape[1] + told for taken in self._measures]
        self.recent = nn.ModuleList([Recent(size, width) for width in widths])
        return self

    def forward(
        self,
        made: Float[Tensor, "m c *space"],
        images: Float[Tensor, "n c *space"],
        *,
        recent: bool = False,
        asked: Float[Tensor, "n f"] | None = None,
    ) -> Float[Tensor, ""]:
        """The weighted sum, with images of the last steps if ``recent``.

        Samples of the last steps are left out: they are not of the present generator, which would
        run away from where it was if it were pushed apart from them.

        Parameters
        ----------
        made
            Samples; each row of their second half was drawn from the negative of the noise that a
            row of the first half was drawn from (`antithetic`).
        images
            As many images.
        recent
            Whether these images are remembered, and the samples compared with the last ones too.
        asked
            What each row of both is asked for: statistics are then compared together with it.
        """
        far = made.new_zeros((), dtype=torch.float64)
        for taken, seen, kinds in zip(self._measures, self._rows_before, self.kinds, strict=True):
            x, y = (_together(taken(rows), asked) for rows in (made, images))
            among = seen.put(y) if recent else y
            for weight, between in kinds:
                distance = set_distance(x, y, between, among=among, antithetic=True)
                far = far + weight * distance
        return far

    @property
    def _measures(self) -> list[SetStatistics]:
        return [part for part in self.statistics if isinstance(part, SetStatistics)]

    @property
    def _rows_before(self) -> list[Recent]:
        return [part for part in self.recent if isinstance(part, Recent)]


def _together(statistics: Tensor, asked: Tensor | None) -> Tensor:
    return statistics if asked is None else torch.cat([statistics, asked.to(statistics)], dim=1)


def antithetic(noise: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
    """The first half of some noise and its negative: antithetic variates.

    The mean of an odd function of them is exact, and phase fractions are nearly odd, so that the
    samples of a step say more of their mean (Hammersley and Morton 1956, A new Monte Carlo
    technique: antithetic variates).
    """
    half = noise[: -(-len(noise) // 2)]
    return torch.cat([half, -half])[: len(noise)]
