"""Spinodal decomposition: the Cahn-Hilliard equation, semi-implicit in Fourier space."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.fft
from jaxtyping import Float, UInt8

from generative.data.synthetic.family import Family, Ranges, Settings, cut_levels, span

# Dimensionless time step dt k^2 at the fastest growing wave number k.
_STEP = 0.2
_NOISE = 0.05
# Half a spectrum has redundant entries, whose rounding errors grow unseen by the inverse transform.
_STEPS_BETWEEN_TRANSFORMS = 10


@dataclass(frozen=True)
class SpinodalRanges(Ranges):
    """Ranges the settings of each structure are drawn from.

    Parameters
    ----------
    wavelength_px
        Wave length that grows fastest at first, log-uniform; 1/12 to 1/6 of the shortest side if
        ``None``. Coarsening lengthens it. The interface is about a tenth of it wide.
    volume_fraction
        Fraction of voxels in phase 1: the mean of the concentration is 2 f - 1, and the last field
        is cut where the fraction is exact. Outside (.211, .789) nothing decomposes.
    steps
        Time steps: about 100 separate the phases from the noise, the others coarsen them.
    """

    wavelength_px: tuple[float, float] | None = span(1 / 12, 1 / 6, log=True, of_side=True)
    volume_fraction: tuple[float, float] = span(0.35, 0.65, least=0.25, most=0.75)
    steps: tuple[float, float] = span(150, 600, least=1, whole=True)


def cahn_hilliard(
    phi: Float[np.ndarray, "n *space"],
    steps: int,
    *,
    dx: float = 0.25,
    dt: float = 0.001,
    gamma: float = 1.0,
) -> Float[np.ndarray, "n *space"]:
    r"""Concentration after some steps of the Cahn-Hilliard equation, periodic on every side.

    :math:`\dot\phi = \nabla^2(\phi^3 - \phi) - \gamma\nabla^4\phi`, in the scheme of [1]_ with
    :math:`a_1 = 3, a_2 = 0`, stable for every time step (large ones slow the evolution down). The
    equation, scheme and defaults are those of PyMKS's ``CahnHilliardSimulation``.

    Parameters
    ----------
    phi
        Concentration from -1 to 1 of each structure; float32 is computed in float32.
    steps
        Number of time steps.
    dx
        Side of a voxel, in the length of the equation, which has no unit.
    dt
        Time step, in the time of the equation, which has no unit.
    gamma
        Gradient energy: interfaces are about ``sqrt(gamma)`` wide.

    Returns
    -------
    A new array of the same type. The mean of each structure stays what it was.

    References
    ----------
    .. [1] Vollmayr-Lee and Rutenberg (2003), Physical Review E 68, 066703; Cheng and Rutenberg
       (2005), Physical Review E 72, 055701.

    Examples
    --------
    >>> bool((cahn_hilliard(np.ones((1, 8, 8)), 5) == 1).all())
    True
    """
    space, axes = phi.shape[1:], tuple(range(1, phi.ndim))
    k2 = _squared_frequencies(space, dx)
    implicit = 1 + dt * k2 * (2 + gamma * k2)  # 1 - dt k2 ((1 - a1) - gamma k2)
    kept = ((1 + 3 * dt * k2) / implicit).astype(phi.dtype)
    driven = (dt * k2 / implicit).astype(phi.dtype)
    if steps == 0:
        return phi.copy()
    spectrum = scipy.fft.rfftn(phi, axes=axes)
    for step in range(steps):
        if step and step % _STEPS_BETWEEN_TRANSFORMS == 0:
            spectrum = scipy.fft.rfftn(phi, axes=axes)
        spectrum *= kept
        spectrum -= driven * scipy.fft.rfftn(phi * phi * phi, axes=axes)
        phi = scipy.fft.irfftn(spectrum, s=space, axes=axes)
    return phi


def _squared_frequencies(space: tuple[int, ...], dx: float) -> np.ndarray:
    """Squared angular frequency (*half spectrum) for voxels of side ``dx``."""
    axes = [2 * np.pi * scipy.fft.fftfreq(size, dx) for size in space[:-1]]
    axes.append(2 * np.pi * scipy.fft.rfftfreq(space[-1], dx))
    return np.sum([k**2 for k in np.meshgrid(*axes, indexing="ij")], axis=0)


def _with_gamma(
    drawn: Settings, spare: np.ndarray, shape: tuple[int, ...], limits: SpinodalRanges
) -> Settings:
    """The gamma and dt whose fastest growth is at the wave length, in voxels of side 1."""
    # About the mean m, modes grow at k^2 (s - gamma k^2), s = 1 - 3 m^2: fastest at s / (2 gamma).
    stiffness = 1 - 3 * (2 * drawn["volume_fraction"] - 1) ** 2
    k2 = (2 * math.pi / drawn["wavelength_px"]) ** 2
    return drawn | {"gamma": stiffness / (2 * k2), "dt": _STEP / k2}


def _decompose(
    row: dict[str, Any], shape: tuple[int, ...], rng: np.random.Generator, limits: SpinodalRanges
) -> UInt8[np.ndarray, "*space"]:
    fraction = float(row["volume_fraction"])
    noise = rng.uniform(-_NOISE, _NOISE, shape).astype(np.float32)
    phi = (2 * fraction - 1 + noise - noise.mean())[None]
    dt, gamma = float(row["dt"]), float(row["gamma"])
    phi = cahn_hilliard(phi, int(row["steps"]), dx=1.0, dt=dt, gamma=gamma)
    return cut_levels(phi[0], fraction)


SPINODAL = Family("spinodal", SpinodalRanges, _with_gamma, _decompose)
