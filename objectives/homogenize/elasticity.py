r"""Small-strain elasticity on the modes of `objectives.homogenize.schemes`, voxels isotropic.

With :math:`m_A` the mode of the displacement for the axes A, its gradient in a voxel is a sum of
Legendre polynomials of degree 1 along the axes in L and 0 along the others; the coefficient of the
polynomial L is :math:`H_{aj} = (m_{L \cup j})_a` for j outside L, else 0. The polynomials are
orthogonal, so the energy of the voxel is the sum over L of (:math:`H_{aj}` over the edge
:math:`h_j`, where voxels are no cubes)

.. math:: w\,\bigl(\lambda\,(\mathrm{tr} H)^2 + \mu\,H : H + \mu\,H : H^T\bigr),

with w depending on the size of L alone. ``q1`` keeps every L and is the finite element method with
full integration; ``rot`` keeps the empty one, the strain in the voxel's centre.
"""

from functools import reduce
from itertools import combinations, permutations

import torch
from jaxtyping import Float
from torch import Tensor

from objectives.homogenize.operators import Operator
from objectives.homogenize.schemes import CornerScheme, half_angles

# Component of stress and strain at each place of Voigt's notation, by axis of space.
VOIGT = {
    2: ((0, 0), (1, 1), (0, 1)),
    3: ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)),
}


class Elasticity(Operator):
    r"""Displacements (n, l, dim, \*space) under a mean strain for each place of Voigt's notation.

    The coefficients are Lame's :math:`\lambda` and :math:`\mu`; the homogeneous medium of the
    preconditioner has :math:`\lambda` = `ratio`, :math:`\mu` = 1.
    """

    def __init__(self, grid: CornerScheme, ratio: float):
        self.grid = grid
        self.name, self.dim, self.edges = grid.name, grid.dim, grid.edges
        self.loads = tuple(range(len(VOIGT[grid.dim])))
        self.slopes = [1 / edge for edge in grid.edges]
        self.unit = grid.unit
        self.ratio = ratio
        place = {mode: i for i, mode in enumerate(grid.modes)}
        # For each L, by its free axes j: where in the list the mode of L and j is.
        self.polynomials = [
            (size, {j: place[tuple(sorted((*axes, j)))] for j in range(self.dim) if j not in axes})
            for size in range(grid.order)
            for axes in combinations(range(self.dim), size)
        ]
        # S is twice the mean, so each axis outside the mode puts a factor 4 into the square.
        self.weights = [12.0**-size / 4.0 ** (self.dim - size - 1) for size in range(grid.order)]

    def weighted(self, coefficients: Float[Tensor, "n 2 *space"]) -> Float[Tensor, "n w *space"]:
        """What multiplies a mode's own components, one after the other, then both coefficients.

        The last ones, times the weight of each size of L, are what components cause in others.
        """
        both = [weight * coefficients for weight in self.weights]
        own = []
        for mode in self.grid.modes:
            first, second = both[len(mode) - 1].unbind(1)
            shear = sum(self.slopes[j] ** 2 for j in mode)
            own += [
                (shear + self.slopes[a] ** 2) * second + self.slopes[a] ** 2 * first
                if a in mode
                else shear * second
                for a in range(self.dim)
            ]
        return torch.cat([torch.stack(own, 1), *both], 1)

    def gradient(self, u: Float[Tensor, "n l *unknowns"]) -> list[Tensor]:
        """The modes of every component."""
        return self.grid.gradient(u)

    def transpose(self, fields: list[Tensor]) -> Tensor:
        """Transpose of `gradient`."""
        return self.grid.transpose(fields)

    def response(self, weighted: Float[Tensor, "n w *space"], fields: list[Tensor]) -> list[Tensor]:
        """The stresses, in the places of the gradients."""
        count = len(self.grid.modes) * self.dim
        own = weighted[:, :count].unflatten(1, (-1, 1, self.dim))
        stresses = [field * own[:, mode] for mode, field in enumerate(fields)]
        for size, places in self.polynomials:
            first, second = weighted[:, count + 2 * size : count + 2 * size + 2, None].unbind(1)
            for (j, i), (a, other) in permutations(places.items(), 2):
                slopes = self.slopes[a] * self.slopes[j]
                stresses[i][:, :, j].addcmul_(first, fields[other][:, :, a], value=slopes)
                stresses[i][:, :, a].addcmul_(second, fields[other][:, :, j], value=slopes)
        return stresses

    def sensitivity(
        self, fields: list[Tensor], others: list[Tensor]
    ) -> Float[Tensor, "n 2 *space"]:
        r"""By :math:`\lambda` and by :math:`\mu`: the response is linear in both."""
        n, space = fields[0].shape[0], fields[0].shape[3:]
        answers = []
        for unit in torch.eye(2, dtype=torch.float64, device=fields[0].device):
            medium = unit.reshape(1, 2, *[1] * self.dim).expand(n, 2, *space)
            responses = self.response(self.weighted(medium), others)
            pairs = zip(fields, responses, strict=True)
            products = ((field * response).sum((1, 2)) for field, response in pairs)
            answers.append(reduce(torch.add, products))
        return torch.stack(answers, 1)

    def zeros(self, n: int, space: tuple[int, ...], device: torch.device) -> Tensor:
        """Displacements of zero, one for each place of Voigt's notation."""
        shape = (n, len(VOIGT[self.dim]), self.dim, *space)
        return torch.zeros(shape, dtype=torch.float64, device=device)

    def add_mean(self, fields: list[Tensor]) -> None:
        """Add, in place, strain 1 for each place of Voigt's notation (shear: the angle)."""
        for load, (i, j) in enumerate(VOIGT[self.dim]):
            fields[i][:, load, j] += self.unit * self.edges[i] / 2
            fields[j][:, load, i] += self.unit * self.edges[j] / 2

    def voigt(self, coefficients: Float[Tensor, "n 2 *space"]) -> Float[Tensor, "n l"]:
        """Means of P-wave modulus and of shear modulus."""
        first, second = coefficients.flatten(2).mean(2).unbind(1)
        rows = [first + 2 * second if i == j else second for i, j in VOIGT[self.dim]]
        return torch.stack(rows, 1)

    def softness(self, coefficients: Float[Tensor, "n 2 *space"]) -> Float[Tensor, "n 2 *space"]:
        """Of dilation and of shear: a strain is the sum of both, whose energies add."""
        first, second = coefficients.unbind(1)
        dilation = (self.dim * first + 2 * second) / (self.dim * self.ratio + 2)
        return torch.stack([dilation, second], 1)

    def symbol(self, space: tuple[int, ...]) -> Float[Tensor, "d d *frequencies"]:
        """Modes are products of sines and cosines, but for a phase that the energy does not see."""
        angles = half_angles(space)
        waves = [
            torch.stack(
                torch.broadcast_tensors(
                    *[
                        2 * (half.sin() if axis in mode else half.cos())
                        for axis, half in enumerate(angles)
                    ]
                )
            ).prod(0)
            for mode in self.grid.modes
        ]
        symbol = torch.zeros(self.dim, self.dim, *waves[0].shape, dtype=torch.float64)
        for size, places in self.polynomials:
            for j, i in places.items():
                for a, other in places.items():
                    slopes = self.slopes[a] * self.slopes[j]
                    product = self.weights[size] * slopes * waves[i] * waves[other]
                    symbol[a, j] += (self.ratio + 1) * product
                    if a == j:
                        symbol.diagonal().add_(product[..., None])
        return symbol
