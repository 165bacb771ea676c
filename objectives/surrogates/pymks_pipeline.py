"""The homogenization pipeline of PyMKS: two-point statistics, principal components, polynomial."""

from itertools import combinations_with_replacement
from math import comb
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float, Float64
from pydantic import Field
from torch import Tensor

from objectives.surrogates.surrogate import Surrogate, root
from objectives.two_point.correlation import two_point_statistics


class PymksPipeline(Surrogate):
    r"""Polynomial regression on principal scores of two-point statistics computed by PyMKS [1]_.

    The steps are those of PyMKS's documented homogenization pipeline, with scikit-learn's
    principal components. With :math:`\phi` the monomials of an image's scores, :math:`\Phi` those
    of the training set and :math:`s^2` its residual variance, the predictive variance of least
    squares is

    .. math:: s^2\,(1 + \phi^T (\Phi^T \Phi)^{-1} \phi) .

    Needs PyMKS (Python 3.11): `fit` and `predict` raise an ImportError without it.

    References
    ----------
    .. [1] Brough, Wheeler, Kalidindi (2017), Materials Knowledge Systems in Python, IMMI 6, 36.
    """

    kind: Literal["pymks_pipeline"] = "pymks_pipeline"
    components: int = Field(
        default=5,
        ge=1,
        description="Number of principal components of the two-point statistics that enter the "
        "polynomial.",
    )
    degree: int = Field(
        default=3, ge=1, le=5, description="Degree of the polynomial in the principal components."
    )
    periodic: bool | None = Field(
        default=None,
        description="Whether the images repeat beyond their faces. null takes what the grid "
        "says, or periodic if there is no grid.",
    )
    cutoff: int | None = Field(
        default=None,
        ge=0,
        description="Largest shift of the two-point statistics along each axis, in voxels. null "
        "goes up to half the image.",
    )

    def _least_images(self) -> int:
        # One more than monomials, so that a residual is left.
        return max(comb(self.components + self.degree, self.degree), self.components) + 1

    def _learn(
        self, images: Float[Tensor, "n c *space"], targets: Float64[Tensor, "n m"]
    ) -> dict[str, Tensor]:
        from sklearn.decomposition import PCA

        statistics = self._statistics(images)
        if statistics.shape[1] < self.components:
            raise ValueError(
                f"components should be {statistics.shape[1]} or fewer, the statistics of an image, "
                f"got {self.components}. Ask for fewer, or a larger cutoff."
            )
        with np.errstate(invalid="ignore"):  # images all alike have no variance to share
            pca = PCA(self.components, svd_solver="full").fit(statistics.numpy())
        mean, basis = torch.from_numpy(pca.mean_), torch.from_numpy(pca.components_)
        scores = (statistics - mean) @ basis.T
        scale = scores.std(0)
        scale = torch.where(scale > 1e-9, scale, torch.ones_like(scale))
        terms = _monomials(scores / scale, self.degree)
        inverse = torch.linalg.pinv(terms)
        rank = int(torch.linalg.matrix_rank(terms))
        weights = inverse @ targets.cpu()
        residuals = targets.cpu() - terms @ weights
        return {
            "mean": mean,
            "basis": basis / scale[:, None],
            "weights": weights,
            "inverse_gram": inverse @ inverse.T,
            "residual_variance": residuals.square().sum(0) / (len(terms) - rank),
        }

    def _prepare(self, state: dict[str, Tensor]) -> Any:
        return state

    def _ask(
        self, ready: Any, images: Float[Tensor, "n c *space"]
    ) -> tuple[Float64[Tensor, "n m"], Float64[Tensor, "n m"]]:
        scores = (self._statistics(images) - ready["mean"]) @ ready["basis"].T
        terms = _monomials(scores, self.degree)
        leverage = ((terms @ ready["inverse_gram"]) * terms).sum(1, keepdim=True)
        return terms @ ready["weights"], root(ready["residual_variance"] * (1 + leverage))

    def _statistics(self, images: Float[Tensor, "n c *space"]) -> Float64[Tensor, "n f"]:
        fields = two_point_statistics(
            images.double().cpu(), periodic=self.images_repeat, cutoff=self.cutoff, engine="pymks"
        )
        return fields.flatten(1)


def _monomials(x: Float64[Tensor, "n k"], degree: int) -> Float64[Tensor, "n t"]:
    """All products of up to `degree` columns, the empty one first.

    >>> _monomials(torch.tensor([[2.0, 3.0]], dtype=torch.float64), 2)
    tensor([[1., 2., 3., 4., 6., 9.]], dtype=torch.float64)
    """
    columns = [torch.ones_like(x[:, 0])]
    for order in range(1, degree + 1):
        for chosen in combinations_with_replacement(range(x.shape[1]), order):
            columns.append(x[:, chosen].prod(1))
    return torch.stack(columns, 1)
