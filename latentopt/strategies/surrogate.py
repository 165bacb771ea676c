"""Gaussian processes of a goal's metrics: what a search believes."""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from botorch.fit import fit_gpytorch_mll
from botorch.models import SingleTaskGP
from botorch.models.transforms import Standardize
from botorch.sampling import SobolQMCNormalSampler
from gpytorch.mlls import ExactMarginalLogLikelihood
from jaxtyping import Bool, Float, Float64
from torch import Tensor

from latentopt.history import History
from latentopt.strategies.inputs import Inputs
from latentopt.strategies.metric_scale import MetricScale
from latentopt.strategies.posterior import FixedModel

__all__ = ["CrossValidation", "Surrogate"]


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


class Surrogate:
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
        outputs: list[SingleTaskGP | Callable[[Tensor], Tensor]] = []
        for name in self.metrics:
            x, y = _observations(history, inputs, name)
            if name == "distance_from_data" and inputs.points(x) is not None:
                self.scales[name] = MetricScale()
                outputs.append(lambda x: inputs.space.distance_from_data(inputs.points(x)))
                continue
            self.scales[name] = MetricScale.of(y)
            process = _fit(inputs, x, self.scales[name].modelled(y), max_iterations)
            self.processes[name] = process
            outputs.append(process)
        if self.learns_success:
            x = inputs.exact(torch.cat([history.z, history.failed]))
            y = torch.cat([x.new_ones(len(history.z)), x.new_zeros(len(history.failed))])
            outputs.append(_fit(inputs, x, y, max_iterations))
        self.model = FixedModel(outputs)

    def values(self, samples: Float64[Tensor, "*b m"]) -> dict[str, Float64[Tensor, "*b"]]:
        """Metrics by name of samples of the model's outputs, without units if the history is."""
        return {
            name: self.scales[name].metric(column)
            for name, column in zip(self.metrics, samples.unbind(-1), strict=False)
        }

    def sample(
        self, z: Float[Tensor, "q d"], n: int, *, seed: int
    ) -> tuple[dict[str, Float64[Tensor, "n q"]], Bool[Tensor, "n q"]]:
        """Joint samples of the metrics at these points, and whether the evaluations succeed."""
        sampler = SobolQMCNormalSampler(torch.Size([n]), seed=seed)
        with torch.no_grad():
            samples = sampler(self.model.posterior(self.inputs.exact(z)))
        never_fails = torch.ones(samples.shape[:2], dtype=torch.bool)
        succeeds = samples[..., -1] > 0.5 if self.learns_success else never_fails
        return self.values(samples), succeeds

    def predict(
        self, z: Float[Tensor, "n d"]
    ) -> dict[str, tuple[Float64[Tensor, " n"], Float64[Tensor, " n"]]]:
        """Median and standard deviation of each metric at these points, in its own unit.

        The standard deviation is of first order where a metric is modelled on another scale.
        """
        with torch.no_grad():
            posterior = self.model.posterior(self.inputs.exact(z)[:, None])
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


def _observations(history: History, inputs: Inputs, name: str) -> tuple[Tensor, Tensor]:
    z, y = [history.z], [history.metrics[name]]
    if name in history.screened_metrics:
        z.append(history.screened)
        y.append(history.screened_metrics[name])
    return inputs.exact(torch.cat(z)), torch.cat(y).double()


def _fit(inputs: Inputs, x: Tensor, y: Tensor, max_iterations: int) -> SingleTaskGP:
    tiny = torch.finfo(y.dtype).tiny  # a permeability in m2 is a metric as good as any other
    model = SingleTaskGP(
        x,
        y[:, None],
        likelihood=inputs.likelihood(),
        covar_module=inputs.kernel(),
        outcome_transform=Standardize(1, min_stdv=tiny),
    )
    with warnings.catch_warnings():
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
        inverse = torch.linalg.inv(prior.covariance_matrix)
        variance = 1 / inverse.diagonal()
        mean = y - (inverse @ (y - prior.mean)) * variance
        transform = model.outcome_transform
        unit, shift = transform.stdvs.reshape(()), transform.means.reshape(())
        mean = mean * unit + shift
        return CrossValidation(
            observed=size * scale.metric(y * unit + shift),
            predicted=size * scale.metric(mean),
            sigma=size * variance.sqrt() * unit * scale.slope(mean),
        )


def _sensitivity(model: SingleTaskGP, names: tuple[str, ...]) -> Mapping[str, float]:
    x = model.train_inputs[0].detach().clone().requires_grad_()
    mean = model.posterior(x).mean
    (gradient,) = torch.autograd.grad(mean.sum(), x)
    change = gradient.abs().mean(0) * x.detach().std(0)
    share = change / change.sum().clamp_min(torch.finfo(change.dtype).tiny)
    return dict(zip(names, share.tolist(), strict=True))
