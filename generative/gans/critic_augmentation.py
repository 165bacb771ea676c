"""Augmentation of all that a critic sees, as strong as keeps it from knowing images by heart."""

from itertools import combinations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from generative.gans.settings import AugmentConfig
from generative.stages.thinning import uniform_of

REACH = 0.125  # of a shift, in parts of a side
HOLE = 0.5  # side of what is cut out, in parts of the image's
GREY = 0.5  # what is put there: no phase
INTERVAL = 4  # steps from one change of the strength to the next


class CriticAugmentation(nn.Module):
    r"""Random changes of real and made images before a critic, each with probability p.

    Flips along each axis, quarter turns in each plane of equal sides, shifts of whole voxels and a
    hole of half the sides. None changes a phase. While p is at most .8 a generator does not learn
    to make augmented images, because only the original distribution fits the augmented one [1]_.

    p begins at 0 and moves by a fixed amount every four steps, towards a target of how far the
    critic knows its training images by heart:

    - with validation images :math:`r_v = (E\,D(\mathrm{train}) - E\,D(\mathrm{validation})) /
      (E\,D(\mathrm{train}) - E\,D(\mathrm{made}))`, which is 0 for none and 1 for all;
    - without them :math:`r_t = E\,\mathrm{sign}\,D(\mathrm{train})`, or, in a game of pairs where
      only differences have a meaning, of :math:`D(\mathrm{train}) - E\,D(\mathrm{made})`.

    Parameters
    ----------
    config
        Target, pace and largest p.
    image_shape
        ``(c, *space)``.
    periodic
        Whether images go on at the opposite face; otherwise a shift mirrors them at their faces.
    pairs
        Whether the game is one of pairs.

    References
    ----------
    .. [1] Karras et al. (2020), Training generative adversarial networks with limited data,
       sections 2 and 3, eq. 1.
    """

    strength_: Tensor
    sums_: Tensor

    def __init__(
        self, config: AugmentConfig, image_shape: tuple[int, ...], *, periodic: bool, pairs: bool
    ) -> None:
        super().__init__()
        self.config, self.periodic, self.pairs = config, periodic, pairs
        self.sides = image_shape[1:]
        axes = range(len(self.sides))
        self.planes = [p for p in combinations(axes, 2) if self.sides[p[0]] == self.sides[p[1]]]
        self.register_buffer("strength_", torch.zeros(()))
        self.register_buffer("sums_", torch.zeros(4, dtype=torch.float64))

    @property
    def noise_size(self) -> int:
        """Standard normal numbers that a change of an image takes."""
        return 2 + 3 * len(self.sides) + len(self.planes)

    def forward(
        self, images: Float[Tensor, "n c *space"], noise: Float[Tensor, "n k"]
    ) -> Float[Tensor, "n c *space"]:
        """Changed images; differentiable.

        Parameters
        ----------
        images
            Values in [0, 1].
        noise
            ``noise_size`` standard normal numbers a row.
        """
        p, dims = self.strength_, len(self.sides)
        chances = uniform_of(noise).split([dims, len(self.planes), 1, dims, 1, dims], dim=1)
        flips, turns, moved, shifts, holed, centres = chances
        for axis in range(dims):  # of those that may be flipped, half are
            flipped = self._of_rows(flips[:, axis] < p / 2)
            images = torch.where(flipped, images.flip(2 + axis), images)
        for i, (a, b) in enumerate(self.planes):
            quarters = (4 * turns[:, i] / p.clamp_min(1e-6)).floor()  # 4 and more: as it is
            upright = images
            for k in (1, 2, 3):
                turned = upright.rot90(k, (2 + a, 2 + b))
                images = torch.where(self._of_rows(quarters == k), turned, images)
        images = self._shifted(images, (2 * shifts - 1) * REACH * (moved < p))
        return self._cut_out(images, holed[:, 0] < p, centres)

    def measure(
        self,
        real: Float[Tensor, " n"],
        made: Float[Tensor, " n"],
        unseen: Float[Tensor, " v"] | None,
        step: int,
    ) -> None:
        """Remember scores of a step, and move p if it is the last of four.

        Parameters
        ----------
        real, made, unseen
            The critic's scores of training, made and validation images.
        step
            Number of the step.
        """
        centre = made.mean() if self.pairs else 0.0
        sign = (real - centre).sign().mean()
        last = real.mean() if unseen is None else unseen.mean()
        self.sums_ += torch.stack([real.mean(), made.mean(), last, sign]).double()
        if step % INTERVAL < INTERVAL - 1:
            return
        ahead = self.overfitting(validated=unseen is not None) > self.target(unseen is not None)
        change = INTERVAL * len(real) / self.config.pace * (1 if ahead else -1)
        self.strength_.add_(change).clamp_(0, self.config.largest)
        self.sums_.zero_()

    def overfitting(self, *, validated: bool) -> float:
        """How far the critic knows training images by heart, of the scores that are remembered."""
        real, made, unseen, sign = self.sums_.tolist()
        if not validated:
            return sign / INTERVAL
        # A critic that does not tell made images from real ones has learned nothing by heart.
        return (real - unseen) / (real - made) if real > made else 0.0

    def target(self, validated: bool) -> float:
        """The value to keep to: .5 with validation images and .6 without, unless one is set."""
        return self.config.target if self.config.target is not None else 0.5 if validated else 0.6

    def _shifted(self, images: Tensor, parts: Float[Tensor, "n axes"]) -> Tensor:
        for axis, side in enumerate(self.sides):
            steps = (parts[:, axis, None] * side).round().long()
            places = torch.arange(side, device=images.device) + steps
            mirrored = side - 1 - (side - 1 - places.abs()).abs()  # at the voxels of the faces
            places = places % side if self.periodic else mirrored
            images = images.gather(2 + axis, self._along(axis, places).expand_as(images))
        return images

    def _cut_out(self, images: Tensor, holed: Tensor, centres: Float[Tensor, "n axes"]) -> Tensor:
        inside = self._of_rows(holed)
        for axis, side in enumerate(self.sides):
            places = torch.arange(side, device=images.device) + 0.5
            near = (places - centres[:, axis, None] * side).abs() < HOLE * side / 2
            inside = inside & self._along(axis, near)
        return torch.where(inside, GREY, images)

    def _of_rows(self, values: Tensor) -> Tensor:
        return values.reshape(-1, 1, *(1 for _ in self.sides))

    def _along(self, axis: int, values: Tensor) -> Tensor:
        """Values (n, side) as one number for each place along an axis."""
        sides = [values.shape[1] if other == axis else 1 for other in range(len(self.sides))]
        return values.reshape(-1, 1, *sides)
