"""How far two sets of structures are apart: in distances and moments of statistics."""

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from generative.losses.variogram import FAINTEST, variogram

FITTED = 4096  # images, at most, that fix components of their statistics
NUMBERS = 2**23  # statistics of all of them, at most
ROWS = 256  # at once
SMALLEST = 1e-3  # spread of a component, over the largest, that is more than rounding

Measure = Callable[[Tensor, int], Tensor]  # (n, c, *space), reach -> (n, f)
Pairwise = Callable[[Tensor, Tensor], Tensor]  # (n, k), (m, k) -> (n, m)


def amount(images: Float[Tensor, "n c *space"], reach: int = 0) -> Float[Tensor, "n c"]:
    """Phase fractions."""
    return images.float().flatten(2).mean(2)


def interface(images: Float[Tensor, "n c *space"], reach: int) -> Float[Tensor, "n f"]:
    """Variograms as they are: at the shortest shifts, the interface that each direction crosses."""
    return _half(images, reach).flatten(1)


def amount_and_interface(images: Float[Tensor, "n c *space"], reach: int) -> Float[Tensor, "n f"]:
    """Phase fractions, and variograms as they are."""
    return torch.cat([amount(images), interface(images, reach)], dim=1)


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
        What is taken of each structure: `amount`, `interface`, both, `texture` or `two_point`.
    reach
        Largest shift along each axis, in voxels.
    components
        How many; the last ones of many are noise of single images, which no decoder can meet.
    equal
        Whether each statistic is divided by its spread before.
    """

    mean_: Tensor
    axes_: Tensor

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

    rows_: Tensor
    seen_: Tensor

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


def set_distance(
    x: Float[Tensor, "n k"],
    y: Float[Tensor, "m k"],
    between: Pairwise = torch.cdist,
    *,
    among: Float[Tensor, "l k"] | None = None,
    antithetic: bool = False,
) -> Float[Tensor, ""]:
    r"""How far two sets are apart, without bias: 0 on average for two sets of one distribution.

    .. math:: 2\,E\,d(X, Y) - E\,d(X, X') - E\,d(Y, Y')

    With Euclidean distances of rows, the energy distance of Székely and Rizzo (2013); with
    `moment_kernel`, twice the squared difference of means plus that of second moments.

    Parameters
    ----------
    x, y
        Two sets.
    between
        What is compared of each row with each.
    among
        Rows that stand for all ``Y`` where rows of ``x`` are compared with them; ``y`` by itself.
    antithetic
        Whether each row of the second half of ``x`` was drawn from the negative of the noise that a
        row of the first half was drawn from. These two are no independent pair.

    References
    ----------
    .. [1] Székely and Rizzo (2013), Energy statistics: A class of statistics based on distances,
       J. Stat. Plan. Inference 143.
    .. [2] Gretton et al. (2012), A kernel two-sample test, J. Mach. Learn. Res. 13, lemma 6.
    """
    across = between(x, y if among is None else among).mean()
    n, far = len(x), -(-len(x) // 2)
    within_x = _mean_of_pairs(between(x, x), far if antithetic and n > 2 else 0)
    return 2 * across - within_x - _mean_of_pairs(between(y, y))


def moment_kernel(x: Float[Tensor, "n k"], y: Float[Tensor, "m k"]) -> Float[Tensor, "n m"]:
    """Less the square of 1 plus the product of two rows: what tells means and second moments."""
    return -(1 + x @ y.T).square()


def _mean_of_pairs(values: Float[Tensor, "n n"], opposite: int = 0) -> Float[Tensor, ""]:
    """Mean over pairs of two different rows, those so far apart in number left out."""
    rows = torch.arange(len(values), device=values.device)
    apart = (rows[:, None] - rows).abs()
    return values[(apart != 0) & (apart != opposite)].mean()


def _half(images: Tensor, reach: int) -> Tensor:
    """The variogram at half of the shifts: the others are the same backwards."""
    found = variogram(images, reach)
    return found[..., : found.shape[-1] // 2]
