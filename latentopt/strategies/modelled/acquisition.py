"""What a search maximizes to choose its next point: improvement under constraints."""

from collections.abc import Callable
from functools import partial

import torch
from botorch.acquisition import AcquisitionFunction
from botorch.acquisition.logei import qLogExpectedImprovement, qLogProbabilityOfFeasibility
from botorch.acquisition.multi_objective.logei import qLogNoisyExpectedHypervolumeImprovement
from botorch.acquisition.multi_objective.objective import GenericMCMultiOutputObjective
from botorch.acquisition.objective import GenericMCObjective
from botorch.sampling import SobolQMCNormalSampler
from botorch.utils.multi_objective.hypervolume import infer_reference_point
from botorch.utils.multi_objective.pareto import is_non_dominated
from jaxtyping import Bool, Float64, Integer
from torch import Tensor

from latentopt.goal import Linear
from latentopt.history import History
from latentopt.strategies.modelled.processes import SearchModel
from latentopt.unit_free import spread, spread_of_best

_SAMPLES = 128  # posterior samples behind one acquisition value
_CLEAR = 1e6  # units from a constraint: farther away nothing is left to be weighed
_MOST_OBJECTIVES = 3  # whose hypervolume is computed
_LEAST_RANGE = 1e-6  # of an objective, in units of its spread
_MOST_BASELINE = 20  # points besides the front whose hypervolume is sampled


def improvement(history: History, model: SearchModel) -> AcquisitionFunction:
    """Expected improvement, or of several objectives expected hypervolume improvement.

    Objective and constraints act on samples of the posterior [1]_ [2]_. Until a feasible point is
    known it is the probability of feasibility. Trials that failed count as violations of one more
    constraint, that of success. A hypervolume of more than three objectives takes minutes and
    gigabytes: there it is the improvement of a scalarization of them, another for each trial [3]_.

    Parameters
    ----------
    history
        The same goal, in the same units, as the model's.
    model
        What predicts the metrics.

    Returns
    -------
    The logarithm, as a function of the model's inputs, with each objective in units of its
    `spread_of_best`.

    References
    ----------
    .. [1] Ament et al. (2023), Unexpected Improvements to Expected Improvement for Bayesian
       Optimization, section 3.
    .. [2] Daulton, Balandat, Bakshy (2021), Parallel Bayesian Optimization of Multiple Noisy
       Objectives with Expected Hypervolume Improvement.
    .. [3] Knowles (2006), ParEGO: a hybrid algorithm with on-line landscape approximation for
       expensive multiobjective optimization problems, section 3.
    """
    goal = history.goal
    # Acquisition functions smooth their steps by a fixed width, so all is in units of the spread
    # seen. BoTorch's constraints are met where negative.
    margins = margins_of(history)
    constraints: list[Callable[[Tensor], Tensor]] = [
        partial(_violation, constraint.margin, model, spread(margin) or 1.0)
        for constraint, margin in zip(goal.constraints, margins, strict=True)
    ]
    if model.learns_success:
        constraints.append(lambda y: 0.5 - y[..., -1])
    seed = history.seed_of(history.next_index)
    sampler = SobolQMCNormalSampler(torch.Size([_SAMPLES]), seed=seed)
    values, feasible = values_of(history), (margins >= 0).all(0)
    if not feasible.any():
        return qLogProbabilityOfFeasibility(model.botorch_model, constraints, sampler=sampler)
    scale = torch.tensor([spread_of_best(v) or 1.0 for v in values], dtype=torch.float64)
    scaled = values.T / scale

    def objectives(y: Tensor, X: Tensor | None = None) -> Tensor:
        return torch.stack(goal.values(model.values(y)), -1) / scale

    if 1 < len(values) <= _MOST_OBJECTIVES:
        front = scaled[feasible][is_non_dominated(scaled[feasible])]
        baseline = history.z[_near_the_front(scaled, feasible)]
        return qLogNoisyExpectedHypervolumeImprovement(
            model.botorch_model,
            ref_point=infer_reference_point(front, scale=0.1),
            X_baseline=model.inputs.exact(baseline),
            sampler=sampler,
            objective=GenericMCMultiOutputObjective(objectives),
            constraints=constraints or None,
            cache_root=False,  # the model's roots cost nothing
        )
    scalar = _first if len(values) == 1 else _chebyshev(scaled, seed)
    return qLogExpectedImprovement(
        model.botorch_model,
        best_f=scalar(scaled)[feasible].max(),
        sampler=sampler,
        objective=GenericMCObjective(lambda y, X=None: scalar(objectives(y))),
        constraints=constraints or None,
    )


def _first(objectives: Float64[Tensor, "*n o"]) -> Float64[Tensor, "*n"]:
    return objectives[..., 0]


def _chebyshev(
    known: Float64[Tensor, "n o"], seed: int
) -> Callable[[Float64[Tensor, "*b o"]], Float64[Tensor, "*b"]]:
    """Augmented Chebyshev scalarization with weights of its own, eq. 2 of [3] for maximization."""
    generator = torch.Generator().manual_seed(seed)
    weights = -torch.rand(known.shape[1], generator=generator, dtype=torch.float64).log()
    low = known.amin(0)
    weights = weights / weights.sum() / (known.amax(0) - low).clamp_min(_LEAST_RANGE)

    def scalar(objectives: Float64[Tensor, "*b o"]) -> Float64[Tensor, "*b"]:
        weighted = weights * (objectives - low)
        return weighted.amin(-1) + 0.05 * weighted.sum(-1)

    return scalar


def _violation(margin: Linear, model: SearchModel, unit: float, samples: Tensor) -> Tensor:
    return (-margin(model.values(samples)) / unit).clamp(-_CLEAR, _CLEAR)


def values_of(history: History) -> Float64[Tensor, "o n"]:
    """Value of each objective at each evaluated point."""
    return torch.stack(history.goal.values(history.metrics))


def margins_of(history: History) -> Float64[Tensor, "c n"]:
    """Signed margin of each constraint at each evaluated point."""
    margins = history.goal.margins(history.metrics).values()
    return torch.stack(list(margins)) if margins else history.z.new_zeros(0, len(history.z))


def best_points(history: History, n: int) -> Float64[Tensor, "m d"]:
    """The best feasible points, and after them those that violate the least."""
    return history.z[ranking(history)[:n]]


def ranking(history: History) -> Integer[Tensor, " n"]:
    """Indices of the evaluated points, the best feasible first, the largest violation last.

    Of several objectives the best are those that few others beat in all of them.
    """
    values, margins = values_of(history), margins_of(history)
    if len(values) > 1:
        better = (values[:, None, :] > values[:, :, None]).all(0)  # [i, j]: j beats i in all
        values = -better.sum(1).double()
    else:
        values = values[0]
    units = torch.tensor([spread(m) or 1.0 for m in margins], dtype=torch.float64)
    violation = ((-margins).clamp_min(0) / units[:, None]).sum(0)
    merit = torch.where(violation > 0, values.min() - 1 - violation, values)
    return merit.argsort(descending=True, stable=True)


def _near_the_front(
    values: Float64[Tensor, "n o"], feasible: Bool[Tensor, " n"]
) -> Integer[Tensor, " m"]:
    """Indices of the points that may be on the front: others have no say, and cost time."""
    kept = feasible.nonzero()[:, 0]
    near = is_non_dominated(values[kept])
    near[values[kept].sum(1).argsort(descending=True)[:_MOST_BASELINE]] = True
    return kept[near]
