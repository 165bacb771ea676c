"""How near to one another the training structures of a space lie."""

import torch
from jaxtyping import Float64
from torch import Tensor

__all__ = ["median_spacing"]


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
