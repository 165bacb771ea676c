"""How likely a Gaussian process makes its values, with as few steps of autograd as it takes."""

import math
from typing import Any

import torch
from botorch.models import SingleTaskGP
from botorch.optim.closures.core import ForwardBackwardClosure
from botorch.optim.utils import get_parameters
from gpytorch.mlls import ExactMarginalLogLikelihood
from jaxtyping import Float64
from linear_operator import to_dense
from linear_operator.utils.cholesky import psd_safe_cholesky
from torch import Tensor

__all__ = ["loss_and_gradients"]


def loss_and_gradients(likelihood: ExactMarginalLogLikelihood) -> ForwardBackwardClosure:
    """What a fit minimizes: the negative of `likelihood`, at the same value.

    GPyTorch builds several distributions and linear operators at each step, and goes back through
    the factorization; for tens of points that is most of the time. The gradient of a Gaussian
    density is known in closed form [1]_.

    Parameters
    ----------
    likelihood
        Of one output, whose covariances are not evaluated lazily.

    References
    ----------
    .. [1] Rasmussen, Williams (2006), Gaussian Processes for Machine Learning, eq. 5.9.
    """
    model = likelihood.model
    assert isinstance(model, SingleTaskGP)
    x, y = model.train_inputs[0], model.train_targets
    priors = [(prior, value, module) for _, module, prior, value, _ in model.named_priors()]

    def loss() -> Tensor:
        noise = model.likelihood.noise
        assert isinstance(noise, Tensor)
        covariance = to_dense(model.covar_module(x)) + noise.expand(len(y)).diag()
        total = _log_density(covariance, y - model.mean_module(x))
        for prior, value, module in priors:
            total = total + prior.log_prob(value(module)).sum()
        return -total / len(y)

    return ForwardBackwardClosure(loss, get_parameters(likelihood, requires_grad=True))


def _log_density(
    covariance: Float64[Tensor, "n n"], deviation: Float64[Tensor, " n"]
) -> Float64[Tensor, ""]:
    return _LogDensity.apply(covariance, deviation)


class _LogDensity(torch.autograd.Function):
    """Logarithm of the density of a centred normal distribution."""

    @staticmethod
    def forward(ctx: Any, covariance: Tensor, deviation: Tensor) -> Tensor:
        factor = psd_safe_cholesky(covariance)
        inverse = torch.cholesky_inverse(factor)
        weighted = torch.cholesky_solve(deviation[:, None], factor)[:, 0]
        ctx.save_for_backward(inverse, weighted)
        size = factor.diagonal().log().sum() + len(deviation) / 2 * math.log(2 * math.pi)
        return -0.5 * (deviation @ weighted) - size

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        (gradient,), (inverse, weighted) = gradients, ctx.saved_tensors
        slope = 0.5 * (torch.outer(weighted, weighted) - inverse)
        return gradient * slope, -gradient * weighted
