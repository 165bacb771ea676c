r"""Three discretizations of :math:`-\nabla\cdot(k\,\nabla u)` on a periodic grid of voxels.

Voxels are boxes with edges :math:`h_j`. With the potential on their corners, difference and sum of
neighbours along axis j are

.. math:: D_j u = u(x + e_j) - u(x), \qquad S_j u = u(x + e_j) + u(x).

The (tri)linear interpolation in a voxel has one mode for every set of axes A: D along the axes in
A, S/2 along the others. Its share in the voxel's mean of :math:`|\nabla u|^2` is its square times
:math:`12^{1-|A|} \sum_{j \in A} h_j^{-2}`: :math:`\partial_j u` is a sum of Legendre polynomials of
degree 0 and 1 along each other axis, orthogonal, with mean squares 1 and 1/12.

- ``q1`` keeps every mode: it *is* the finite element method with (tri)linear elements.
- ``rot`` keeps the modes of one axis, the gradient in the voxel's centre: elements with a single
  integration point, Willot's rotated scheme [1]_.
- ``fv`` has the potential in the voxel centres and the harmonic mean of k on each face: the finite
  volume method.

References
----------
.. [1] Willot (2015), Fourier-based schemes for computing the mechanical response of composites with
   accurate local fields, Comptes Rendus Mecanique 343, 232.
"""

import math
from abc import abstractmethod
from functools import reduce
from itertools import combinations

import torch
from jaxtyping import Float
from torch import Tensor

from objectives.homogenize.operators import Operator

Mode = tuple[int, ...]  # axes of differences; sums along the others


class Scheme(Operator):
    """Conduction: a discrete gradient on `dim` axes, and where the conductivity sits.

    The gradient is a list of fields, the first `dim` of which are along the axes. The energy is the
    sum over voxels and fields of ``weight * coefficient * field**2``.
    """

    name: str  # q1, rot or fv
    weights: tuple[float, ...]  # one a field

    @abstractmethod
    def coefficients(self, k: Float[Tensor, "n *space"]) -> Float[Tensor, "n g *space"]:
        """What multiplies the squares, one for all fields or one each; differentiable in k."""

    def weighted(self, coefficients: Float[Tensor, "n g *space"]) -> Float[Tensor, "n f *space"]:
        """Weight times coefficient of every field."""
        return coefficients * coefficients.new_tensor(self.weights).reshape(-1, *[1] * self.dim)

    def response(self, weighted: Float[Tensor, "n f *space"], fields: list[Tensor]) -> list[Tensor]:
        """Every field times its coefficient, in place."""
        for i, field in enumerate(fields):
            field *= weighted[:, i, None]
        return fields

    def densities(self, fields: list[Tensor], others: list[Tensor]) -> list[Tensor]:
        """Of every field the weighted product, summed over loads."""
        triples = zip(self.weights, fields, others, strict=True)
        return [weight * (field * other).sum(1) for weight, field, other in triples]

    def zeros(self, n: int, space: tuple[int, ...], device: torch.device) -> Tensor:
        """Potentials of zero, one for each load."""
        return torch.zeros(n, len(self.loads), *space, dtype=torch.float64, device=device)

    def add_mean(self, fields: list[Tensor]) -> None:
        """Add, in place, the mean gradient 1 along the axis of each load."""
        for row, axis in enumerate(self.loads):
            fields[axis][:, row] += self.unit * self.edges[axis]

    def voigt(self, coefficients: Float[Tensor, "n g *space"]) -> Float[Tensor, "n l"]:
        """Mean of the coefficient of each load's axis."""
        means = coefficients.flatten(2).mean(2)
        return (
            means[:, list(self.loads)] if means.shape[1] > 1 else means.expand(-1, len(self.loads))
        )

    def softness(self, coefficients: Float[Tensor, "n g *space"]) -> Float[Tensor, "n g *space"]:
        """The coefficients themselves: the medium of `symbol` has 1."""
        return coefficients


class CornerScheme(Scheme):
    """Potential on voxel corners: modes of up to `order` axes (1 is ``rot``, `dim` is ``q1``)."""

    def __init__(self, edges: tuple[float, ...], order: int, loads: tuple[int, ...] | None = None):
        dim = len(edges)
        self.dim, self.edges = dim, edges
        self.loads = tuple(range(dim)) if loads is None else loads
        self.name = "q1" if order == dim else "rot"
        self.order = order
        self.modes = [
            mode for size in range(1, order + 1) for mode in combinations(range(dim), size)
        ]
        # S is twice the mean, so each axis outside the mode puts a factor 4 into the square.
        self.weights = tuple(
            sum(edges[j] ** -2.0 for j in mode) * 12.0 ** (1 - len(mode)) / 4.0 ** (dim - len(mode))
            for mode in self.modes
        )
        self.unit = 2.0 ** (dim - 1)

    def coefficients(self, k: Float[Tensor, "n *space"]) -> Float[Tensor, "n 1 *space"]:
        """The conductivity itself, for all modes."""
        return k[:, None]

    def sensitivity(
        self, fields: list[Tensor], others: list[Tensor]
    ) -> Float[Tensor, "n 1 *space"]:
        """The sum over all modes, which share the conductivity."""
        return reduce(torch.add, self.densities(fields, others))[:, None]

    def gradient(self, u: Float[Tensor, "n l *unknowns"]) -> list[Tensor]:
        """The modes: axis by axis, each so far splits into sum and difference along it."""
        parts: dict[Mode, Tensor] = {(): u}
        for axis in range(self.dim):
            split: dict[Mode, Tensor] = {}
            for mode, part in parts.items():
                ahead = part.roll(-1, axis - self.dim)
                if mode or axis < self.dim - 1:  # sums along all axes are no gradient
                    split[mode] = ahead + part
                if len(mode) < self.order:
                    split[*mode, axis] = ahead.sub_(part)
            parts = split
        return [parts[mode] for mode in self.modes]

    def transpose(self, fields: list[Tensor]) -> Tensor:
        """The splits undone, last axis first."""
        parts: dict[Mode, Tensor] = dict(zip(self.modes, fields, strict=True))
        for axis in reversed(range(self.dim)):
            joined: dict[Mode, Tensor] = {}
            for mode in {tuple(a for a in m if a != axis) for m in parts}:
                total, difference = parts.get(mode), parts.get((*mode, axis))
                joined[mode] = _transposed_split(total, difference, axis - self.dim)
            parts = joined
        return parts[()]

    def symbol(self, space: tuple[int, ...]) -> Float[Tensor, "*frequencies"]:
        """Of D it is 2i sin(half), of S 2 cos(half), but for phase factors."""
        angles = half_angles(space)
        total = torch.zeros(())
        for mode, weight in zip(self.modes, self.weights, strict=True):
            factors = [
                4 * (half.sin() if axis in mode else half.cos()) ** 2
                for axis, half in enumerate(angles)
            ]
            total = total + weight * math.prod(factors)
        return total


class FaceScheme(Scheme):
    """Potential in voxel centres, differences across faces with the harmonic mean of k: ``fv``."""

    def __init__(self, edges: tuple[float, ...], loads: tuple[int, ...] | None = None):
        self.dim, self.edges = len(edges), edges
        self.loads = tuple(range(self.dim)) if loads is None else loads
        self.name = "fv"
        self.weights = tuple(edge**-2.0 for edge in edges)
        self.unit = 1.0

    def coefficients(self, k: Float[Tensor, "n *space"]) -> Float[Tensor, "n g *space"]:
        """Harmonic mean of the voxels on both sides of each face; 0 beside a pore."""
        faces = []
        for axis in range(-self.dim, 0):
            ahead = k.roll(-1, axis)
            total = k + ahead
            faces.append(2 * k * ahead / torch.where(total > 0, total, 1))  # 0/0 is 0
        return torch.stack(faces, 1)

    def sensitivity(
        self, fields: list[Tensor], others: list[Tensor]
    ) -> Float[Tensor, "n g *space"]:
        """One a face."""
        return torch.stack(self.densities(fields, others), 1)

    def gradient(self, u: Float[Tensor, "n l *unknowns"]) -> list[Tensor]:
        """The difference across the face ahead, along each axis."""
        return [u.roll(-1, axis).sub_(u) for axis in range(-self.dim, 0)]

    def transpose(self, fields: list[Tensor]) -> Tensor:
        """Differences across the two faces of each voxel, summed over axes."""
        return reduce(
            torch.add,
            (
                _transposed_difference(field, axis)
                for axis, field in zip(range(-self.dim, 0), fields, strict=True)
            ),
        )

    def symbol(self, space: tuple[int, ...]) -> Float[Tensor, "*frequencies"]:
        """That of the five or seven point Laplacian."""
        angles = half_angles(space)
        pairs = zip(self.weights, angles, strict=True)
        return reduce(torch.add, (weight * 4 * half.sin() ** 2 for weight, half in pairs))


def _transposed_split(total: Tensor | None, difference: Tensor | None, axis: int) -> Tensor:
    """Transpose of the sum of neighbours applied to `total`, plus that of the difference."""
    if total is None:
        if difference is None:
            raise ValueError("total or difference should be given.")
        return _transposed_difference(difference, axis)
    if difference is None:
        return total.roll(1, axis).add_(total)
    return (total + difference).roll(1, axis).add_(total).sub_(difference)


def _transposed_difference(difference: Tensor, axis: int) -> Tensor:
    return difference.roll(1, axis).sub_(difference)


def half_angles(space: tuple[int, ...]) -> list[Float[Tensor, "..."]]:
    """Half the phase angle between neighbours, along each axis of `rfftn`'s frequencies."""
    angles = []
    for axis, size in enumerate(space):
        last = axis == len(space) - 1
        frequency = (torch.fft.rfftfreq if last else torch.fft.fftfreq)(size, dtype=torch.float64)
        shape = [1] * len(space)
        shape[axis] = -1
        angles.append((math.pi * frequency).reshape(shape))
    return angles


def make_scheme(name: str, edges: tuple[float, ...]) -> Scheme:
    """The scheme called ``q1``, ``rot`` or ``fv``, for voxels of these edges."""
    return FaceScheme(edges) if name == "fv" else make_corner_scheme(name, edges)


def make_corner_scheme(
    name: str, edges: tuple[float, ...], loads: tuple[int, ...] | None = None
) -> CornerScheme:
    """The scheme with the potential on corners called ``q1`` or ``rot``, for loads along axes."""
    orders = {"q1": len(edges), "rot": 1}
    if name not in orders:
        raise ValueError(f"scheme should be one of q1, rot, fv or None, got {name!r}.")
    return CornerScheme(edges, orders[name], loads)


def conduction_scheme(dim: int) -> str:
    """``rot`` in 2-D, ``q1`` in 3-D, whatever the phases are.

    One rule for every contrast, pores included, so that the answer is continuous in the properties.
    In 3-D ``rot`` converges slowly at high contrast: its hourglass modes carry no energy.
    """
    return "rot" if dim == 2 else "q1"


def unit_edges(edges: tuple[float, ...]) -> tuple[float, ...]:
    """The edges over the longest: exactly 1 each for cubes of any size.

    >>> unit_edges((0.1, 0.1, 0.05))
    (1.0, 1.0, 0.5)
    """
    return tuple(edge / max(edges) for edge in edges)
