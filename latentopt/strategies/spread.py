"""Training structures as different from one another as possible: where a search begins."""

import torch
from jaxtyping import Float64
from torch import Tensor

from latentopt.space import LatentSpace
from objectives.two_point import two_point_statistics

_POOL = 512  # training structures to choose from: more cost time and spread no further
_SCORES = 6  # principal components of the statistics that tell structures apart
_CUTOFF = 16  # largest shift compared, in voxels


def spread_points(space: LatentSpace, n: int, *, seed: int) -> Float64[Tensor, "m d"]:
    """Latent points of training structures whose two-point statistics lie far apart.

    Distance in z says little of how structures differ (in 64 dimensions all points are about
    equally far apart), so it is measured where properties see it: between principal components of
    the two-point statistics of what the points decode to, each with variance 1. From a random
    point on, the next is always the one farthest from those chosen (Gonzalez 1985).

    Parameters
    ----------
    space
        Its `reference_` points are chosen from, after projection into its radius.
    n
        How many; the first are the same for every n.
    seed
        Fixes the choice.

    Returns
    -------
    Up to `n` points: fewer if the space keeps fewer.
    """
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(space.reference_), generator=generator)[:_POOL]
    pool = space.project(space.reference_[order])
    if len(pool) <= 1:
        return pool[:n]
    scores = _structure_scores(space, pool)
    chosen, distance = [0], torch.cdist(scores, scores[:1])[:, 0]
    while len(chosen) < min(n, len(pool)):
        distance[chosen] = -1.0  # never twice, even among equal structures
        chosen.append(int(distance.argmax()))
        distance = torch.minimum(distance, torch.cdist(scores, scores[chosen[-1:]])[:, 0])
    return pool[chosen[:n]]


def _structure_scores(space: LatentSpace, z: Float64[Tensor, "n d"]) -> Float64[Tensor, "n k"]:
    sides = space.image_shape[1:]
    cutoff = min(_CUTOFF, (min(sides) - 1) // 2)
    statistics = [
        two_point_statistics(space.decode(part), cutoff=cutoff).flatten(1).double()
        for part in z.split(64)
    ]
    statistics = torch.cat(statistics)
    left, spread, _ = torch.linalg.svd(statistics - statistics.mean(0), full_matrices=False)
    real = spread > 1e-6 * spread[0].clamp_min(1e-12)
    return left[:, real][:, :_SCORES]  # columns of equal length: variance 1 each, up to a factor
