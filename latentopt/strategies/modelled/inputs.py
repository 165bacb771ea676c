"""What a model of the metrics sees of a latent point."""

import math
from typing import Any, Protocol, runtime_checkable

import torch
from gpytorch.constraints import GreaterThan
from gpytorch.kernels import Kernel, RBFKernel, ScaleKernel
from gpytorch.likelihoods import GaussianLikelihood
from gpytorch.priors import GammaPrior, LogNormalPrior
from jaxtyping import Float, Float64
from torch import Tensor

from latentopt.space.features import StructureFeatures
from latentopt.space.latent_space import LatentSpace

__all__ = ["Inputs", "PointInputs", "StructureInputs"]

_LEAST_WEIGHT = 1e-4  # of a group of inputs; 0 is no number that a log-normal prior knows


@runtime_checkable
class Inputs(Protocol):
    """A map from latent points to what a Gaussian process is conditioned on."""

    space: LatentSpace
    names: tuple[str, ...]

    def __call__(self, z: Float[Tensor, "*n d"]) -> Float64[Tensor, "*n k"]:
        """Inputs of any points, differentiable."""
        ...

    def exact(self, z: Float[Tensor, "n d"]) -> Float64[Tensor, "n k"]:
        """Inputs of points as they are evaluated, without gradient."""
        ...

    def points(self, x: Float64[Tensor, "*n k"]) -> Float64[Tensor, "*n d"] | None:
        """Points of their inputs; None where these do not tell."""
        ...

    def pool(self) -> Float64[Tensor, "m d"]:
        """Training points whose exact inputs cost little."""
        ...

    def kernel(self) -> Kernel | None:
        """A new covariance function of them; None for BoTorch's own."""
        ...

    def likelihood(self) -> GaussianLikelihood | None:
        """A new model of noise; None for BoTorch's own."""
        ...


class PointInputs:
    """The point itself, as the near-unit cube that BoTorch's lengthscale prior expects.

    Parameters
    ----------
    space
        Its training set spans about -3 to 3, which becomes 0 to 1.
    ball
        Whether each point is seen through its projection into the radius, so that an ascent has
        nothing to gain outside.
    """

    def __init__(self, space: LatentSpace, *, ball: bool) -> None:
        self.space, self.ball = space, ball
        self.names = tuple(f"z{i:02d}" for i in range(space.latent_dim))

    def __call__(self, z: Float[Tensor, "*n d"]) -> Float64[Tensor, "*n k"]:
        """Inputs of any points."""
        return (self.space.project(z) if self.ball else z) / 6 + 0.5

    def exact(self, z: Float[Tensor, "n d"]) -> Float64[Tensor, "n k"]:
        """The same: nothing is lost on the way."""
        return self(z)

    def points(self, x: Float64[Tensor, "*n k"]) -> Float64[Tensor, "*n d"]:
        """The points, or their projections."""
        return 6 * (x - 0.5)

    def pool(self) -> Float64[Tensor, "m d"]:
        """Training points inside the radius."""
        return self.space.project(self.space.reference_)

    def kernel(self) -> Kernel | None:
        """BoTorch's default: RBF, one lengthscale a number, its prior scaled by the dimension."""
        return None

    def likelihood(self) -> GaussianLikelihood | None:
        """BoTorch's default."""
        return None


class StructureInputs:
    """Features of the decoded structure, and the point itself beside them.

    Parameters
    ----------
    space
        Decodes.
    point
        Whether the point has a part in the covariance: what structure features miss, it may tell.
    """

    def __init__(self, space: LatentSpace, *, point: bool = True) -> None:
        self.space, self.point = space, point
        self.features = StructureFeatures.of(space)
        coordinates = PointInputs(space, ball=True).names if point else ()
        self.names = (*self.features.names, *coordinates)

    def __call__(self, z: Float[Tensor, "*n d"]) -> Float64[Tensor, "*n k"]:
        """Inputs of any points, of softly segmented phases."""
        z = self.space.project(z)
        return self._joined(self.features(z), z)

    def exact(self, z: Float[Tensor, "n d"]) -> Float64[Tensor, "n k"]:
        """Inputs of points as they are evaluated and exported."""
        return self._joined(self.features.scores(z), z)

    def points(self, x: Float64[Tensor, "*n k"]) -> Float64[Tensor, "*n d"] | None:
        """The points, if they have a part."""
        return x[..., len(self.features.names) :] * self.space.radius if self.point else None

    def pool(self) -> Float64[Tensor, "m d"]:
        """Training points whose features are known."""
        return self.features.reference

    def kernel(self) -> Kernel | None:
        """Matern on the structure and, if it has a part, RBF on the point beside it.

        The prior on the second term's share is small: it grows where the data ask for it.
        """
        k, d = len(self.features.names), self.space.latent_dim
        groups = (self.features.fractions, k - self.features.fractions)
        structure = ScaleKernel(
            GroupedMatern(groups, active_dims=tuple(range(k))),
            outputscale_prior=GammaPrior(2.0, 0.5),
        )
        if not self.point:
            return structure
        point = RBFKernel(
            active_dims=tuple(range(k, k + d)), lengthscale_prior=LogNormalPrior(0.0, 1.0)
        )
        return structure + ScaleKernel(point, outputscale_prior=GammaPrior(1.1, 5.0))

    def likelihood(self) -> GaussianLikelihood | None:
        """Noise that is small unless the data say otherwise: most solvers have none.

        What the structure does not explain is then left to the second term, which learns it where
        points lie close; taken for noise, it keeps a search from closing in on a target.
        """
        prior = LogNormalPrior(-8.0, 1.0)  # median variance .0003, for metrics of variance 1
        floor = GreaterThan(1e-5, transform=None, initial_value=prior.mode)
        return GaussianLikelihood(noise_prior=prior, noise_constraint=floor)

    def _joined(self, features: Tensor, z: Tensor) -> Tensor:
        return torch.cat([features, z / self.space.radius], dim=-1) if self.point else features


class GroupedMatern(Kernel):
    r"""Matern 5/2 kernel whose inputs have one weight (an inverse lengthscale) a group.

    .. math:: k(x, x') = m_{5/2}\Big(\sqrt{\textstyle\sum_g w_g^2\, |x_g - x'_g|^2}\Big)

    A group keeps the proportions of its inputs: of principal components, their variances.

    Parameters
    ----------
    groups
        Number of inputs of each group, in order.
    """

    has_lengthscale = False
    raw_weights: Tensor
    raw_weights_constraint: GreaterThan

    def __init__(self, groups: tuple[int, ...], **options: Any) -> None:
        super().__init__(**options)
        self.sizes = torch.tensor([size for size in groups if size])
        self.register_parameter("raw_weights", torch.nn.Parameter(torch.zeros(len(self.sizes))))
        self.register_constraint("raw_weights", GreaterThan(_LEAST_WEIGHT))
        self.register_prior(
            "weights_prior",
            LogNormalPrior(0.0, 1.0),
            lambda kernel: kernel.weights,
            lambda kernel, weights: kernel.initialize(
                raw_weights=kernel.raw_weights_constraint.inverse_transform(weights)
            ),
        )

    @property
    def weights(self) -> Float[Tensor, " g"]:
        """Inverse lengthscale of each group."""
        return self.raw_weights_constraint.transform(self.raw_weights)

    def forward(
        self,
        x1: Tensor,
        x2: Tensor,
        diag: bool = False,
        last_dim_is_batch: bool = False,
        **options: Any,
    ) -> Tensor:
        """Covariance of every pair."""
        if last_dim_is_batch:
            raise NotImplementedError("inputs of a group are taken together, not one by one.")
        weights = self.weights.repeat_interleave(self.sizes)
        distance = math.sqrt(5) * self.covar_dist(x1 * weights, x2 * weights, diag=diag)
        return (1 + distance + distance.square() / 3) * (-distance).exp()
