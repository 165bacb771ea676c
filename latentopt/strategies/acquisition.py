"""What a search maximizes to choose its next point: improvement under constraints."""

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

from latentopt.history import History
from latentopt.strategies.surrogate import Surrogate

_SAMPLES = 128  # posterior samples behind one acquisition value
_MOST_BASELINE = 200  # points whose hypervolume is sampled


def improvement(history: History, surrogate: Surrogate) -> AcquisitionFunction:
    """Expected improvement, or of several objectives expected hypervolume improvement.

    Objective and constraints act on samples of the posterior [1]_ [2]_. Until a feasible point is
    known it is the probability of feasibility. Trials that failed count as violations of one more
    constraint, that of success.

    Returns
    -------
    The logarithm, as a function of the surrogate's inputs; of one objective, in units of the
    objective's standard deviation so far.

    References
    ----------
    .. [1] Ament et al. (2023), Unexpected Improvements to Expected Improvement for Bayesian
       Optimization, section 3.
    .. [2] Daulton, Balandat, Bakshy (2021), Parallel Bayesian Optimization of Multiple Noisy
       Objectives with Expected Hypervolume Improvement.
    """
    goal, model = history.goal, surrogate.model
    # The acquisition functions smooth their steps by a fixed width: in units of the spread seen,
    # so that a metric in pascals is treated as one in gigapascals. BoTorch's constraints are met
    # where negative.
    margins = margins_of(history)
    constraints = [
        partial(lambda c, s, y: -c.margin(surrogate.values(y)) / s, constraint, _spread(margin))
        for constraint, margin in zip(goal.constraints, margins, strict=True)
    ]
    if surrogate.learns_success:
        constraints.append(lambda y: 0.5 - y[..., -1])
    sampler = SobolQMCNormalSampler(
        torch.Size([_SAMPLES]), seed=history.seed_of(history.next_index)
    )
    values, feasible = values_of(history), (margins >= 0).all(0)
    if not feasible.any():
        return qLogProbabilityOfFeasibility(model, constraints, sampler=sampler)
    scale = torch.tensor([_spread(v) for v in values], dtype=torch.float64)
    if len(values) > 1:
        scaled = (values.T / scale)[feasible]
        front = scaled[is_non_dominated(scaled)]
        baseline = history.z[_near_the_front(values.T / scale, feasible)]
        return qLogNoisyExpectedHypervolumeImprovement(
            model,
            ref_point=infer_reference_point(front, scale=0.1),
            X_baseline=surrogate.inputs.exact(baseline),
            sampler=sampler,
            objective=GenericMCMultiOutputObjective(
                lambda y, X=None: torch.stack(goal.values(surrogate.values(y)), -1) / scale
            ),
            constraints=constraints or None,
            cache_root=False,  # the model's roots cost nothing
        )
    return qLogExpectedImprovement(
        model,
        best_f=values[0][feasible].max() / scale[0],
        sampler=sampler,
        objective=GenericMCObjective(
            lambda y, X=None: goal.values(surrogate.values(y))[0] / scale[0]
        ),
        constraints=constraints or None,
    )


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
    spread = torch.tensor([_spread(m) for m in margins], dtype=torch.float64)
    violation = ((-margins).clamp_min(0) / spread[:, None]).sum(0)
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


def _spread(values: Float64[Tensor, " n"]) -> float:
    return float(values.std()) if len(values) > 1 and values.std() > 0 else 1.0
