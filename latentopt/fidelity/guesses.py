"""How good the points are that an encoder guesses, and what inversion makes of them."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from latentopt.space.latent_space import LatentSpace
from objectives.fidelity.pixels import mse, pixel_error
from objectives.fidelity.statistics import two_point_mae
from objectives.phases import are_phases, cut_phases

__all__ = ["Guesses", "guess_figures", "guess_section", "rows_to_invert"]

STEPS, STRUCTURES = 100, 32
AT_ONCE = 8  # rows from one word of progress to the next


class Guesses(NamedTuple):
    """Means over images, and over draws.

    Parameters
    ----------
    mse
        Squared error of a voxel of the decoded points.
    voxels_wrong
        Share of voxels in another phase; None of grey levels.
    two_point_mae
        Mean absolute error of the periodic two-point statistics, of phases cut where there are any.
    cycle_error
        Root mean square of encode(decode(z)) - z, z being draws of unit variance.
    """

    mse: float
    voxels_wrong: float | None
    two_point_mae: float
    cycle_error: float


def rows_to_invert(held_out: int) -> int:
    """How many structures `guess_figures` inverts, given so many images."""
    return min(held_out, STRUCTURES) + STRUCTURES


def guess_figures(
    space: LatentSpace,
    held_out: Float[np.ndarray, "m c *space"],
    *,
    steps: int = STEPS,
    progress: Callable[[int], None] | None = None,
) -> dict[int, Guesses]:
    """Figures of the encoder alone and after inversion, by the number of steps.

    Parameters
    ----------
    space
        Of a model with an encoder.
    held_out
        Images it has not seen, of which 32 are taken from all over.
    steps
        Of inversion.
    progress
        Called with the structures inverted so far, of `rows_to_invert`.
    """
    kept = min(STRUCTURES, len(held_out))
    images = torch.from_numpy(held_out[np.arange(kept) * len(held_out) // kept])
    draws = space.sample(STRUCTURES, seed=0)
    phases = are_phases(images)
    figures = {}
    for taken in (0, steps):
        soft, cycle = _inverted(space.inverting(taken), images, draws, progress if taken else None)
        shown = cut_phases(soft) if phases else soft
        figures[taken] = Guesses(
            mse=float(mse(images, soft).mean()),
            voxels_wrong=float(pixel_error(images, shown).mean()) if phases else None,
            two_point_mae=float(two_point_mae(images, shown).mean()),
            cycle_error=float(cycle.square().mean().sqrt()),
        )
    return figures


def _inverted(
    space: LatentSpace, images: Tensor, draws: Tensor, progress: Callable[[int], None] | None
) -> tuple[Tensor, Tensor]:
    """Images that are encoded and decoded, and cycle errors of draws; a few rows at a time."""

    def of(rows: Tensor, way: Callable[[Tensor], Tensor], before: int) -> Tensor:
        parts = []
        for first in range(0, len(rows), AT_ONCE):
            parts.append(way(rows[first : first + AT_ONCE]))
            if progress is not None:
                progress(before + min(len(rows), first + AT_ONCE))
        return torch.cat(parts)

    with torch.no_grad():
        soft = of(images, lambda x: space.decode(space.encode(x)), 0)
        return soft, of(draws, space.cycle_error, len(images))


def guess_section(figures: dict[int, Guesses]) -> str:
    """The figures as a section of a model card."""
    lines = "\n".join(
        f"| {f'{steps} steps of inversion' if steps else 'encoder alone'} | {found.mse:.4f} | "
        f"{'-' if found.voxels_wrong is None else f'{found.voxels_wrong:.1%}'} | "
        f"{found.two_point_mae:.5f} | {found.cycle_error:.2f} |"
        for steps, found in figures.items()
    )
    return f"""
## Points of images

The encoder guesses, and inversion improves the guess: `space.inverting(steps).encode(images)`.
Errors are of {STRUCTURES} held-out images, or all where there are fewer. The cycle error is the
root mean square of encode(decode(z)) - z over {STRUCTURES} draws, whose numbers have variance 1.

| points of | MSE | voxels wrong | two-point MAE | cycle error |
|---|---|---|---|---|
{lines}
"""
