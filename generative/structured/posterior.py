"""What a pose-aware encoder says of images, and how far that is from what is expected."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Found:
    """What the encoder says of images: a distribution over pose and content."""

    log_turn: Float[Tensor, "n k"]  # logarithm of the probability of each turn
    small: Float[Tensor, "n k free"]  # rotation that refines it
    shift: Float[Tensor, "n k dims"]  # in the frame of the structure
    small_spread: Float[Tensor, "n k free"]
    shift_spread: Float[Tensor, "n k dims"]
    turns: Float[Tensor, "k dims dims"]
    features: Float[Tensor, "n k h"]  # of each turned copy
    mean: Float[Tensor, "n d"]
    log_variance: Float[Tensor, "n d"]


def from_standard_normal(
    mean: Float[Tensor, "n d"], log_variance: Float[Tensor, "n d"]
) -> Float[Tensor, ""]:
    """Kullback-Leibler divergence in nats, mean over rows."""
    return 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum(-1).mean()


def gaussian(off: Float[Tensor, "n f"], spread: Float[Tensor, "n f"]) -> Float[Tensor, ""]:
    """Negative log-likelihood up to a constant, mean over rows."""
    return (0.5 * (off / spread) ** 2 + spread.log()).sum(1).mean()
