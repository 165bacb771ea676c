"""Whether two sets of structures have the same statistics: a permutation test and its control."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from objectives.arrays import Array
from objectives.errors import EvaluationError
from objectives.fidelity.statistics import check_alike, two_point_vectors
from objectives.images import checked_images, in_kind

Parents = Sequence[int] | np.ndarray | Tensor
SMALLEST_P = 0.05  # a test that cannot go below says nothing
COMPONENTS = 10
ROUNDING = 1e-6  # of statistics that never vary


@dataclass(frozen=True)
class EnsembleTest:
    """Answer of `ensemble_test`.

    Parameters
    ----------
    p_value
        Probability of a difference as large if both sets came from one source; in (0, 1].
    t_squared
        Difference of the two means: its squared length in standard errors over the components.
    largest_z
        Largest difference at a single shift, in standard errors. For reading only: the most telling
        differences are often small at every shift.
    units
        Independent units compared in each set: parents, or images if none were given.
    """

    p_value: float
    t_squared: float
    largest_z: float
    units: tuple[int, int]


def ensemble_test(
    images: Float[Tensor, "n c *space"] | Float[np.ndarray, "n c *space"],
    others: Float[Tensor, "m k *size"] | Float[np.ndarray, "m k *size"],
    *,
    parents: tuple[Parents, Parents] | None = None,
    cutoff: int | None = None,
    permutations: int = 999,
    seed: int = 0,
) -> EnsembleTest:
    r"""Permutation test that two sets of structures have the same mean two-point statistics.

    The statistics of all units of both sets are projected on their first principal components (10,
    or half as many as there are units), scaled to unit variance, and the two means compared by

    .. math:: T^2 = \frac{n_A n_B}{n_A + n_B} \, |\bar s_A - \bar s_B|^2.

    This is compared with its own distribution when units change sets at random, so the p-value is
    exact: of two sets from one source it falls below 0.05 in at most 5 % of cases. Components, not
    single shifts: structures differ from each other most in their phase fraction, which moves all
    shifts together and hides what their texture does. The test sees the mean of a set and not its
    spread; `recall` sees a set that lacks variety.

    Parameters
    ----------
    images, others
        Sets of one shape, of two phases (one channel) or more. Cut soft images first.
    parents
        Specimen or region each image of the two sets was cut from. Images of one parent are
        correlated: treated as independent they make sets from one source seem different. Each
        parent then counts once, by the mean of its images. A set whose parents have many images
        and one whose parents have one have units of different spread; give one image a parent then.
    cutoff
        Largest shift along each axis; by default a quarter of the shortest axis.
    permutations
        Random exchanges; the p-value is a multiple of 1 / (permutations + 1).
    seed
        Fixes the exchanges.

    Raises
    ------
    EvaluationError
        (A ``ValueError``.) The sets differ in shape, share a parent, or have so few units that no
        difference could ever fall below 0.05.

    References
    ----------
    .. [1] Hotelling (1931), The generalization of Student's ratio, Ann. Math. Stat. 2, 360 (with
       the covariance of both sets together, which an exchange does not change).
    .. [2] Phipson, Smyth (2010), Permutation p-values should never be zero, Stat. Appl. Genet.
       Mol. Biol. 9, 39.
    """
    check_alike(images, others)
    a, b = (two_point_vectors(x, cutoff=cutoff) for x in (images, others))
    if parents is not None:
        _check_disjoint(*parents)
        a, b = (_parent_means(rows, ids) for rows, ids in zip((a, b), parents, strict=True))
    n, m = len(a), len(b)
    _check_units(n, m, permutations)
    rows = torch.cat([a, b])
    squares = _squares(_components(rows), n, permutations, seed)
    as_large = int((squares[1:] >= squares[0] * (1 - 1e-6) - ROUNDING).sum())
    scale = n * m / (n + m)
    spread = rows.std(0).clamp_min(ROUNDING)
    return EnsembleTest(
        p_value=(1 + as_large) / (1 + permutations),
        t_squared=scale * float(squares[0]),
        largest_z=math.sqrt(scale) * float(((a.mean(0) - b.mean(0)).abs() / spread).amax()),
        units=(n, m),
    )


def shuffled_pixels(
    images: Float[Array, "n c *space"], seed: int = 0
) -> Float[Array, "n c *space"]:
    """Each image with its voxels in random order: the same phase fractions and no structure.

    A control. A test of structure that accepts these accepts anything.

    Parameters
    ----------
    images
        ``(n, c, *space)`` in [0, 1]; the channels of a voxel stay together.
    seed
        Fixes the order.

    Raises
    ------
    EvaluationError
        (A ``ValueError``.) The images are not images.

    Examples
    --------
    >>> images = torch.rand(2, 1, 8, 8)
    >>> torch.allclose(shuffled_pixels(images).mean((1, 2, 3)), images.mean((1, 2, 3)))
    True
    """
    x = checked_images(images)
    generator = torch.Generator().manual_seed(seed)
    voxels = math.prod(x.shape[2:])
    rows = [
        row.flatten(1)[:, torch.randperm(voxels, generator=generator).to(x.device)] for row in x
    ]
    return in_kind(torch.stack(rows).reshape(x.shape) if rows else x, images)


def fewest_units() -> int:
    """Units each of two equal sets needs for `ensemble_test` to be able to tell them apart.

    >>> fewest_units()
    4
    """
    n = 1
    while _smallest_p(n, n) > SMALLEST_P:
        n += 1
    return n


def _components(rows: Float[Tensor, "units f"]) -> Float[Tensor, "units k"]:
    """Scores of the first principal components, of unit variance; none if nothing varies."""
    centred = rows.double() - rows.double().mean(0)
    kept = min(COMPONENTS, len(rows) // 2, rows.shape[1])
    if len(rows) <= rows.shape[1]:
        values, vectors = torch.linalg.eigh(centred @ centred.T)
    else:  # the same scores from the smaller matrix
        values, axes = torch.linalg.eigh(centred.T @ centred)
        vectors = centred @ axes / values.clamp_min(1e-300).sqrt()
    values, vectors = values[-kept:], vectors[:, -kept:]
    real = values > rows.numel() * ROUNDING**2
    return vectors[:, real] * math.sqrt(len(rows) - 1)


def _squares(
    scores: Float[Tensor, "units k"], n: int, permutations: int, seed: int
) -> Float[Tensor, "exchanges"]:
    """Squared distance of the means as given (first) and after each exchange."""
    generator = torch.Generator().manual_seed(seed)
    draws = torch.rand(permutations, len(scores), generator=generator).argsort(1)
    order = torch.cat([torch.arange(len(scores))[None], draws]).to(scores.device)
    weights = torch.where(order < n, 1 / n, -1 / (len(scores) - n)).to(scores)
    return (weights @ scores).square().sum(1)


def _parent_means(rows: Float[Tensor, "n f"], parents: Parents) -> Float[Tensor, "p f"]:
    ids = np.asarray(parents)
    if ids.shape != (len(rows),):
        raise EvaluationError(
            f"parents should name one parent for each of {len(rows)} images, got {ids.shape}."
        )
    unique, which = np.unique(ids, return_inverse=True)
    index = torch.as_tensor(which, device=rows.device)
    sums = rows.new_zeros(len(unique), rows.shape[1]).index_add(0, index, rows)
    return sums / torch.bincount(index)[:, None]


def _check_disjoint(parents: Parents, others: Parents) -> None:
    shared = np.intersect1d(np.asarray(parents), np.asarray(others))
    if len(shared):
        raise EvaluationError(
            f"the two sets share {len(shared)} parents (the first: {shared[0]}), so they are not "
            "independent. Split by parent, and number the parents of both sets apart."
        )


def _check_units(n: int, m: int, permutations: int) -> None:
    smallest = max(_smallest_p(n, m), 1 / (permutations + 1))
    if smallest > SMALLEST_P:
        raise EvaluationError(
            f"{n} and {m} independent units with {permutations} permutations cannot give a p-value "
            f"below {smallest:.2g}. Compare {fewest_units()} or more in each set, with 999."
        )


def _smallest_p(n: int, m: int) -> float:
    """Share of all exchanges that leave the two sets as they are, or swap them whole."""
    return (2 if n == m else 1) / math.comb(n + m, n)
