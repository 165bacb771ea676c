"""How far two sets of structures are apart: in their statistics, by the energy distance."""

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from generative.detail import FAINTEST
from generative.variogram import variogram

FITTED = 4096  # images, at most, that fix components of their statistics
NUMBERS = 2**23  # statistics of all of them, at most
ROWS = 256  # at once
SMALLEST = 1e-3  # spread of a component, over the largest, that is more than rounding

Measure = Callable[[Tensor, int], Tensor]  # (n, c, *space), reach -> (n, f)


def amount(images: Float[Tensor, "n c *space"], reach: int = 0) -> Float[Tensor, "n c"]:
    """Phase fractions."""
    return images.float().flatten(2).mean(2)


def interface(images: Float[Tensor, "n c *space"], reach: int) -> Float[Tensor, "n f"]:
    """Variograms as they are: at the shortest shifts, the interface that each direction crosses."""
    return _half(images, reach).flatten(1)


def texture(images: Float[Tensor, "n c *space"], reach: int) -> Float[Tensor, "n f"]:
    """Phase fractions, and logarithms of variograms: every shift in proportion to what it is."""
    found = _half(images, reach)
    return torch.cat([amount(images), found.clamp_min(FAINTEST).log().flatten(1)], dim=1)


def two_point(images: Float[Tensor, "n c *space"], reach: int) -> Float[Tensor, "n f"]:
    """Mean squares, of phases their fractions; and less the variograms, two-point correlations."""
    squares = images.float().square().flatten(2).mean(2)
    return torch.cat([squares, (squares[..., None] - _half(images, reach)).flatten(1)], dim=1)


class SetStatistics(nn.Module):
    """Statistics of structures, in the whitened principal components of a set of images.

    Parameters
    ----------
    measure
        What is taken of each structure: `amount`, `interface`, `texture` or `two_point`.
    reach
        Largest shift along each axis, in voxels.
    components
        How many; the last ones of many are noise of single images, which no decoder can meet.
    equal
        Whether each statistic is divided by its spread before.
    """

    def __init__(self, measure: Measure, reach: int, components: int, *, equal: bool) -> None:
        super().__init__()
        self.measure, self.reach, self.components, self.equal = measure, reach, components, equal

    @torch.no_grad()
    def fit(self, images: Float[Tensor, "n c *space"]) -> "SetStatistics":
        """Take mean, spread and components from images; constant statistics count for nothing."""
        size = self.measure(images[:1], self.reach).shape[1]
        images = images[:: -(-len(images) // max(2, min(FITTED, NUMBERS // size)))]
        found = torch.cat([self._of(rows) for rows in images.split(ROWS)])
        mean = found.mean(0)
        spread = found.std(0).clamp_min(1e-6) if self.equal else torch.ones_like(mean)
        _, lengths, axes = torch.linalg.svd((found - mean) / spread, full_matrices=False)
        smallest = math.sqrt(len(images)) * (SMALLEST if self.equal else SMALLEST**2)
        varied = lengths > SMALLEST * lengths[0].clamp_min(smallest / SMALLEST)
        kept = min(self.components, int(varied.sum()))
        whitening = axes[:kept].T * math.sqrt(len(images)) / lengths[:kept]
        self.register_buffer("mean_", mean, persistent=False)
        self.register_buffer("axes_", whitening / spread[:, None], persistent=False)
        return self

    def forward(self, images: Float[Tensor, "n c *space"]) -> Float[Tensor, "n k"]:
        """Components of images, of mean 0 and variance 1 over those that fixed them."""
        return (self._of(images) - self.mean_) @ self.axes_

    def _of(self, images: Tensor) -> Tensor:
        return self.measure(images, self.reach).double()  # which no half precision touches


class Recent(nn.Module):
    """The rows that were put in last, so that a step can be compared with more than it shows.

    Parameters
    ----------
    size, width
        How many rows are kept, and the numbers of each.
    """

    def __init__(self, size: int, width: int) -> None:
        super().__init__()
        self.register_buffer("rows_", torch.zeros(size, width, dtype=torch.float64))
        self.register_buffer("seen_", torch.zeros((), dtype=torch.long))

    def put(self, rows: Float[Tensor, "n k"]) -> Float[Tensor, "m k"]:
        """What is kept with these, which take the place of the oldest."""
        rows, size = rows.detach()[-len(self.rows_) :], len(self.rows_)
        places = (self.seen_ + torch.arange(len(rows), device=rows.device)) % size
        self.rows_[places] = rows.double()
        self.seen_ += len(rows)
        return self.rows_[: min(int(self.seen_), size)].clone()


def energy_distance(x: Float[Tensor, "n k"], y: Float[Tensor, "m k"]) -> Float[Tensor, ""]:
    r"""How far two sets are apart, without bias: 0 on average for two sets of one distribution.

    .. math:: 2\,E|X - Y| - E|X - X'| - E|Y - Y'|

    Székely and Rizzo (2013), Energy statistics: A class of statistics based on distances, J. Stat.
    Plan. Inference 143.
    """
    return 2 * torch.cdist(x, y).mean() - torch.pdist(x).mean() - torch.pdist(y).mean()


def _half(images: Tensor, reach: int) -> Tensor:
    """The variogram at half of the shifts: the others are the same backwards."""
    found = variogram(images, reach)
    return found[..., : found.shape[-1] // 2]
