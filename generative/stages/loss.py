"""What a step of a training minimizes."""

from dataclasses import dataclass, field

from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Loss:
    """Total to minimize, per voxel, and the terms it is made of, per image."""

    total: Float[Tensor, ""]
    terms: dict[str, float] = field(default_factory=dict)
