"""The model behind the strategies: kernel, predictions, cross-validation, goals."""

import math

import pytest
import torch
from botorch.models import ModelListGP
from gpytorch.kernels import MaternKernel

from latentopt.goal import Goal
from latentopt.history import History
from latentopt.strategies import STRATEGIES
from latentopt.strategies.gp_typical import GPTypical
from latentopt.strategies.modelled.inputs import GroupedMatern, PointInputs, StructureInputs
from latentopt.strategies.modelled.metric_scale import MetricScale
from latentopt.strategies.modelled.processes import SearchModel
from latentopt.strategies.structure import Structure

MODELLED = [kind for kind in ("gp", "gp_typical", "structure") if kind in STRATEGIES]
QUICK = {"restarts": 1, "raw_samples": 64, "max_iterations": 30}


def history(space, n=14, goal="a - 2*b", constraints=(), **changes):
    z = space.sample(n, seed=1)
    metrics = {"a": torch.sin(z[:, 0]) + z[:, 1], "b": (0.5 * z[:, 2]).exp()}
    return History(space, Goal.parse(goal, constraints), z=z, metrics=metrics, **changes)


def test_one_group_of_weight_w_is_a_matern_kernel_of_lengthscale_1_over_w():
    x = torch.randn(5, 3, generator=torch.Generator().manual_seed(0)).double()
    ours, theirs = GroupedMatern((3,)).double(), MaternKernel(2.5).double()
    theirs.lengthscale = 1 / ours.weights.detach()
    torch.testing.assert_close(ours(x).to_dense(), theirs(x).to_dense())


def test_a_fit_can_begin_again_from_draws_of_the_prior():
    kernel = GroupedMatern((1, 2)).double()
    before = kernel.weights.detach().clone()
    torch.manual_seed(0)
    kernel.sample_from_prior("weights_prior")
    assert (kernel.weights != before).all()
    assert (kernel.weights > 0).all()


def test_groups_are_weighted_apart():
    kernel = GroupedMatern((1, 2)).double()
    kernel.raw_weights.data = torch.tensor([0.0, -60.0]).double()  # the second does not matter
    x = torch.tensor([[0.0, 0.0, 0.0], [0.0, 3.0, -2.0]]).double()
    assert float(kernel(x).to_dense()[0, 1]) == pytest.approx(1.0)


@pytest.mark.parametrize("inputs", [PointInputs, StructureInputs])
def test_predictions_are_those_of_botorch(tiny_space, inputs):
    told = history(tiny_space)
    made = inputs(tiny_space, ball=True) if inputs is PointInputs else inputs(tiny_space)
    model = SearchModel(told, made, max_iterations=20)
    x = made.exact(tiny_space.sample(6, seed=9)).reshape(2, 3, -1)
    expected = ModelListGP(*model.processes.values()).posterior(x)
    found = model.botorch_model.posterior(x)
    torch.testing.assert_close(found.mean, expected.mean, atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(found.variance, expected.variance, atol=1e-5, rtol=1e-3)
    draws = found.rsample(torch.Size([20000]))
    torch.testing.assert_close(draws.mean(0), found.mean, atol=0.05, rtol=0.05)
    centred = (draws - found.mean)[..., 0]
    covariance = torch.einsum("sbi,sbj->bij", centred, centred) / len(draws)
    root = found.root[:, 0]
    torch.testing.assert_close(covariance, root @ root.mT, atol=0.05, rtol=0.05)


def test_leaving_one_out_is_predicting_it_from_the_others(tiny_space):
    model = SearchModel(history(tiny_space, goal="a"), PointInputs(tiny_space, ball=True))
    found = model.cross_validate()["a"]
    (process,) = model.processes.values()
    x, y = process.train_inputs[0], process.train_targets
    process.set_train_data(x[1:], y[1:], strict=False)
    process.eval()
    predicted = process.posterior(x[:1], observation_noise=True)
    torch.testing.assert_close(predicted.mean.reshape(()), found.predicted[0])
    torch.testing.assert_close(predicted.variance.sqrt().reshape(()), found.sigma[0])


def test_of_many_points_the_best_and_some_of_all_times_are_fitted(tiny_space):
    told = history(tiny_space, 60, goal="a", failed=tiny_space.sample(50, seed=8))
    a = told.metrics["a"]
    fitted = GPTypical(most=20).model(told).cross_validate()["a"].observed
    assert len(fitted) == 20
    assert torch.cdist(a.topk(10).values[:, None], fitted[:, None]).amin(1).max() < 1e-9
    assert GPTypical(most=60).model(told).cross_validate()["a"].observed.shape == (60,)
    assert GPTypical(most=20).propose(told, 1).shape == (1, 4)


def test_what_was_observed_is_told_in_its_own_units(tiny_space):
    told = history(tiny_space, goal="b")  # spans over a decade, so its logarithm is modelled
    told.metrics["b"][0] = 1e4
    model = SearchModel(told, PointInputs(tiny_space, ball=True))
    assert model.scales["b"].kind == "log"
    torch.testing.assert_close(model.cross_validate()["b"].observed, told.metrics["b"])


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1.0, 2.0, 9.0], "linear"),
        ([1.0, 2.0, 11.0], "log"),
        ([-1.0, 1.0, 2.0, 3.0], "linear"),
        ([-1.0, 1.0, -1.0, 11.0], "asinh"),
        ([0.0, 0.0, -1.0, 11.0], "linear"),  # no width to speak of
        ([], "linear"),
    ],
)
def test_a_scale_is_chosen_by_the_span_and_taken_back_exactly(values, kind):
    y = torch.tensor(values, dtype=torch.float64)
    scale = MetricScale.of(y)
    assert scale.kind == kind
    assert MetricScale.of(2.0**-30 * y).kind == kind
    modelled = scale.modelled(y).requires_grad_()
    torch.testing.assert_close(scale.metric(modelled), y)
    (slope,) = torch.autograd.grad(scale.metric(modelled).sum(), modelled)
    torch.testing.assert_close(scale.slope(modelled), slope)


@pytest.mark.parametrize("kind", MODELLED)
def test_importances_are_shares_and_find_what_matters(tiny_space, kind):
    z = tiny_space.sample(40, seed=1)
    told = History(tiny_space, Goal.parse("a"), z=z, metrics={"a": z[:, 2]})
    shares = STRATEGIES[kind]().model(told).importances()["a"]
    assert sum(shares.values()) == pytest.approx(1.0)
    if kind != "structure":
        assert max(shares, key=shares.get) == "z02"


def test_the_structure_alone_explains_a_property_of_the_structure(tiny_space):
    inputs = StructureInputs(tiny_space)
    z = tiny_space.sample(40, seed=1)
    goal, metrics = Goal.parse("f"), {"f": inputs.features.scores(z)[:, 0]}
    fitted = Structure().model(History(tiny_space, goal, z=z, metrics=metrics))
    found = fitted.cross_validate()["f"]
    assert (found.predicted - found.observed).std() < 0.1 * found.observed.std()
    shares = fitted.importances()["f"]
    assert max(shares, key=shares.get) == "volume_fraction"


@pytest.mark.parametrize("kind", MODELLED)
def test_the_distance_from_the_data_is_known_and_kept(tiny_space, kind):
    z = tiny_space.sample(12, seed=1)
    distance = tiny_space.distance_from_data
    goal = Goal.parse("a", ["distance_from_data <= 0.6"])
    told = History(tiny_space, goal, z=z, metrics={"a": z[:, 0], "distance_from_data": distance(z)})
    fitted = STRATEGIES[kind]().model(told)
    new = tiny_space.sample(5, seed=2)
    predicted = fitted.botorch_model.posterior(fitted.inputs.exact(new)[:, None])
    torch.testing.assert_close(predicted.mean[:, 0, 1], distance(new))
    assert list(fitted.cross_validate()) == ["a"]
    assert distance(STRATEGIES[kind]().propose(told, 1))[0] <= 0.7


def test_failures_are_learned(tiny_space):
    z, failed = tiny_space.sample(60, seed=1), tiny_space.sample(60, seed=2)
    z, failed = z[z[:, 0] < 0], failed[failed[:, 0] > 0]  # every trial with z0 > 0 fails
    told = History(tiny_space, Goal.parse("a"), z=z, metrics={"a": z[:, 1]}, failed=failed)
    fitted = GPTypical().model(told)
    new = tiny_space.sample(40, seed=3)
    success = fitted.botorch_model.posterior(fitted.inputs.exact(new)[:, None]).mean[:, 0, -1] > 0.5
    assert (success == (new[:, 0] < 0)).double().mean() > 0.85
    assert GPTypical().propose(told, 1)[0, 0] < 0.3


def test_points_that_were_screened_out_teach_the_cheap_metric(tiny_space):
    few, more = history(tiny_space, 4, goal="a"), tiny_space.sample(30, seed=5)
    told = history(
        tiny_space,
        4,
        goal="a",
        screened=more,
        screened_metrics={"a": torch.sin(more[:, 0]) + more[:, 1]},
    )
    far = tiny_space.sample(50, seed=6)
    truth = torch.sin(far[:, 0]) + far[:, 1]
    errors = []
    for each in (few, told):
        predicted, _ = GPTypical().model(each).predict(far)["a"]
        errors.append(float((predicted - truth).std()))
    assert errors[1] < 0.5 * errors[0]


@pytest.mark.parametrize("kind", MODELLED)
def test_several_objectives_move_towards_the_front(tiny_space, kind):
    def two(z):
        return {"a": -((z - 1) ** 2).sum(1), "b": -((z + 1) ** 2).sum(1)}

    z = tiny_space.sample(12, seed=1)
    goal, strategy = Goal.parse("a, b"), STRATEGIES[kind](**QUICK)
    for _ in range(4):
        told = History(tiny_space, goal, z=z, metrics=two(z))
        z = torch.cat([z, strategy.propose(told, 1)])
    # The front is the segment from (-1, -1, -1, -1) to (1, 1, 1, 1).
    centred = z - z.mean(1, keepdim=True)
    off = centred.norm(dim=1)
    assert off[12:].median() < 0.7 * off[:12].median()


def test_a_distance_is_taken_of_predictions_and_not_itself_predicted(tiny_space):
    z = tiny_space.sample(20, seed=1)
    goal = Goal.parse("-distance(a - 1, b + 1)")
    told = History(tiny_space, goal, z=z, metrics={"a": z[:, 0], "b": z[:, 1]})
    assert GPTypical().model(told).metrics == ("a", "b")
    found = GPTypical().propose(told, 1)[0]
    assert math.hypot(found[0] - 1, found[1] + 1) < 0.3


@pytest.mark.parametrize("kind", MODELLED)
def test_the_gain_of_a_known_point_is_nearly_nothing_and_that_of_a_promising_one_is_not(
    tiny_space, kind
):
    strategy = STRATEGIES[kind](**QUICK)
    told = history(tiny_space, 20, goal="a")
    known = strategy.expected_gain(told, told.z[:1])
    promising = strategy.expected_gain(told, strategy.propose(told, 1))
    assert 0 <= known < 0.1 * promising
    thousand = History(
        told.space, told.goal, z=told.z, metrics={k: 1000 * v for k, v in told.metrics.items()}
    )
    assert strategy.expected_gain(thousand, strategy.propose(told, 1)) == pytest.approx(
        1000 * promising, rel=0.2
    )


def test_the_gain_is_unbounded_until_something_meets_the_constraints(tiny_space):
    told = history(tiny_space, constraints=["b <= -1"])
    assert Structure().expected_gain(told, told.z[:1]) == math.inf
