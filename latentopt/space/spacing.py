"""How near to one another the training structures of a space lie, and how far out."""

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from generative.batching import map_rows

__all__ = ["box_around", "median_spacing", "nearest_distance", "nearest_rows"]


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


def nearest_rows(
    points: Float64[Tensor, "n d"], reference: Float64[Tensor, "r d"]
) -> Int64[Tensor, " n"]:
    """Row of the reference that is nearest to each point, on the points' device."""
    near = reference.to(points.device)
    return map_rows(lambda rows: torch.cdist(rows, near).argmin(1), points, len(near))


def box_around(reference: Float64[Tensor, "r d"]) -> Float64[Tensor, "2 d"]:
    """Lower and upper bound of each number: those of the points, at least -3 to 3."""
    low = reference.new_full((1, reference.shape[1]), -3.0)
    return torch.stack([torch.cat([low, reference]).amin(0), torch.cat([-low, reference]).amax(0)])
