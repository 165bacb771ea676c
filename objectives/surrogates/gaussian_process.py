"""Gaussian processes on a few numbers an image: fitted by BoTorch, kept as tensors."""

import warnings
from typing import Any

import torch
from jaxtyping import Float64
from torch import Tensor

from objectives.surrogates.surrogate import root

HYPERPARAMETERS = "gp."
MAX_ITERATIONS = 200


def fit_gp(features: Float64[Tensor, "n d"], targets: Float64[Tensor, "n m"]) -> dict[str, Tensor]:
    """State of a Gaussian process with one lengthscale a feature and output.

    Features and targets should have about mean 0 and variance 1. The kernel is BoTorch's default,
    squared exponential with a prior on its lengthscales that grows with d [1]_; the noise is
    learned, and stands for what the features do not say.

    References
    ----------
    .. [1] Hvarfner, Hellsten, Nardi (2024), Vanilla Bayesian Optimization Performs Great in High
       Dimensions, section 4.
    """
    from botorch.fit import fit_gpytorch_mll
    from gpytorch.mlls import ExactMarginalLogLikelihood

    targets = targets.to(features)
    model = _model(features, targets)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a fit that stops early is as good as its likelihood
        fit_gpytorch_mll(
            ExactMarginalLogLikelihood(model.likelihood, model),
            optimizer_kwargs={"options": {"maxiter": MAX_ITERATIONS}},
        )
    learned = {f"{HYPERPARAMETERS}{name}": t for name, t in model.state_dict().items()}
    return {"features": features, "targets": targets, **learned}


def build_gp(state: dict[str, Tensor]) -> Any:
    """The process of a state, ready to be asked."""
    model = _model(state["features"], state["targets"])
    start = len(HYPERPARAMETERS)
    model.load_state_dict({n[start:]: t for n, t in state.items() if n.startswith(HYPERPARAMETERS)})
    return model.eval()


def ask_gp(
    model: Any, features: Float64[Tensor, "n d"]
) -> tuple[Float64[Tensor, "n m"], Float64[Tensor, "n m"]]:
    """Mean and standard deviation of a new observation, its noise included."""
    parts = features.split(512)  # the covariance of a part is computed whole
    posteriors = [model.posterior(part, observation_noise=True) for part in parts]
    mean = torch.cat([posterior.mean for posterior in posteriors])
    return mean, root(torch.cat([posterior.variance for posterior in posteriors]))


def _model(features: Float64[Tensor, "n d"], targets: Float64[Tensor, "n m"]) -> Any:
    from botorch.exceptions import InputDataWarning
    from botorch.models import SingleTaskGP

    with warnings.catch_warnings():
        # Standardized, not in the unit cube: lengthscales then mean the same for outliers.
        warnings.simplefilter("ignore", InputDataWarning)
        return SingleTaskGP(features, targets, outcome_transform=None)
