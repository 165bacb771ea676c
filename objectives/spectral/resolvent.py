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
from typing import Any

import numpy as np
from jaxtyping import Bool, Complex128, Float64

# NumPy, for vectors of tens of numbers: a call costs a quarter of torch's, and there are many.
Array = np.ndarray
TINY = np.finfo(np.float64).tiny
ROUNDING = 1e-12  # of canonical moments, which lie in [0, 1]
# A run in float64 may find poles as far beyond [0, 1] as rounding; so far they are let.
BEYOND = 1e-12
# Relative imaginary part of a contrast below which the circle is taken for a line.
FLAT = 1e-9


@dataclass(frozen=True)
class Start:
    """What is known of structures before the first step; torch or NumPy."""

    fraction: Any  # float64 (n,): of phase 1
    moment: Any  # float64 (n, l): first moment of the spectral function, by axis


class Resolvent:
    """Effective property over that of phase 0, at c contrasts, as T grows row by row."""

    def __init__(self, start: Start, contrasts: Complex128[Array, "c"]):
        self.start, self.tau = start, contrasts - 1
        self._tails = Tails(contrasts)
        self._room = Room(start.moment)
        shape = (*start.moment.shape, len(contrasts))
        self._sum = np.zeros(shape, complex)  # g
        # Of 1 + tau T = L D L^T: the last row of D, the square of the last of L^-1 e_1, and the
        # square of the coupling to the next row.
        self._pivot = np.ones(shape, complex)
        self._square = np.ones(shape, complex)
        self._coupling: Array | None = None

    def append(self, diagonal: Float64[Array, "n l"], off: Float64[Array, "n l"]) -> None:
        """One more row of T, and its coupling to the next."""
        pivot = 1 + self.tau * diagonal[..., None]
        if self._coupling is not None:
            ratio = self._coupling / self._pivot
            pivot -= ratio
            self._square *= ratio / self._pivot
        self._pivot = pivot
        self._sum += self._square / pivot
        self._coupling = (self.tau * off[..., None]) ** 2
        self._room.append(diagonal, off)

    def select(self, rows: Bool[Array, "n"]) -> None:
        """Go on with these structures alone."""
        self.start = Start(self.start.fraction[rows], self.start.moment[rows])
        self._sum, self._pivot, self._square = (
            part[rows] for part in (self._sum, self._pivot, self._square)
        )
        if self._coupling is not None:
            self._coupling = self._coupling[rows]
        self._room.select(rows)

    @property
    def value(self) -> Complex128[Array, "n l c"]:
        """Effective property over that of phase 0."""
        parallel = 1 + self.tau * self.start.fraction[:, None, None]
        return parallel - self.tau**2 * self.start.moment[..., None] * self._sum

    @property
    def error(self) -> Float64[Array, "n l c"]:
        """Upper bound of what `value` errs by, absolute; infinite before the first step."""
        if self._coupling is None:
            return np.full(self._sum.shape, np.inf)
        even, odd = self._room.even[..., None], self._room.odd[..., None]
        rest = np.maximum(1 - even, ROUNDING)
        centre = even * (1 + self._tails.span * (1 - odd))
        places = self._coupling / (self._pivot * self._tails.first) - centre
        apart = abs(self._tails.first) * rest * self._tails.distance(places / rest)
        factor = self.tau**2 * self.start.moment[..., None] * self._square / self._pivot**2
        size = abs(factor * self._coupling)
        # A matrix that has ended is exact, wherever its last pivot is.
        return np.where(size == 0, 0.0, size / np.maximum(apart, TINY))


class Room:
    """Canonical moments of T, each the place of a moment in the room that those before leave it."""

    def __init__(self, like: Float64[Array, "n l"]):
        self.odd, self.even = np.zeros_like(like), np.zeros_like(like)
        self._step = np.zeros_like(like)  # of the continued fraction of Stieltjes

    def append(self, diagonal: Float64[Array, "n l"], off: Float64[Array, "n l"]) -> None:
        """Those of one more row."""
        width = 1 + 2 * BEYOND
        step = np.maximum((diagonal + BEYOND) / width - self._step, 0)
        self.odd = np.minimum(step / np.maximum(1 - self.even, TINY), 1)
        self._step = (off / width) ** 2 / np.maximum(step, TINY)
        self.even = np.minimum(self._step / np.maximum(1 - self.odd, TINY), 1)

    def select(self, rows: Bool[Array, "n"]) -> None:
        """Go on with these structures alone."""
        self.odd, self.even, self._step = (x[rows] for x in (self.odd, self.even, self._step))


class Tails:
    """Where the number rho of a tail can be: between the chord from 1 to h and the arc beyond."""

    def __init__(self, contrasts: Complex128[Array, "c"]):
        tau = contrasts - 1
        self.first = 1 - tau * BEYOND  # about 1, which everything else is over
        h = (contrasts + tau * BEYOND) / self.first
        self.span, self.bent = h - 1, abs(h.imag) > FLAT * abs(h)
        self.length = np.maximum(abs(self.span) ** 2, TINY)
        self.away = -self.span.conj().imag  # the sign of the side on which 0 is
        height = np.where(self.bent, h.imag, 1.0)
        self.centre = np.where(self.bent, h * (1 - h.conj()) / (2j * height), 1.0)
        self.radius = abs(self.centre)

    def distance(self, points: Complex128[Array, "n l c"]) -> Float64[Array, "n l c"]:
        """Distance of points to the region, 0 inside."""
        turned = (points - 1) * self.span.conj()
        along = np.clip(turned.real / self.length, 0, 1)
        to_chord = abs(points - 1 - along * self.span)
        if not self.bent.any():
            return to_chord
        from_centre = points - self.centre
        size = abs(from_centre)
        # |points - centre| - |centre|, without the difference of large numbers.
        beyond = abs(points) ** 2 - 2 * (points * self.centre.conj()).real
        beyond /= size + self.radius
        foot = self.centre + self.radius * from_centre / np.maximum(size, TINY)
        on_arc = self.bent & (((foot - 1) * self.span.conj()).imag * self.away < 0)
        nearest = np.where(on_arc, np.minimum(abs(beyond), to_chord), to_chord)
        inside = self.bent & (turned.imag * self.away < 0) & (beyond <= 0)
        return np.where(inside, 0.0, nearest)
