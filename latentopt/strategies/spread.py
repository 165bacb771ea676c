"""Training structures as different from one another as possible: where a search begins."""

import torch
from jaxtyping import Float64
from torch import Tensor

from latentopt.space.features import StructureFeatures
from latentopt.space.latent_space import LatentSpace

_POOL = 512  # training structures to choose from: more cost time and spread no further


def spread_points(space: LatentSpace, n: int, *, seed: int) -> Float64[Tensor, "m d"]:
    """Latent points of training structures whose two-point statistics lie far apart.

    Distance in z says little of how structures differ (in 64 dimensions all points are about
    equally far apart), so it is measured where properties see it: between the features of what the
    points decode to. From a random point on, the next is always the one farthest from those chosen
    (Gonzalez 1985).

    Parameters
    ----------
    space
        Its `reference_` points are chosen from, after projection into its radius; draws if it has
        none.
    n
        How many; the first are the same for every n.
    seed
        Fixes the choice.

    Returns
    -------
    Up to `n` points: fewer if the space keeps fewer.
    """
    features = StructureFeatures.of(space)
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(features.reference), generator=generator)[:_POOL]
    scores = features.reference_scores[order]
    chosen, distance = [0], torch.cdist(scores, scores[:1])[:, 0]
    while len(chosen) < min(n, len(order)):
        distance[chosen] = -1.0  # never twice, even among equal structures
        chosen.append(int(distance.argmax()))
        distance = torch.minimum(distance, torch.cdist(scores, scores[chosen[-1:]])[:, 0])
    return features.reference[order[chosen[:n]]]
