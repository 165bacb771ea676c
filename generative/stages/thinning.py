"""Conditions of a batch, some left out, so that any part of a wish can be asked for."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

DROPPED = 0.15  # part of the conditions that are left out, each by itself and all together


def thinned(
    condition: Float[Tensor, "n f"], groups: tuple[slice, ...], uniform: Float[Tensor, "n k"]
) -> Float[Tensor, "n f"]:
    """Conditions of which some are zeros, which ask for nothing.

    Parameters
    ----------
    condition
        As `Conditions.rows` answers.
    groups
        The numbers that are left out together, see `Conditions.groups`.
    uniform
        Random numbers from 0 to 1, one for the whole row and one for each group.
    """
    condition = condition * (uniform[:, :1] > DROPPED)
    for i, group in enumerate(groups):
        keep = torch.ones_like(condition)
        keep[:, group] = (uniform[:, 1 + i : 2 + i] > DROPPED).to(condition)
        condition = condition * keep
    return condition


def uniform_of(normal: Float[Tensor, "n k"]) -> Float[Tensor, "n k"]:
    """Standard normal numbers as uniform ones."""
    return 0.5 * (1 + torch.erf(normal / math.sqrt(2)))
