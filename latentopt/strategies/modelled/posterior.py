"""Predictions of fitted Gaussian processes, at a fraction of the cost of asking them each time."""

from collections.abc import Callable, Sequence

import torch
from botorch.models import SingleTaskGP
from botorch.models.model import Model
from botorch.models.transforms import Standardize
from botorch.posteriors import Posterior
from gpytorch.kernels import Kernel
from gpytorch.settings import lazily_evaluate_kernels
from jaxtyping import Float64
from linear_operator import to_dense
from linear_operator.utils.cholesky import psd_safe_cholesky
from torch import Tensor

__all__ = ["FixedModel", "FixedPosterior", "standardized_by"]


class FixedPosterior(Posterior):
    """Independent Gaussian outputs, each with a covariance between the points of a batch.

    Parameters
    ----------
    mean
        ``(*b, q, m)``.
    root
        Lower Cholesky factor of each output's covariance, ``(*b, m, q, q)``.
    """

    def __init__(self, mean: Float64[Tensor, "*b q m"], root: Float64[Tensor, "*b m q q"]) -> None:
        self._mean, self.root = mean, root

    @property
    def mean(self) -> Float64[Tensor, "*b q m"]:
        """Expected value."""
        return self._mean

    @property
    def variance(self) -> Float64[Tensor, "*b q m"]:
        """Variance of each point alone."""
        return self.root.square().sum(-1).mT

    @property
    def device(self) -> torch.device:
        """Of the mean."""
        return self._mean.device

    @property
    def dtype(self) -> torch.dtype:
        """Of the mean."""
        return self._mean.dtype

    @property
    def batch_shape(self) -> torch.Size:
        """All but points and outputs."""
        return torch.Size(self._mean.shape[:-2])

    @property
    def base_sample_shape(self) -> torch.Size:
        """One standard normal number for each output of each point."""
        return self._mean.shape

    @property
    def batch_range(self) -> tuple[int, int]:
        """All but the last two are batch dimensions."""
        return (0, -2)

    def _extended_shape(self, sample_shape: torch.Size = torch.Size()) -> torch.Size:  # noqa: B008
        return sample_shape + self._mean.shape

    def rsample_from_base_samples(
        self, sample_shape: torch.Size, base_samples: Tensor
    ) -> Float64[Tensor, "*s q m"]:
        """Samples of the outputs from standard normal ones."""
        if self.root.shape[-1] == 1:
            return self._mean + self.root[..., 0, 0].unsqueeze(-2) * base_samples
        return self._mean + (self.root @ base_samples.mT.unsqueeze(-1))[..., 0].mT

    def rsample(self, sample_shape: torch.Size | None = None) -> Float64[Tensor, "*s q m"]:
        """Samples of the outputs."""
        shape = torch.Size() if sample_shape is None else sample_shape
        return self.rsample_from_base_samples(
            shape, torch.randn(shape + self._mean.shape, dtype=self.dtype)
        )


class FixedModel(Model):
    r"""Gaussian processes whose parameters are fitted and stay, as one model without noise.

    The covariance of the data is factored once, :math:`K + \sigma^2 I = L L^T`; then [1]_

    .. math:: \mu(x) = k_x^T K_\sigma^{-1} y, \qquad
              \Sigma(x, x') = k(x, x') - (L^{-1} k_x)^T L^{-1} k_{x'} .

    BoTorch's own prediction gives the same; it builds its lazy tensors anew at each step of an
    ascent, which costs more than the rest of the step.

    Parameters
    ----------
    outputs
        For each a fitted `SingleTaskGP`, with `Standardize`, or a function of the inputs
        ``(*b, q, k)`` whose values ``(*b, q)`` are certain.

    References
    ----------
    .. [1] Rasmussen, Williams (2006), Gaussian Processes for Machine Learning, algorithm 2.1.
    """

    def __init__(self, outputs: Sequence[SingleTaskGP | Callable[[Tensor], Tensor]]) -> None:
        super().__init__()
        self._outputs = [
            _Process(output) if isinstance(output, SingleTaskGP) else _Known(output)
            for output in outputs
        ]

    @property
    def num_outputs(self) -> int:
        """Number of processes."""
        return len(self._outputs)

    @property
    def batch_shape(self) -> torch.Size:
        """There are no batches of models."""
        return torch.Size()

    def posterior(self, X: Tensor, *unused: object, **options: object) -> FixedPosterior:
        """Joint prediction of the q points of each batch, ``X`` of shape ``(*b, q, k)``."""
        parts = [output.predict(X) for output in self._outputs]
        means, roots = zip(*parts, strict=True)
        return FixedPosterior(torch.stack(means, -1), torch.stack(roots, -3))


def standardized_by(model: SingleTaskGP) -> tuple[Float64[Tensor, ""], Float64[Tensor, ""]]:
    """Standard deviation and mean that a process, made with `Standardize`, has of its values."""
    transform = model.outcome_transform
    assert isinstance(transform, Standardize)
    deviation, mean = transform.stdvs, transform.means
    assert isinstance(deviation, Tensor)
    assert isinstance(mean, Tensor)
    return deviation.reshape(()), mean.reshape(())


class _Known:
    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        self.function = function

    def predict(self, x: Float64[Tensor, "*b q k"]) -> tuple[Tensor, Tensor]:
        """Values ``(*b, q)``, and a root of their covariance, which is 0."""
        values = self.function(x)
        return values, values.new_zeros(*values.shape, values.shape[-1])


class _Process:
    def __init__(self, model: SingleTaskGP) -> None:
        with torch.no_grad():
            self.x, y = model.train_inputs[0], model.train_targets
            kernel, noise = model.covar_module.eval(), model.likelihood.noise
            assert isinstance(kernel, Kernel)
            assert isinstance(noise, Tensor)
            self.kernel = kernel
            self.constant = to_dense(model.mean_module(self.x[:1]))[0]
            covariance = to_dense(self.kernel(self.x)) + noise * torch.eye(len(y))
            self.factor = psd_safe_cholesky(covariance)
            self.weights = torch.cholesky_solve((y - self.constant)[:, None], self.factor)[:, 0]
            self.scale, self.shift = standardized_by(model)
        self.kernel.requires_grad_(False)

    def predict(self, x: Float64[Tensor, "*b q k"]) -> tuple[Tensor, Tensor]:
        """Mean ``(*b, q)`` and root of the covariance ``(*b, q, q)``, in the metric's units."""
        with lazily_evaluate_kernels(False):  # all are needed: to put them off doubles the cost
            return self._predict(x)

    def _predict(self, x: Float64[Tensor, "*b q k"]) -> tuple[Tensor, Tensor]:
        flat = x.reshape(-1, x.shape[-1])
        cross = to_dense(self.kernel(flat, self.x))
        mean = self.constant + cross @ self.weights
        half = torch.linalg.solve_triangular(self.factor, cross.T, upper=False)
        half = half.T.reshape(*x.shape[:-1], -1)
        if x.shape[-2] == 1:
            prior = to_dense(self.kernel(flat, diag=True)).reshape(*x.shape[:-2], 1, 1)
            variance = prior - half.square().sum(-1, keepdim=True)
            root = variance.clamp_min(1e-12).sqrt()
        else:
            root = psd_safe_cholesky(to_dense(self.kernel(x)) - half @ half.mT)
        return self.shift + self.scale * mean.reshape(x.shape[:-1]), self.scale * root
