"""Two sets of structures as points in a feature space: distance, coverage and copying."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from objectives.errors import EvaluationError

ROWS_AT_ONCE = 512
COPY_QUANTILE = 0.05


@dataclass(frozen=True)
class Memorization:
    """Answer of `memorization`.

    Parameters
    ----------
    closer
        Probability that a sample is nearer to a training structure than a held-out one is: 0.5
        if samples are like held-out structures, 1 if they are copies.
    copies
        Share of samples nearer to a training structure than 95 % of held-out ones: 0.05 if samples
        are like held-out structures.
    distance_ratio
        Median distance of samples over that of held-out structures: 1 if alike, 0 for copies.
    """

    closer: float
    copies: float
    distance_ratio: float


def frechet_distance(features: Float[Tensor, "n f"], others: Float[Tensor, "m g"]) -> float:
    r"""Squared Frechet distance of two Gaussians with the means and covariances of two sets.

    .. math:: |\mu_1 - \mu_2|^2 + \mathrm{tr}\left(\Sigma_1 + \Sigma_2
        - 2 (\Sigma_1 \Sigma_2)^{1/2}\right)

    Say which features beside the number: only with those of Inception-v3 is it the FID of the
    literature. It is biased upwards for few points; compare sets of one size, and read it beside
    the distance of two real sets.

    Parameters
    ----------
    features, others
        A row a structure, such as the scores of `TwoPointPCA`. At least two rows each.

    Returns
    -------
    Square of the features' unit; 0 for equal sets.

    Raises
    ------
    EvaluationError
        (A ``ValueError``.) Too few rows, different features, or values not finite.

    References
    ----------
    .. [1] Dowson, Landau (1982), The Frechet distance between multivariate normal distributions,
       J. Multivariate Analysis 12, 450.
    .. [2] Heusel et al. (2017), GANs trained by a two time-scale update rule converge to a local
       Nash equilibrium, NeurIPS.

    Examples
    --------
    The same points one step aside: the distance is the step squared.

    >>> points = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    >>> round(frechet_distance(points, points + torch.tensor([2.0, 0.0])), 6)
    4.0
    """
    a, b = _checked(features, others, at_least=2)
    shift = (a.mean(0) - b.mean(0)).square().sum()
    first, second = torch.atleast_2d(a.T.cov()), torch.atleast_2d(b.T.cov())
    # tr (S1 S2)^(1/2) = tr (S1^(1/2) S2 S1^(1/2))^(1/2), which is symmetric.
    values, vectors = torch.linalg.eigh(first)
    root = (vectors * values.clamp_min(0).sqrt()) @ vectors.T
    overlap = torch.linalg.eigvalsh(root @ second @ root).clamp_min(0).sqrt().sum()
    return max(0.0, float(shift + first.trace() + second.trace() - 2 * overlap))


def precision(
    samples: Float[Tensor, "n f"], reference: Float[Tensor, "m g"], *, k: int = 5
) -> float:
    """Share of samples that lie among the reference: within reach of one of its points.

    A point reaches as far as its k-th nearest neighbour in its own set. High if samples are
    realistic, also if they are all alike; in few dimensions a wide reference reaches everything.

    Parameters
    ----------
    samples, reference
        A row a structure; more than k each.
    k
        Neighbours.

    Raises
    ------
    EvaluationError
        (A ``ValueError``.) Too few rows, different features, or values not finite.

    References
    ----------
    .. [1] Kynkaanniemi et al. (2019), Improved precision and recall metric for assessing generative
       models, NeurIPS, eq. 1 to 3.

    Examples
    --------
    >>> line = torch.arange(10.0)[:, None]
    >>> precision(line, line, k=2), precision(line + 100, line, k=2)
    (1.0, 0.0)
    """
    inner, outer = _checked(samples, reference, at_least=k + 1)
    return _share_within_reach(inner, outer, k)


def recall(samples: Float[Tensor, "n f"], reference: Float[Tensor, "m g"], *, k: int = 5) -> float:
    """Share of the reference that lies among the samples: low if samples lack variety.

    `precision` with the sets exchanged; it has the parameters and errors.

    >>> line = torch.arange(10.0)[:, None]
    >>> recall(line[:5], line, k=2)
    0.7
    """
    return precision(reference, samples, k=k)


def memorization(
    samples: Float[Tensor, "n f"], training: Float[Tensor, "t g"], held_out: Float[Tensor, "m h"]
) -> Memorization:
    """Whether samples are nearer to the training structures than held-out structures are.

    Parameters
    ----------
    samples, training, held_out
        A row a structure: voxels in one row each, or other features. Euclidean distances. Phases
        of all three should be cut in the same way, or soft samples are nearer to everything.

    Raises
    ------
    EvaluationError
        (A ``ValueError``.) No rows, different features, or values not finite.

    References
    ----------
    .. [1] Meehan, Chaudhuri, Dasgupta (2020), A non-parametric test to detect data-copying in
       generative models, AISTATS (`closer` is its Mann-Whitney statistic over n m).

    Examples
    --------
    >>> training = torch.arange(4.0)[:, None]
    >>> memorization(training, training, training + 0.5)
    Memorization(closer=1.0, copies=1.0, distance_ratio=0.0)
    """
    samples, training = _checked(samples, training, at_least=1)
    held_out, _ = _checked(held_out, training, at_least=1)
    ours, theirs = (_nearest(rows, training) for rows in (samples, held_out))
    # Rank of each sample's distance among the held-out ones; ties count half.
    ordered = theirs.sort().values
    below = torch.searchsorted(ordered, ours, right=False)
    upto = torch.searchsorted(ordered, ours, right=True)
    return Memorization(
        closer=1 - float((below + upto).double().mean()) / (2 * len(theirs)),
        copies=float((ours < theirs.quantile(COPY_QUANTILE)).double().mean()),
        distance_ratio=float(ours.median() / theirs.median().clamp_min(1e-12)),
    )


def _share_within_reach(points: Tensor, centres: Tensor, k: int) -> float:
    """Share of points no further from some centre than its k-th neighbour among the centres."""
    reach = torch.cat(
        [_distances(part, centres).kthvalue(k + 1, dim=1).values for part in _parts(centres)]
    )
    inside = [(_distances(part, centres) <= reach).any(1) for part in _parts(points)]
    return float(torch.cat(inside).double().mean())


def _nearest(points: Tensor, centres: Tensor) -> Tensor:
    # A matrix product: thousands of voxels a row are too many for differences one by one.
    return torch.cat([torch.cdist(part, centres).amin(1) for part in _parts(points)])


def _parts(rows: Tensor) -> tuple[Tensor, ...]:
    return rows.split(ROWS_AT_ONCE)


def _distances(points: Tensor, centres: Tensor) -> Tensor:
    """Exact differences: a point is at distance 0 from itself."""
    return torch.cdist(points, centres, compute_mode="donot_use_mm_for_euclid_dist")


def _checked(features: Tensor, others: Tensor, *, at_least: int) -> tuple[Tensor, Tensor]:
    for rows in (features, others):
        if rows.ndim != 2 or rows.shape[1] == 0:
            raise EvaluationError(
                f"features should have shape (n, f), got {tuple(rows.shape)}. Flatten voxels with "
                "images.flatten(1)."
            )
        if len(rows) < at_least:
            raise EvaluationError(f"expected {at_least} rows or more in each set, got {len(rows)}.")
        if not bool(torch.isfinite(rows).all()):
            row = int((~torch.isfinite(rows)).any(1).nonzero()[0, 0])
            raise EvaluationError(f"features should be finite, row {row} is not. Leave it out.")
    if features.shape[1] != others.shape[1]:
        raise EvaluationError(
            f"both sets should have the same features, got {features.shape[1]} and "
            f"{others.shape[1]} columns."
        )
    return features.double(), others.double()
