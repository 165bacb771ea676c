"""A history without units is the same to the last bit, in whatever unit its metrics were told."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from latentopt.goal import Goal
from latentopt.history import History
from latentopt.unit_free import UnitFree, spread, spread_of_best

UNITS = st.floats(-25, 25).map(lambda power: 10.0**power)
VALUES = st.lists(
    st.integers(-(10**6), 10**6).map(lambda whole: whole / 7e5), min_size=12, max_size=12
)


def of(space, goal, **metrics):
    columns = {k: torch.tensor(v, dtype=torch.float64) for k, v in metrics.items()}
    return UnitFree.of(History(space, goal, z=space.sample(12, seed=0), metrics=columns))


@settings(max_examples=100, deadline=None)
@given(a=VALUES, b=VALUES, unit_a=UNITS, unit_b=UNITS)
def test_another_unit_changes_no_bit(tiny_space, a, b, unit_a, unit_b):
    def told(unit_a, unit_b):
        form = f"{3 / unit_a!r}*a - {1 / unit_b!r}*b"
        goal = Goal.parse(
            f"{form}, -distance({1 / unit_a!r}*a - 0.3, {1 / unit_b!r}*b)",
            [f"a >= {0.1 * unit_a!r}"],
        )
        metrics = {"a": [unit_a * v for v in a], "b": [unit_b * v for v in b]}
        return of(tiny_space, goal, **metrics)

    plain, other = told(1.0, 1.0), told(unit_a, unit_b)
    for free in (plain, other):
        assert all(values.abs().max() <= 1 for values in free.history.metrics.values())
    for first, second in zip(
        (*plain.history.goal.values(plain.history.metrics), *plain.history.metrics.values()),
        (*other.history.goal.values(other.history.metrics), *other.history.metrics.values()),
        strict=True,
    ):
        assert torch.equal(first, second)
    assert [str(o) for o in plain.history.goal.objectives] == [
        str(o) for o in other.history.goal.objectives
    ]


@settings(max_examples=100, deadline=None)
@given(a=VALUES, unit=UNITS)
def test_values_and_margins_are_those_that_were_told_in_units_of_their_own(tiny_space, a, unit):
    goal = Goal.parse("2*a, -3*distance(a - 1)", [f"a >= {0.1 * unit!r}"])
    free = of(tiny_space, goal, a=[unit * v for v in a])
    told = {"a": torch.tensor([unit * v for v in a], dtype=torch.float64)}
    expected, found = goal.values(told), free.history.goal.values(free.history.metrics)
    for one, other, size in zip(expected, found, free.objective_units, strict=True):
        atol = 1e-8 * float(one.abs().max())
        torch.testing.assert_close(size * other, one, rtol=1e-8, atol=atol)
    (margin,), (free_margin,) = (
        goal.margins(told).values(),
        free.history.goal.margins(free.history.metrics).values(),
    )
    clear = margin.abs() > 1e-8 * unit
    assert torch.equal((margin >= 0)[clear], (free_margin >= 0)[clear])


def test_what_varies_by_rounding_alone_is_constant(tiny_space):
    values = [1e9 + 1e-7 * (i % 3) for i in range(12)]
    free = of(tiny_space, Goal.parse("a"), a=values)
    assert len(set(free.history.metrics["a"].tolist())) == 1
    assert spread(free.history.metrics["a"]) == 0


def test_one_value_far_out_does_not_hide_what_the_others_vary_by():
    values = torch.linspace(-1, 1, 11, dtype=torch.float64)
    below = torch.cat([values, torch.tensor([-1e12], dtype=torch.float64)])
    assert spread(values) == pytest.approx(float(values.std()))
    assert spread(below) < 10
    assert spread_of_best(below) < 1
    decades = 10.0 ** torch.linspace(-12, 12, 25, dtype=torch.float64)
    assert spread_of_best(decades) > 1e11  # the size of further improvements


def test_the_largest_and_the_smallest_numbers_neither_overflow_nor_vanish(tiny_space):
    values = [1.7e308, -1.7e308, *([5e-324] * 10)]
    free = of(tiny_space, Goal.parse("3*a", ["a >= 1"]), a=values)
    found = free.history.metrics["a"]
    assert torch.isfinite(found).all()
    assert (found.sign() == torch.tensor(values).double().sign()).all()
    assert all(math.isfinite(unit) for unit in free.objective_units)
