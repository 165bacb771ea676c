"""From a first point to one whose decoded structure is nearer to a given one: Adam on z."""

from collections.abc import Callable

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from generative.batching import VOXELS_PER_CHUNK
from generative.losses.two_point import autocorrelation
from objectives.phases import are_phases, cut_phases

__all__ = ["LEARNING_RATE", "descend"]

LEARNING_RATE = 0.1  # in standard deviations of z
LOOKS = 20  # moments of a descent at which the structure is compared


def descend(
    decode: Callable[[Tensor], Tensor],
    project: Callable[[Tensor], Tensor],
    start: Float64[Tensor, "n d"],
    targets: Float[Tensor, "n c *space"],
    *,
    steps: int,
    learning_rate: float = LEARNING_RATE,
    two_point_weight: float = 0.0,
    progress: Callable[[int, int], None] | None = None,
) -> Float64[Tensor, "n d"]:
    """Points that decode to what is nearer to the targets, by Adam on z [1]_.

    Each row descends on its own squared error of a voxel, in a fixed amount of memory. Of its start
    and `LOOKS` moments of the descent it keeps the one at which the fewest voxels lie in another
    phase, or of grey levels the one of the smallest squared error: no row ends further from its
    structure than it began.

    Parameters
    ----------
    decode, project
        Points to images, and points to the nearest ones inside the radius.
    start
        First points, inside the radius.
    targets
        Structures in [0, 1].
    steps, learning_rate, two_point_weight
        As in `InversionConfig`.
    progress
        Called with the rows done and all rows.

    Raises
    ------
    TypeError
        If the decoded images have no gradient.

    References
    ----------
    .. [1] Chu et al. (2024), Inversion-based Latent Bayesian Optimization (NeurIPS).
    """
    size = max(1, VOXELS_PER_CHUNK // targets[:1].numel()) if len(targets) else 1
    parts = []
    for first, rows in zip(start.split(size), targets.split(size), strict=True):
        if steps and len(rows):
            first = _descend_rows(
                decode, project, first, rows, steps, learning_rate, two_point_weight
            )
        parts.append(first)
        if progress is not None:
            progress(sum(map(len, parts)), len(targets))
    return torch.cat(parts)


def _descend_rows(
    decode: Callable[[Tensor], Tensor],
    project: Callable[[Tensor], Tensor],
    start: Tensor,
    targets: Tensor,
    steps: int,
    learning_rate: float,
    two_point_weight: float,
) -> Tensor:
    misfit = _Misfit(targets)
    best, least = start.clone(), torch.full((len(start),), torch.inf, dtype=torch.float64)
    moments = {steps * i // LOOKS for i in range(LOOKS + 1)}
    z = start.clone().requires_grad_(True)
    optimizer = torch.optim.Adam([z], learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for step in range(steps + 1):
        with torch.set_grad_enabled(step < steps):
            decoded = decode(z)
        if step in moments:
            left = misfit(decoded.detach())
            better = left < least
            best[better], least[better] = z.detach()[better], left[better]
        if step == steps:
            break
        if not decoded.requires_grad:
            raise TypeError(
                "the model's decode(code) answers without a gradient, and inversion descends along "
                "it. Ask for 0 steps of inversion, or decode by torch operations."
            )
        with torch.enable_grad():
            # A sum over rows: each row's gradient, and Adam's step, are its own.
            loss = _row_errors(decoded, targets, two_point_weight).sum()
        (z.grad,) = torch.autograd.grad(loss, z)
        optimizer.step()
        schedule.step()
        with torch.no_grad():
            z.copy_(project(z.detach()))
    return best


class _Misfit:
    """What moments are compared by: share of voxels in another phase, or squared error of levels.

    Parameters
    ----------
    targets
        Each row is phases or grey levels by itself, whatever the others are.
    """

    def __init__(self, targets: Float[Tensor, "n c *space"]) -> None:
        self.targets, self.phases = targets, cut_phases(targets)
        self.are_phases = torch.tensor([are_phases(row[None]) for row in targets])

    def __call__(self, decoded: Float[Tensor, "n c *space"]) -> Float64[Tensor, " n"]:
        """Of each row."""
        share = (cut_phases(decoded) != self.phases).any(1).flatten(1).double().mean(1)
        return torch.where(self.are_phases, share, _row_errors(decoded, self.targets, 0.0).double())


def _row_errors(
    decoded: Float[Tensor, "n c *space"], targets: Float[Tensor, "n c *space"], two_point: float
) -> Float[Tensor, " n"]:
    errors = (decoded - targets).square().flatten(1).mean(1)
    if two_point:
        difference = autocorrelation(decoded) - autocorrelation(targets)
        errors = errors + two_point * difference.square().flatten(1).mean(1)
    return errors
