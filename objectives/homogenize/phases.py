"""Properties of phases, and of the voxels that hold them."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from objectives.errors import EvaluationError


def checked_properties(
    name: str, values: Sequence[float | int], x: Float[Tensor, "n c *space"]
) -> list[float]:
    """Non-negative `values`, one for each phase of the images."""
    phases = [float(value) for value in values]
    if len(phases) < 2 or not all(math.isfinite(value) and value >= 0 for value in phases):
        raise ValueError(
            f"{name} should be two or more finite numbers >= 0, one a phase, got {phases}."
        )
    require_one_a_phase(name, phases, x)
    return phases


def require_phases(name: str, phases: Sequence[float | int], channels: int) -> None:
    """Refuse properties of more or fewer phases than images of so many channels have."""
    if len(phases) != max(channels, 2):
        raise EvaluationError(
            f"images with {channels} channel(s) have {max(channels, 2)} phases, got "
            f"{len(phases)} values of {name}. Give one a phase."
        )


def require_one_a_phase(
    name: str, phases: Sequence[float | int], x: Float[Tensor, "n c *space"]
) -> None:
    """Refuse images that have other phases than these, or fractions that don't add to 1."""
    channels = x.shape[1]
    require_phases(name, phases, channels)
    if channels > 1 and len(x):
        low, high = torch.aminmax(x.detach().sum(1))
        if low < 0.99 or high > 1.01:
            raise EvaluationError(
                "images with one channel a phase should add to 1 in every voxel, got sums from "
                f"{float(low):.4g} to {float(high):.4g}. Segment them, or divide by the sum."
            )


def phase_mean(
    x: Float64[Tensor, "n c *space"], phases: Sequence[float]
) -> Float64[Tensor, "n *space"]:
    """Mean of a property over the phases in each voxel, weighted by their fractions."""
    if x.shape[1] == 1:
        return phases[0] + (phases[1] - phases[0]) * x[:, 0]
    return torch.einsum("nc...,c->n...", x, x.new_tensor(phases))
