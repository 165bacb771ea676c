"""Every strategy in the table keeps the promises of `latentopt.strategies.strategy.Strategy`."""

from functools import cache
from typing import NamedTuple

import numpy as np
import pytest
import torch

from generative import PCA
from latentopt.goal import Goal
from latentopt.history import History
from latentopt.space.latent_space import LatentSpace
from latentopt.strategies import STRATEGIES
from latentopt.strategies.strategy import Strategy

GOAL = Goal.parse("a - 2*b", ["b <= 0.5"])


@pytest.fixture(scope="module")
def space():
    images = torch.rand(60, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    return LatentSpace.fit(PCA((1, 8, 8), components=4).fit(images), images)


SECONDS = {"ax", "saas"}  # what one ask of Ax takes


# Settings of a cheap ask, of those that a strategy has.
SMALL = {
    "restarts": 1,
    "raw_samples": 32,
    "candidates": 64,
    "max_iterations": 5,
    "ensemble": 1,
}


def small(kind, *names):
    """The strategy with its cheapest settings, or with the cheapest of these names."""
    settings = {name: SMALL[name] for name in names or SMALL}
    known = STRATEGIES[kind].model_fields
    return STRATEGIES[kind](**{name: settings[name] for name in settings if name in known})


@pytest.fixture(
    params=[pytest.param(k, marks=[pytest.mark.slow] * (k in SECONDS)) for k in STRATEGIES]
)
def strategy(request):
    return small(request.param)


def history(space, n, pending=0, **changes):
    """`n` evaluated points of two smooth metrics; from 12 on, every strategy uses its model."""
    z = space.sample(n, seed=1)
    metrics = {"a": torch.sin(z[:, 0]) + z[:, 1], "b": 0.3 * z[:, 2]}
    waiting = space.sample(pending, seed=2)
    return History(space, GOAL, z=z, metrics=metrics, pending=waiting, **changes)


class Asked(NamedTuple):
    """The answer to one question, and whether the global random state was left alone."""

    z: torch.Tensor
    left_alone: bool


@pytest.fixture(scope="module")
def ask(space):
    """Points of a strategy for `history`; each question is asked once, the answer is kept."""

    @cache
    def asked(kind, n, pending, q, seed=0):
        torch.manual_seed(3)
        np.random.seed(3)  # noqa: NPY002  the legacy generator is the global one
        expected = torch.rand(1), np.random.rand()  # noqa: NPY002
        torch.manual_seed(3)
        np.random.seed(3)  # noqa: NPY002
        z = small(kind).propose(history(space, n, pending, seed=seed), q)
        return Asked(z, (torch.rand(1), np.random.rand()) == expected)  # noqa: NPY002

    return asked


CASES = [(0, 0, 3), (1, 0, 1), (9, 3, 2), (12, 0, 1), (12, 2, 2)]


def skip_most_cases_of_what_takes_seconds(strategy, n, pending):
    if strategy.kind in SECONDS and (n, pending) not in [(1, 0), (12, 2)]:
        pytest.skip("two cases tell enough of what takes Ax seconds")


def test_the_kind_is_the_name_in_the_table():
    for kind, strategy in STRATEGIES.items():
        assert strategy.model_fields["kind"].default == kind


def test_every_option_is_described():
    for strategy in STRATEGIES.values():
        for name, field in strategy.model_fields.items():
            assert name == "kind" or field.description


def test_it_matches_the_protocol(strategy):
    assert isinstance(strategy, Strategy)


@pytest.mark.parametrize(("n", "pending", "q"), CASES)
def test_points_are_distinct_float64_and_inside_the_radius(strategy, space, ask, n, pending, q):
    skip_most_cases_of_what_takes_seconds(strategy, n, pending)
    told = history(space, n, pending)
    z = ask(strategy.kind, n, pending, q).z
    assert z.shape == (q, 4)
    assert z.dtype == torch.float64
    assert torch.isfinite(z).all()
    assert (z.norm(dim=1) <= space.radius * (1 + 1e-9)).all()
    known = torch.cat([told.z, told.pending, z])
    assert len(torch.unique(known, dim=0)) == len(known)


@pytest.mark.parametrize(("n", "pending", "q"), CASES)
def test_the_same_history_gives_the_same_points(strategy, space, ask, n, pending, q):
    skip_most_cases_of_what_takes_seconds(strategy, n, pending)
    first = ask(strategy.kind, n, pending, q).z
    assert torch.equal(first, strategy.propose(history(space, n, pending), q))


@pytest.mark.parametrize(("n", "pending", "q"), [(0, 0, 3), (12, 2, 2)])
def test_another_seed_gives_other_points(strategy, ask, n, pending, q):
    if strategy.kind == "data" and n:
        pytest.skip("the best of a pool is the same by any seed")
    if strategy.kind == "saas" and n:
        pytest.skip("its seed is given to Ax where that of ax is")
    first, other = (ask(strategy.kind, n, pending, q, seed).z for seed in (0, 1))
    assert not torch.equal(first, other)


@pytest.mark.parametrize(("n", "pending", "q"), [(0, 0, 3), (12, 2, 2)])
def test_global_random_state_is_left_alone(strategy, ask, n, pending, q):
    assert ask(strategy.kind, n, pending, q).left_alone


@pytest.mark.parametrize("n", [5, 12])
def test_it_goes_on_after_failures_and_without_a_feasible_point(strategy, space, n):
    if strategy.kind in SECONDS and n == 12:
        pytest.skip("one case tells enough of what takes Ax seconds")
    z = space.sample(n, seed=1)
    metrics = {"a": z[:, 0], "b": 1 + z[:, 1] ** 2}
    told = History(space, GOAL, z=z, metrics=metrics, failed=space.sample(7, seed=2))
    assert strategy.propose(told, 1).shape == (1, 4)


def test_it_goes_on_when_everything_failed(strategy, space):
    told = History(space, GOAL, failed=space.sample(15, seed=2))
    assert strategy.propose(told, 1).shape == (1, 4)


def test_metrics_that_never_change_are_no_obstacle(strategy, space):
    z = space.sample(12, seed=1)
    told = History(space, GOAL, z=z, metrics={"a": torch.ones(12).double(), "b": z[:, 0] * 0})
    assert strategy.propose(told, 1).shape == (1, 4)


def test_points_told_twice_are_no_obstacle(strategy, space):
    z = space.sample(8, seed=1).repeat(2, 1)
    told = History(space, GOAL, z=z, metrics={"a": z[:, 0], "b": z[:, 1]}, failed=z[:4])
    proposed = strategy.propose(told, 1)
    assert torch.isfinite(proposed).all()
    assert torch.cdist(proposed, z).min() > 0


@pytest.fixture(scope="module")
def propose_by_units(space):
    """Points of a strategy for metrics in two units; each question is asked once."""

    @cache
    def asked(kind, unit_of_a, unit_of_b):
        z = space.sample(12, seed=1)
        metrics = {"a": unit_of_a * z[:, 0], "b": unit_of_b * z[:, 1].exp()}
        goal = Goal.parse(
            f"{1 / unit_of_a!r}*a - {2 / unit_of_b!r}*b", [f"b <= {1.5 * unit_of_b!r}"]
        )
        return small(kind).propose(History(space, goal, z=z, metrics=metrics), 1)

    return asked


@pytest.mark.parametrize("units", [(1e-18, 1e12), (1e30, 1e30)])
def test_the_same_points_are_asked_whatever_the_units_are(strategy, propose_by_units, units):
    if strategy.kind in SECONDS and units[0] == units[1]:
        pytest.skip("units that differ tell enough of what takes Ax seconds")
    expected, found = (propose_by_units(strategy.kind, *of) for of in ((1.0, 1.0), units))
    assert torch.equal(found, expected)


def awkward(t):
    """Metrics that a user may have, of numbers between -1 and 1."""
    top, bottom = t == t.max(), t == t.min()
    return {
        "of 1e308": t * 1e308,
        "of 1e-310": t * 1e-310,
        "beside 1e9": 1e9 + t,
        "whole numbers": (3 * t).round(),
        "true or false": (t > 0).double(),
        "once true": top.double(),
        "from 1e-200 to 1e200": 10.0 ** (200 * t),
        "of both signs over decades": t.sign() * 10.0 ** (40 * t.abs() - 20),
        "nothing or 1e12": torch.where(t > 0, 10.0 ** (12 * t), 0.0),
        "negative over decades": -(10.0 ** (12 * t)),
        "with one far above": torch.where(top, 1e12, t),
        "with one far below": torch.where(bottom, -1e12, t),
    }


AWKWARD = list(awkward(torch.tensor([-1.0, 1.0])))
SAME_FITS = {"gp": "gp_typical", "data": "structure"}  # the same processes of the same points
# One of each scale of a metric: the scales are the same for every strategy.
HARDEST = ("of 1e-310", "once true", "from 1e-200 to 1e200", "of both signs over decades")


@pytest.mark.parametrize("name", AWKWARD)
def test_no_metric_is_too_awkward_to_be_modelled(strategy, space, name, caplog):
    few = strategy.kind in SECONDS or SAME_FITS.get(strategy.kind) in STRATEGIES
    if few and name != "from 1e-200 to 1e200":
        pytest.skip("one metric tells enough of what takes Ax seconds, or of fits made elsewhere")
    if strategy.kind == "structure" and name not in HARDEST:
        pytest.skip("gp_typical meets them all, by the same fit")
    cheap = ("restarts", "raw_samples", "candidates", "ensemble")  # the steps of a fit by default
    strategy = small(strategy.kind, *cheap)
    z = space.sample(12, seed=1)
    goal = Goal.parse("a, b" if strategy.multi_objective else "a", ["a >= 0"])
    told = History(space, goal, z=z, metrics={"a": awkward(z[:, 0].tanh())[name], "b": z[:, 1]})
    proposed = strategy.propose(told, 1)
    assert torch.isfinite(proposed).all()
    assert (proposed.norm(dim=1) <= space.radius * (1 + 1e-9)).all()
    assert "could not fit" not in caplog.text


@pytest.mark.parametrize("name", AWKWARD)
def test_no_more_is_expected_than_what_lies_between_the_best_and_the_worst(strategy, space, name):
    if not hasattr(strategy, "expected_gain"):
        pytest.skip("it expects no gain")
    z, new = space.sample(12, seed=1), space.sample(2, seed=2)
    a = awkward(z[:, 0].tanh())[name]
    told = History(space, Goal.parse("a"), z=z, metrics={"a": a})
    assert 0 <= strategy.expected_gain(told, new) / 2 <= float(a.max() / 2 - a.min() / 2) * 1.001


def test_nothing_is_expected_of_an_objective_that_is_the_same_everywhere(strategy, space):
    if not hasattr(strategy, "expected_gain"):
        pytest.skip("it expects no gain")
    z = space.sample(12, seed=1)
    for constant in (5.0, 0.0, -1e-30):
        metrics = {"a": torch.full((12,), constant, dtype=torch.float64)}
        told = History(space, Goal.parse("a"), z=z, metrics=metrics)
        assert strategy.expected_gain(told, strategy.propose(told, 1)) == 0
