r"""Effective property at any contrast from a Jacobi matrix, and a bound of what truncation leaves.

With :math:`\tau = h - 1` for the contrast h and the Jacobi matrix T of m steps of Lanczos,

.. math:: K / \epsilon_0 = 1 + \tau f - \tau^2 \nu\, g, \qquad g = e_1^T (1 + \tau T)^{-1} e_1,

where f is the volume fraction and :math:`\nu` the first moment of the spectral function. At a real
contrast it is the value of m conjugate gradients: an upper bound.

What later steps would add is one number r, the tail of the continued fraction of g. A spectrum in
[0, 1] leaves it this much room: with the canonical moments p of T [1]_, and q = 1 - p,

.. math:: 1 / r = p_{2m} (1 + \tau q_{2m-1}) + q_{2m} \rho,

where :math:`\rho` is between the chord from 1 to h and the arc through both, away from 0, of the
circle through 0, 1 and h. The largest change that a number there makes is the bound. At a real
contrast it is the distance between the quadratures of Gauss and of Gauss and Radau [2]_; elsewhere
it is the width of the bounds of Milton [3]_.

References
----------
.. [1] Dette & Studden (1997), The Theory of Canonical Moments, chapters 1 and 3.
.. [2] Golub & Meurant (2010), Matrices, Moments and Quadrature with Applications, chapter 6.
.. [3] Milton (2002), The Theory of Composites, chapters 18 and 27.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Complex128, Float64
from torch import Tensor

# Relative imaginary part of a contrast below which the circle is taken for a line.
FLAT = 1e-9


@dataclass(frozen=True)
class Start:
    """What is known of structures before the first step."""

    fraction: Float64[Tensor, "n"]  # of phase 1
    moment: Float64[Tensor, "n l"]  # first moment of the spectral function, by axis


class Resolvent:
    """Effective property over that of phase 0, at c contrasts, as T grows row by row."""

    def __init__(self, start: Start, contrasts: Complex128[Tensor, "c"]):
        self.start, self.contrasts, self.tau = start, contrasts, contrasts - 1
        like = (*start.moment.shape, len(contrasts))
        self._sum = contrasts.new_zeros(like)  # g
        # Of 1 + tau T = L D L^T: the last row of D, the square of the last of L^-1 e_1, and the
        # square of the coupling to the next row.
        self._pivot = contrasts.new_ones(like)
        self._square = contrasts.new_ones(like)
        self._coupling: Tensor | None = None
        self._room = Room(start.moment)

    def append(self, diagonal: Float64[Tensor, "n l"], off: Float64[Tensor, "n l"]) -> None:
        """One more row of T, and its coupling to the next."""
        pivot = 1 + self.tau * diagonal[..., None]
        if self._coupling is not None:
            ratio = self._coupling / self._pivot
            pivot -= ratio
            self._square = self._square * ratio / self._pivot
        self._pivot = pivot
        self._sum = self._sum + self._square / pivot
        self._coupling = (self.tau * off[..., None]) ** 2
        self._room.append(diagonal, off)

    def select(self, rows: Bool[Tensor, "n"]) -> None:
        """Go on with these structures alone."""
        self.start = Start(self.start.fraction[rows], self.start.moment[rows])
        self._sum, self._pivot, self._square = (
            part[rows] for part in (self._sum, self._pivot, self._square)
        )
        if self._coupling is not None:
            self._coupling = self._coupling[rows]
        self._room.select(rows)

    @property
    def value(self) -> Complex128[Tensor, "n l c"]:
        """Effective property over that of phase 0."""
        parallel = 1 + self.tau * self.start.fraction[:, None, None]
        return parallel - self.tau**2 * self.start.moment[..., None] * self._sum

    @property
    def error(self) -> Float64[Tensor, "n l c"]:
        """Upper bound of what `value` errs by, absolute; infinite before the first step."""
        if self._coupling is None:
            return torch.full_like(self._sum.real, torch.inf)
        factor = self.tau**2 * self.start.moment[..., None] * self._square / self._pivot**2
        even, odd = self._room.even[..., None], self._room.odd[..., None]
        rest = (1 - even).clamp_min(torch.finfo(torch.float64).tiny)
        centre = even * (1 + self.tau * (1 - odd))
        apart = rest * distance_to_tails(
            (self._coupling / self._pivot - centre) / rest, self.contrasts
        )
        # A Jacobi matrix that ends is exact, wherever its last pivot is.
        size = (factor * self._coupling).abs()
        return torch.where(size == 0, 0.0, size / apart)


class Room:
    """Canonical moments of T, each the place of a moment in the room that those before leave it."""

    def __init__(self, like: Float64[Tensor, "n l"]):
        self.odd, self.even = torch.zeros_like(like), torch.zeros_like(like)
        self._step = torch.zeros_like(like)  # of the continued fraction of Stieltjes

    def append(self, diagonal: Float64[Tensor, "n l"], off: Float64[Tensor, "n l"]) -> None:
        """Those of one more row."""
        step = (diagonal - self._step).clamp_min(0)
        self.odd = _ratio(step, 1 - self.even)
        self._step = off**2 / step.clamp_min(torch.finfo(torch.float64).tiny)
        self.even = _ratio(self._step, 1 - self.odd)

    def select(self, rows: Bool[Tensor, "n"]) -> None:
        """Go on with these structures alone."""
        self.odd, self.even, self._step = (x[rows] for x in (self.odd, self.even, self._step))


def _ratio(part: Float64[Tensor, "n l"], whole: Float64[Tensor, "n l"]) -> Float64[Tensor, "n l"]:
    return (part / whole.clamp_min(torch.finfo(torch.float64).tiny)).clamp(0, 1)


def distance_to_tails(
    points: Complex128[Tensor, "n l c"], contrasts: Complex128[Tensor, "c"]
) -> Float64[Tensor, "n l c"]:
    """Distance to the region between the chord from 1 to h and the arc beyond; 0 inside."""
    span, bent = contrasts - 1, contrasts.imag.abs() > FLAT * contrasts.abs()
    length = span.abs().square().clamp_min(torch.finfo(torch.float64).tiny)
    along = (((points - 1) * span.conj()).real / length).clamp(0, 1)
    to_chord = (points - 1 - along * span).abs()
    if not bent.any():
        return to_chord
    height = torch.where(bent, contrasts.imag, 1.0)
    centre = torch.where(bent, contrasts * (1 - contrasts.conj()) / (2j * height), 1.0)
    radius, from_centre = centre.abs(), points - centre
    size = from_centre.abs()
    # |points - centre| - |centre|, without the difference of large numbers.
    beyond = (points.abs().square() - 2 * (points * centre.conj()).real) / (size + radius)
    tiny = torch.finfo(torch.float64).tiny
    foot = centre + radius * from_centre / size.clamp_min(tiny)
    on_arc = _faces_away(foot, span) & bent
    inside = _faces_away(points, span) & bent & (beyond <= 0)
    nearest = torch.where(on_arc, torch.minimum(beyond.abs(), to_chord), to_chord)
    return torch.where(inside, 0.0, nearest)


def _faces_away(points: Tensor, span: Tensor) -> Tensor:
    """Whether points and 0 are on different sides of the chord."""
    return ((points - 1) * span.conj()).imag * (-span.conj()).imag < 0
