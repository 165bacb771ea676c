"""Which points are new."""

import torch
from jaxtyping import Bool, Float64
from torch import Tensor

_SAME = 1e-6  # points nearer than this are one point


def apart(points: Float64[Tensor, "m d"], taken: Float64[Tensor, "n d"]) -> Bool[Tensor, " m"]:
    """Whether each point differs from all that were taken, of which there is at least one."""
    return torch.cdist(points, taken).amin(1) > _SAME
