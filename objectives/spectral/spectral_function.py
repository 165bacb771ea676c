r"""The spectral function of Bergman and Milton: poles and weights of a two-phase structure."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Complex128, Float, Float64
from torch import Tensor

from objectives.arrays import Array
from objectives.grid import Grid
from objectives.spectral.contrasts import checked_contrasts
from objectives.spectral.lanczos import chunks, jacobi_matrix, lanczos
from objectives.spectral.resolvent import Resolvent, Start
from objectives.spectral.two_phases import question

# Poles nearer to 0 than this are one: phase 1 conducts along them as if phase 0 were not there.
AT_ZERO = 1e-10


@dataclass(frozen=True)
class SpectralFunction:
    r"""Poles and weights of n structures along l axes, from m steps of Lanczos.

    .. math:: K / \epsilon_0 = 1 - \sum_i \frac{w_i}{s - p_i}, \qquad
              s = \frac{1}{1 - \epsilon_1 / \epsilon_0}

    `poles` and `weights` have shape (n, l, m + 1), poles rise from 0 to 1 and weights are 0 or more
    and sum to the volume fraction. A structure that needs fewer has poles of weight 0. The weight
    at 0 is what phase 1 conducts along the axis if phase 0 is an insulator, over its own
    conductivity.
    """

    fraction: Float64[Tensor, "n"]  # volume fraction of phase 1
    first_moment: Float64[Tensor, "n l"]  # sum of weight times pole, of the whole structure
    diagonal: Float64[Tensor, "n l m"]  # of the Jacobi matrix
    off_diagonal: Float64[Tensor, "n l m"]  # the last couples to what is left out
    axes: tuple[str, ...]
    scheme: str
    boundary: str

    @property
    def poles(self) -> Float64[Tensor, "n l k"]:
        """Where the structure resonates without loss, in s: from 0 to 1."""
        return self._measure[0]

    @property
    def weights(self) -> Float64[Tensor, "n l k"]:
        """Of every pole, 0 or more; they sum to the volume fraction."""
        return self._measure[1]

    @cached_property
    def _measure(self) -> tuple[Tensor, Tensor]:
        # T is of the measure pole * weight, whose Gauss quadrature with 0 for one more pole is that
        # of Gauss and Radau of the weights themselves.
        matrix = jacobi_matrix(self.diagonal, self.off_diagonal)
        found, vectors = torch.linalg.eigh(matrix)
        shares = self.first_moment[..., None] * vectors[..., 0, :] ** 2
        away = found > AT_ZERO
        poles = torch.where(away, found, 0).clamp(max=1)
        weights = torch.where(away, shares / torch.where(away, found, 1), 0)
        rest = (self.fraction[:, None] - weights.sum(2)).clamp_min(0)
        poles = torch.cat([torch.zeros_like(rest)[..., None], poles], 2)
        return poles, torch.cat([rest[..., None], weights], 2)

    def effective(self, contrast: Any) -> Complex128[Tensor, "n l c"]:
        """Effective property over that of phase 0, at contrasts of phase 1 to phase 0.

        Parameters
        ----------
        contrast
            A number or (c,) of them: positive, or complex.

        Raises
        ------
        ValueError
            As `objectives.spectral.effective_spectrum`.
        """
        return torch.from_numpy(self._resolvent(contrast).value).to(self.fraction.device)

    def error(self, contrast: Any) -> Float64[Tensor, "n l c"]:
        """Upper bound of what `effective` errs by, in absolute value, for want of more steps."""
        return torch.from_numpy(self._resolvent(contrast).error).to(self.fraction.device)

    def _resolvent(self, contrast: Any) -> Resolvent:
        start = Start(self.fraction.cpu().numpy(), self.first_moment.cpu().numpy())
        resolvent = Resolvent(start, checked_contrasts(contrast).cpu().numpy())
        rows = self.diagonal.cpu().numpy(), self.off_diagonal.cpu().numpy()
        for step in range(self.diagonal.shape[2]):
            resolvent.append(*(row[..., step] for row in rows))
        return resolvent


def spectral_function(
    images: Float[Array, "n c *space"],
    *,
    steps: int = 40,
    axes: Sequence[str] | None = None,
    grid: Grid | None = None,
    scheme: str | None = None,
) -> SpectralFunction:
    r"""Spectral function [1]_ [2]_ of each two-phase image along each axis, as poles and weights.

    It holds every effective conductivity (permittivity, diffusivity, ...) of the structure along
    the axes, whatever the phases are, on the grid and in the scheme of `effective_conductivity`. A
    shift and a mirror leave it; exchanging the phases takes each pole p to 1 - p. Its zeroth moment
    is the volume fraction f. The sum of first moments over axes is the variance of the indicator,
    f (1 - f), with ``rot`` where every axis has an odd number of voxels; elsewhere it is less, as
    far as the scheme does not see the shortest waves.

    Poles and weights carry no gradient: they are those of a quadrature, not of the structure, until
    a pole has converged. `effective_spectrum` has one.

    Parameters
    ----------
    images
        Two phases in [0, 1]: one channel with the share of phase 1, or two channels.
    steps
        Of Lanczos; poles are one more. 40 give the loss spectrum of a metal with a damping of .12
        to 1e-6. The vectors are orthogonalized, so no pole comes twice: (2 steps, axes) images of
        float64 are kept for each.
    axes
        Of ``"z"``, ``"y"``, ``"x"``; all that images have, in their order, unless given.
    grid
        As `effective_conductivity` takes it.
    scheme
        ``"rot"`` or ``"q1"``; by default ``rot`` in 2-D and ``q1`` in 3-D.

    Raises
    ------
    EvaluationError
        (A ``ValueError``.) The images are not images, or not of two phases.
    ValueError
        `steps`, `axes` or `scheme` is out of range, or the grid has other axes.

    Examples
    --------
    Layers: in series along the first axis, with one pole at the fraction of phase 0; in parallel
    along the second, with one pole at 0.

    >>> layers = torch.tensor([[[[0.0, 0.0], [1.0, 1.0], [0.0, 0.0]]]])
    >>> found = spectral_function(layers, steps=1)
    >>> found.poles[0].round(decimals=6).tolist()
    [[0.0, 0.666667], [0.0, 0.0]]
    >>> found.weights[0].round(decimals=6).tolist()
    [[0.0, 0.333333], [0.333333, 0.0]]

    References
    ----------
    .. [1] Bergman (1978), The dielectric constant of a composite material: a problem in classical
       physics, Physics Reports 43, 377.
    .. [2] Milton (1981), Bounds on the complex permittivity of a two-component composite material,
       Journal of Applied Physics 52, 5286.
    """
    if steps < 1:
        raise ValueError(f"steps should be 1 or more, got {steps}.")
    asked = question(images, axes, grid, scheme)
    empty = asked.chi.new_zeros(0, len(asked.axes), steps)
    fractions, moments, diagonals, offs = [empty[:, 0, 0]], [empty[..., 0]], [empty], [empty]
    for chi, inverse in chunks(asked.chi.detach(), asked.scheme):
        found = lanczos(chi, asked.scheme, inverse, most_steps=steps, orthogonal=True)
        fractions.append(found.start.fraction)
        moments.append(found.start.moment)
        diagonals.append(_padded(found.diagonal, steps))
        offs.append(_padded(found.off, steps))
    return SpectralFunction(
        *(torch.cat(parts) for parts in (fractions, moments, diagonals, offs)),
        asked.axes,
        asked.scheme.name,
        asked.boundary,
    )


def _padded(rows: Float64[Tensor, "n l m"], steps: int) -> Float64[Tensor, "n l k"]:
    return torch.nn.functional.pad(rows, (0, steps - rows.shape[2]))
