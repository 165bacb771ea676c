r"""What a discretization of any physics offers the solver: :math:`A = G^T C\,G` in its parts.

:math:`G` takes the unknowns to the fields of a discrete gradient; :math:`C`, diagonal in space and
linear in the coefficients, takes these to their response: gradient to flux, strain to stress.
"""

import math
from abc import ABC, abstractmethod
from functools import reduce

import torch
from jaxtyping import Float
from torch import Tensor


class Operator(ABC):
    r"""Gradient, response and transpose on a periodic grid of voxels, all of one size.

    Unknowns have shape (n, l, \*u): l loads, and for u the space or (components, \*space). Fields
    are a list of tensors of that shape. Coefficients have shape (n, g, \*space).
    """

    name: str  # of the discretization
    dim: int
    edges: tuple[float, ...]  # of a voxel, by axis; only their ratios matter
    unit: float  # value of field j where an unknown is the number of the voxel along axis j
    loads: tuple[int, ...]  # the mean gradients (strains) that are solved for, by their place

    @abstractmethod
    def weighted(self, coefficients: Float[Tensor, "n g *space"]) -> Float[Tensor, "n w *space"]:
        """The coefficients as `response` takes them."""

    @abstractmethod
    def gradient(self, u: Float[Tensor, "n l *unknowns"]) -> list[Tensor]:
        """Fields of the discrete gradient, each new and of the shape of u."""

    @abstractmethod
    def transpose(self, fields: list[Tensor]) -> Tensor:
        """Transpose of `gradient`."""

    @abstractmethod
    def response(self, weighted: Float[Tensor, "n w *space"], fields: list[Tensor]) -> list[Tensor]:
        """What the fields cause: symmetric, linear in the fields and in the coefficients.

        May overwrite the fields, which saves conduction a fifth of its time.
        """

    @abstractmethod
    def sensitivity(
        self, fields: list[Tensor], others: list[Tensor]
    ) -> Float[Tensor, "n g *space"]:
        """Derivative of the product of `fields` with the response to `others`, by coefficient."""

    @abstractmethod
    def zeros(self, n: int, space: tuple[int, ...], device: torch.device) -> Tensor:
        """Unknowns of zero, one for each load."""

    @abstractmethod
    def add_mean(self, fields: list[Tensor]) -> None:
        """Add, in place, the mean gradient (strain) 1 of each load."""

    @abstractmethod
    def voigt(self, coefficients: Float[Tensor, "n g *space"]) -> Float[Tensor, "n l"]:
        """Energy of each load by voxel, where nothing fluctuates: the diagonal of Voigt's bound."""

    @abstractmethod
    def softness(self, coefficients: Float[Tensor, "n g *space"]) -> Float[Tensor, "n g *space"]:
        """The least that voxels respond with, over what the medium of `symbol` does."""

    @abstractmethod
    def symbol(self, space: tuple[int, ...]) -> Float[Tensor, "..."]:
        r"""A of a homogeneous medium in Fourier space, float64, in the layout of `rfftn`.

        Shape (\*frequencies), or (components, components, \*frequencies).
        """

    def apply(
        self, weighted: Float[Tensor, "n w *space"], u: Float[Tensor, "n l *unknowns"]
    ) -> Float[Tensor, "n l *unknowns"]:
        """The operator A."""
        # In 3-D the fields of all loads would leave the cache (measured: 1.4 times slower).
        parts = u.split(1, dim=1) if self.dim == 3 else (u,)
        return torch.cat(
            [self.transpose(self.response(weighted, self.gradient(part))) for part in parts], 1
        )

    def remainder(
        self, weighted: Float[Tensor, "n w *space"], u: Float[Tensor, "n l *unknowns"]
    ) -> Float[Tensor, "n l *unknowns"]:
        """What u leaves of each mean gradient's load: b - A u, where A u = b is to be solved.

        Without the difference of large numbers: in a stiff phase the total gradient is small.
        """
        return self.transpose(self.response(weighted, self.total(u))).neg_()

    def total(self, u: Float[Tensor, "n l *unknowns"]) -> list[Tensor]:
        """Gradient of the fluctuation u, and the mean of its load."""
        fields = self.gradient(u)
        self.add_mean(fields)
        return fields

    def tensor(
        self, weighted: Float[Tensor, "n w *space"], u: Float[Tensor, "n l *unknowns"]
    ) -> Float[Tensor, "n l l"]:
        """Mean product of the fields of one load with the response to another."""
        fields = self.total(u)
        responses = self.response(weighted, [field.clone() for field in fields])
        products = [
            torch.einsum("nlv,nmv->nlm", field.flatten(2), response.flatten(2))
            for field, response in zip(fields, responses, strict=True)
        ]
        return reduce(torch.add, products) / math.prod(weighted.shape[2:])
