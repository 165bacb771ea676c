"""How near to one another the training structures of a space lie."""

import torch
from jaxtyping import Float64
from torch import Tensor

from generative.batching import map_rows

__all__ = ["median_spacing", "nearest_distance"]


def median_spacing(reference: Float64[Tensor, "r d"]) -> float:
    """Median distance between a point and its nearest other, above 0.

    Raises
    ------
    ValueError
        For fewer than two points.
    """
    if len(reference) < 2:
        raise ValueError("this space keeps no training structures to measure from.")
    nearest = [
        torch.cdist(part, reference).kthvalue(2, dim=1).values for part in reference.split(256)
    ]
    return max(float(torch.cat(nearest).median()), 1e-12)


def nearest_distance(
    points: Float64[Tensor, "n d"], reference: Float64[Tensor, "r d"]
) -> Float64[Tensor, " n"]:
    """Distance of each point to the nearest of the reference, on the points' device."""
    near = reference.to(points.device)
    return map_rows(lambda rows: torch.cdist(rows, near).amin(1), points, len(near))
