"""How good the points are that an encoder guesses, and what inversion makes of them."""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float

from latentopt.space.latent_space import LatentSpace
from objectives.fidelity.pixels import mse, pixel_error
from objectives.fidelity.statistics import two_point_mae
from objectives.phases import are_phases, cut_phases

__all__ = ["Guesses", "guess_figures", "guess_section"]

STEPS, STRUCTURES = 100, 32


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


def guess_figures(
    space: LatentSpace, held_out: Float[np.ndarray, "m c *space"], *, steps: int = STEPS
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
    """
    images = torch.from_numpy(held_out[:: max(1, len(held_out) // STRUCTURES)][:STRUCTURES])
    draws = space.sample(STRUCTURES, seed=0)
    phases = are_phases(images)
    figures = {}
    for taken in (0, steps):
        judged = space.inverting(taken)
        with torch.no_grad():
            soft = judged.decode(judged.encode(images))
            cycle = judged.cycle_error(draws)
        shown = cut_phases(soft) if phases else soft
        figures[taken] = Guesses(
            mse=float(mse(images, soft).mean()),
            voxels_wrong=float(pixel_error(images, shown).mean()) if phases else None,
            two_point_mae=float(two_point_mae(images, shown).mean()),
            cycle_error=float(cycle.square().mean().sqrt()),
        )
    return figures


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
