"""Gaussian processes of a goal's metrics: what a search believes."""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from botorch.fit import fit_gpytorch_mll
from botorch.models import SingleTaskGP
from botorch.models.transforms import Standardize
from botorch.sampling import SobolQMCNormalSampler
from gpytorch.distributions import MultivariateNormal
from gpytorch.mlls import ExactMarginalLogLikelihood
from gpytorch.settings import lazily_evaluate_kernels
from jaxtyping import Bool, Float, Float64
from torch import Tensor

from latentopt.history import History
from latentopt.runs.noisy_regression import smoothed
from latentopt.strategies.modelled.inputs import Inputs
from latentopt.strategies.modelled.metric_scale import MetricScale
from latentopt.strategies.modelled.posterior import FixedModel, standardized_by

__all__ = ["CrossValidation", "SearchModel"]

_SUCCESS = 0.5  # evaluations that fail are 0 to the process of success, others 1
_LEAST_NOISE = 1e-6  # of the variance of a noisy metric, for values that are exact


@dataclass(frozen=True)
class CrossValidation:
    """What the model predicts of each evaluated point from all others.

    Parameters
    ----------
    observed, predicted, sigma
        Value of the metric, its prediction and the prediction's standard deviation, ``(n,)``.
    """

    observed: Float64[Tensor, " n"]
    predicted: Float64[Tensor, " n"]
    sigma: Float64[Tensor, " n"]


class SearchModel:
    """One Gaussian process a metric, and one of success where trials have failed.

    Metrics are modelled, not their combination: the goal acts on samples of the posterior.

    Parameters
    ----------
    history
        What is fitted; metrics of points that were screened out count too.
    inputs
        What the processes see of a point.
    max_iterations
        Steps of each fit.
    units
        What 1 of each metric is in its own unit, where the history is without units.

    Attributes
    ----------
    metrics
        Names of the metrics, in the order of the model's outputs.
    scales
        On which scale each metric is modelled.
    learns_success
        Whether there is one more output: 1 where a trial succeeds, 0 where it fails.
    noisy
        Metrics that are known to scatter, whose standard errors are part of the model.
    processes
        The fitted process of each metric, over `inputs`. The distance from the data needs none: it
        is known of every point.
    model
        All outputs as one BoTorch model, without noise; each on its scale, and without units if
        the history is.
    """

    def __init__(
        self,
        history: History,
        inputs: Inputs,
        *,
        max_iterations: int = 100,
        units: Mapping[str, float] | None = None,
    ) -> None:
        self.inputs, self.metrics = inputs, history.goal.metrics
        self._units = units or {}
        self.learns_success = len(history.failed) > 0
        self.scales: dict[str, MetricScale] = {}
        self.processes: dict[str, SingleTaskGP] = {}
        self.noisy: list[str] = []
        outputs: list[SingleTaskGP | Callable[[Tensor], Tensor]] = []
        for name in self.metrics:
            observed = _observations(history, inputs, name)
            x, y = observed.x, observed.y
            if name == "distance_from_data" and inputs.points(x) is not None:
                self.scales[name] = MetricScale()
                outputs.append(partial(_distance_from_data, inputs))
                continue
            scale = MetricScale.of(y, observed.sem)
            modelled, variance = scale.modelled(y), None
            if observed.sem is not None:
                self.noisy.append(name)
                variance = (observed.sem / scale.slope(modelled)).square()
            process = _fit(inputs, x, modelled, max_iterations, variance)
            self.scales[name], self.processes[name] = scale, process
            outputs.append(process)
        if self.learns_success:
            x = inputs.exact(torch.cat([history.z, history.failed]))
            y = torch.cat([x.new_ones(len(history.z)), x.new_zeros(len(history.failed))])
            outputs.append(_fit(inputs, x, y, max_iterations))
        self.botorch_model = FixedModel(outputs)

    def values(self, samples: Float64[Tensor, "*b m"]) -> dict[str, Float64[Tensor, "*b"]]:
        """Metrics by name of samples of the model's outputs, without units if the history is."""
        return {
            name: self.scales[name].metric(column)
            for name, column in zip(self.metrics, samples.unbind(-1), strict=False)
        }

    def believed(self, history: History) -> History:
        """The history with what is believed of the noisy metrics in place of what was measured."""
        if not self.noisy or len(history.z) == 0:
            return history
        with torch.no_grad():
            means = self.botorch_model.posterior(self.inputs.exact(history.z)[:, None]).mean[:, 0]
        values = self.values(means)
        metrics = {**history.metrics, **{name: values[name] for name in self.noisy}}
        return replace(history, metrics=metrics, sem={}, noisy=())

    def sample(
        self, z: Float[Tensor, "q d"], n: int, *, seed: int
    ) -> tuple[dict[str, Float64[Tensor, "n q"]], Bool[Tensor, "n q"]]:
        """Joint samples of the metrics at these points, and whether the evaluations succeed."""
        sampler = SobolQMCNormalSampler(torch.Size([n]), seed=seed)
        with torch.no_grad():
            samples = sampler(self.botorch_model.posterior(self.inputs.exact(z)))
        never_fails = torch.ones(samples.shape[:2], dtype=torch.bool)
        succeeds = samples[..., -1] > _SUCCESS if self.learns_success else never_fails
        return self.values(samples), succeeds

    def predict(
        self, z: Float[Tensor, "n d"]
    ) -> dict[str, tuple[Float64[Tensor, " n"], Float64[Tensor, " n"]]]:
        """Median and standard deviation of each metric at these points, in its own unit.

        The standard deviation is of first order where a metric is modelled on another scale.
        """
        with torch.no_grad():
            posterior = self.botorch_model.posterior(self.inputs.exact(z)[:, None])
        predicted = {}
        for i, name in enumerate(self.metrics):
            scale, unit = self.scales[name], self._units.get(name, 1.0)
            mean, sigma = posterior.mean[:, 0, i], posterior.variance[:, 0, i].sqrt()
            predicted[name] = unit * scale.metric(mean), unit * scale.slope(mean) * sigma
        return predicted

    def cross_validate(self) -> dict[str, CrossValidation]:
        """Leave-one-out predictions of each metric, in its own unit.

        From the inverse covariance [1]_, with the kernel's parameters as fitted to all points. Of a
        metric that is modelled on another scale: median, and standard deviation to first order.

        References
        ----------
        .. [1] Rasmussen, Williams (2006), Gaussian Processes for Machine Learning, eq. 5.12.
        """
        return {
            name: _leave_one_out(process, self.scales[name], self._units.get(name, 1.0))
            for name, process in self.processes.items()
        }

    def importances(self) -> dict[str, dict[str, float]]:
        """Share of each input in what changes the prediction of each metric; each sums to 1.

        The expected absolute change of the predicted mean for a change of the input by one standard
        deviation over the evaluated points.
        """
        return {
            name: _sensitivity(process, self.inputs.names)
            for name, process in self.processes.items()
        }


def _distance_from_data(inputs: Inputs, x: Float64[Tensor, "*b k"]) -> Float64[Tensor, "*b"]:
    points = inputs.points(x)
    assert points is not None  # of these inputs it was asked before
    return inputs.space.distance_from_data(points)


@dataclass(frozen=True)
class _Observed:
    """Inputs and values of a metric, with standard errors where it is noisy."""

    x: Float64[Tensor, "n k"]
    y: Float64[Tensor, " n"]
    sem: Float64[Tensor, " n"] | None


def _observations(history: History, inputs: Inputs, name: str) -> _Observed:
    z, y = history.z, history.metrics[name]
    sem = history.sem.get(name, torch.full_like(y, torch.nan))
    noisy = name in history.noisy or bool((sem > 0).any())
    if noisy and name not in history.screened_metrics:
        # What was taken over from another structure's evaluation is no second draw.
        z, y, sem = z[~history.copied], y[~history.copied], sem[~history.copied]
    if name in history.screened_metrics:
        cheap = history.screened_metrics[name]
        z, y = torch.cat([z, history.screened]), torch.cat([y, cheap])
        sem = torch.cat([sem, torch.zeros_like(cheap)])
    x = inputs.exact(z)
    return _Observed(x, y.double(), _known_sem(x, y, sem) if noisy else None)


def _known_sem(
    x: Float64[Tensor, "n k"], y: Float64[Tensor, " n"], sem: Float64[Tensor, " n"]
) -> Float64[Tensor, " n"]:
    """The standard errors, with one that is inferred where they are not known."""
    unknown = sem.isnan()
    if not unknown.any():
        return sem
    points, structure = np.unique(x.numpy(), axis=0, return_inverse=True)
    found = smoothed(points, structure.reshape(-1), y.numpy(), sem.numpy())
    return torch.where(unknown, found.noise, sem)


def _fit(
    inputs: Inputs, x: Tensor, y: Tensor, max_iterations: int, variance: Tensor | None = None
) -> SingleTaskGP:
    tiny = torch.finfo(y.dtype).tiny  # a permeability in m2 is a metric as good as any other
    if variance is not None:
        variance = variance.clamp_min(_LEAST_NOISE * float(y.var()))[:, None]
    model = SingleTaskGP(
        x,
        y[:, None],
        train_Yvar=variance,
        likelihood=inputs.likelihood() if variance is None else None,
        covar_module=inputs.kernel(),
        outcome_transform=Standardize(1, min_stdv=tiny),
    )
    # Each step needs every covariance: to put them off costs time and saves none.
    with warnings.catch_warnings(), lazily_evaluate_kernels(False):
        # A fit that ends at its last step is a fit.
        warnings.simplefilter("ignore")
        fit_gpytorch_mll(
            ExactMarginalLogLikelihood(model.likelihood, model),
            optimizer_kwargs={"options": {"maxiter": max_iterations}},
        )
    return model


def _leave_one_out(model: SingleTaskGP, scale: MetricScale, size: float) -> CrossValidation:
    with torch.no_grad():
        x, y = model.train_inputs[0], model.train_targets
        prior = model.likelihood(model.forward(x))
        assert isinstance(prior, MultivariateNormal)
        inverse = torch.linalg.inv(prior.covariance_matrix)
        variance = 1 / inverse.diagonal()
        mean = y - (inverse @ (y - prior.mean)) * variance
        unit, shift = standardized_by(model)
        mean = mean * unit + shift
        return CrossValidation(
            observed=size * scale.metric(y * unit + shift),
            predicted=size * scale.metric(mean),
            sigma=size * variance.sqrt() * unit * scale.slope(mean),
        )


def _sensitivity(model: SingleTaskGP, names: tuple[str, ...]) -> dict[str, float]:
    x = model.train_inputs[0].detach().clone().requires_grad_()
    mean = model.posterior(x).mean
    (gradient,) = torch.autograd.grad(mean.sum(), x)
    change = gradient.abs().mean(0) * x.detach().std(0)
    share = change / change.sum().clamp_min(torch.finfo(change.dtype).tiny)
    return dict(zip(names, share.tolist(), strict=True))
