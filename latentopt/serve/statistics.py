"""Statistics of structures beside the band of the data, by distance along the axes."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from latentopt.space.latent_space import LatentSpace
from objectives.lineal_path import lineal_path
from objectives.phases import cut_phases
from objectives.specific_surface import specific_surface
from objectives.two_point.correlation import radial_average, two_point_statistics

__all__ = ["band_of", "statistics_of"]

BAND = (0.05, 0.5, 0.95)  # quantiles over reference structures
OF_BAND = 256  # of these at most


def statistics_of(images: Float[Tensor, "n c *space"], *, periodic: bool) -> dict[str, Any]:
    """Statistics of the phase that is counted: phase 1, or of several channels the last.

    Returns
    -------
    ``two_point`` ``(n, r)`` averaged over directions and ``lineal_path`` ``(n, r)`` over axes, for
    shifts of 0, 1, ... voxels; ``volume_fraction`` ``(n,)``; ``specific_surface`` ``(n,)``,
    interface a volume in one over voxels.
    """
    cut = cut_phases(images).double()
    phase = max(1, cut.shape[1] - 1)
    channel = 0 if cut.shape[1] == 1 else phase
    fields = two_point_statistics(cut, correlations=((channel, channel),), periodic=periodic)
    longest = (min(cut.shape[2:]) - 1) // 2
    return {
        "two_point": radial_average(fields)[:, 0, : longest + 1],
        "lineal_path": lineal_path(cut, phase=phase, periodic=periodic, cutoff=longest).mean(1),
        "volume_fraction": cut[:, channel].flatten(1).mean(1),
        "specific_surface": specific_surface(cut, phase=phase, periodic=periodic),
    }


def band_of(space: LatentSpace, *, periodic: bool) -> dict[str, Any] | None:
    """Quantiles of the same over reference structures as they decode; None where none are kept."""
    if len(space.reference_) < 2:
        return None
    step = max(1, len(space.reference_) // OF_BAND)
    with torch.no_grad():
        found = statistics_of(space.decode(space.reference_[::step][:OF_BAND]), periodic=periodic)
    levels = torch.tensor(BAND, dtype=torch.float64)
    return {name: torch.quantile(values, levels, dim=0) for name, values in found.items()}
