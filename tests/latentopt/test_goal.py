import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from latentopt.errors import ConfigError
from latentopt.goal import Goal, parse_constraint, parse_objectives
from latentopt.wording import nearest


def test_an_objective_is_read_as_its_coefficients():
    (form,) = parse_objectives("k_xx - 2*k_yy")
    assert dict(form.weights) == {"k_xx": 1.0, "k_yy": -2.0}
    assert form.constant == 0.0


def test_a_leading_minus_minimizes():
    (form,) = parse_objectives("-cost")
    assert form({"cost": 3.0}) == -3.0


@pytest.mark.parametrize(
    "text", ["2*(a - b/4) + a", "3*a - 0.5*b", "a*3 - b*.5", "-(-3*a) - b/2", "3*a - b + b/2"]
)
def test_equal_forms_written_differently_are_equal(text):
    (form,) = parse_objectives(text)
    assert dict(form.weights) == {"a": 3.0, "b": -0.5}


def test_a_distance_is_the_euclidean_norm_of_its_forms():
    goal = Goal.parse("-2*distance(k_xx - 12, 2*k_yy - 8), -cost")
    assert goal.metrics == ("k_xx", "k_yy", "cost")
    metrics = {"k_xx": torch.tensor([15.0, 12.0]), "k_yy": torch.tensor([6.0, 4.0])}
    distance, _ = goal.values(metrics | {"cost": torch.tensor([1.0, 1.0])})
    assert torch.equal(distance, torch.tensor([-10.0, 0.0]))


def test_a_distance_has_a_gradient_where_it_is_zero():
    (form,) = parse_objectives("-distance(a - 1, b)")
    a = torch.ones((), dtype=torch.float64, requires_grad=True)
    form({"a": a, "b": torch.zeros((), dtype=torch.float64)}).backward()
    assert a.grad == 0.0


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("-distance()", "distance()"),
        ("-distance(12)", "names no metric"),
        ("a - distance(b - 1)", "not linear"),
        ("-distance(a*b)", "not linear"),
    ],
)
def test_a_distance_that_cannot_be_read_is_named(text, named):
    with pytest.raises(ConfigError, match=named.replace("(", r"\(").replace(")", r"\)")):
        parse_objectives(text)


def test_commas_separate_several_objectives():
    goal = Goal.parse("-cost, strength")
    assert goal.values({"cost": 2.0, "strength": 5.0}) == (-2.0, 5.0)


@pytest.mark.parametrize(
    ("text", "metrics", "margin"),
    [
        ("volume_fraction <= 0.5", {"volume_fraction": 0.3}, 0.2),
        ("a + 2*b >= 1", {"a": 0.5, "b": 0.5}, 0.5),
        ("1 <= a", {"a": 3.0}, 2.0),
        ("a >= b", {"a": 1.0, "b": 4.0}, -3.0),
        ("a - 1 <= 2*(b + 1)", {"a": 1.0, "b": 1.0}, 4.0),
    ],
)
def test_a_margin_is_the_distance_to_the_limit_and_positive_inside(text, metrics, margin):
    assert parse_constraint(text).margin(metrics) == pytest.approx(margin)


@given(
    a=st.floats(-1e3, 1e3), b=st.floats(-1e3, 1e3), w=st.floats(-1e3, 1e3), limit=st.floats(-10, 10)
)
def test_the_sign_of_the_margin_is_the_truth_of_the_inequality(a, b, w, limit):
    margin = parse_constraint(f"{w!r}*a - b <= {limit!r}").margin({"a": a, "b": b})
    left = w * a - b
    if abs(left - limit) > 1e-6 * (1 + abs(w * a) + abs(b)):
        assert (margin >= 0) == (left <= limit)


def test_forms_act_row_by_row_on_tensors():
    goal = Goal.parse("k_xx - 2*k_yy", ["k_yy <= 3"])
    metrics = {"k_xx": torch.tensor([1.0, 2.0]), "k_yy": torch.tensor([0.0, 4.0])}
    assert goal.values(metrics)[0].tolist() == [1.0, -6.0]
    assert goal.margins(metrics)["k_yy <= 3"].tolist() == [3.0, -1.0]


def test_metrics_are_listed_once_in_order_of_appearance():
    goal = Goal.parse("k_xx - 2*k_yy", ["volume_fraction <= 0.5", "k_xx >= 1"])
    assert goal.metrics == ("k_xx", "k_yy", "volume_fraction")


def test_an_unknown_metric_is_answered_with_the_nearest():
    lines = Goal.parse("kxx").unknown_metrics(["k_xx", "k_yy", "volume_fraction"])
    assert lines == ["metric 'kxx' is not evaluated; did you mean k_xx?"]


def test_a_name_with_no_neighbour_is_answered_with_all_names():
    assert nearest("zzz", ["b", "a"]) == "known: a, b."


@pytest.mark.parametrize(
    ("text", "piece"),
    [
        ("k_xx - * 2", "* 2"),
        ("", "its end"),
        ("()", "empty"),
        ("3", "names no metric"),
        ("a - a", "names no metric"),
        ("a + 1", "constant 1"),
        ("a*b", "'a * b' is not linear"),
        ("a + b**2", "'b ** 2' is not linear"),
        ("1/a", "'1 / a' is not linear"),
        ("a/0", "'a / 0' is not linear"),
        ("log(a)", "'log(a)' is not linear"),
        ("__import__('os').system('true')", "is not linear"),
        ("a + 'b'", "is not linear"),
        ("a + True", "is not linear"),
        ("a * 1e999", "is not linear"),
        ("a <= 1", "is not linear"),
        ("a if b else c", "is not linear"),
        ("(" * 900 + "a" + ")" * 900, "characters"),
        ("(" * 400 + "a" + ")" * 400, "not an expression"),
    ],
)
def test_a_bad_objective_is_refused_with_the_piece_at_fault(text, piece):
    with pytest.raises(ConfigError) as caught:
        parse_objectives(text)
    assert piece in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "piece"),
    [
        ("volume_fraction", "compares nothing"),
        ("0.2 <= a <= 0.5", "2 comparisons"),
        ("a == 1", "only <= and >="),
        ("a < 1", "only <= and >="),
        ("1 <= 2", "names no metric"),
        ("a*b <= 1", "'a * b' is not linear"),
        ("a <=", "not an expression"),
    ],
)
def test_a_bad_constraint_is_refused_with_the_piece_at_fault(text, piece):
    with pytest.raises(ConfigError, match="constraint") as caught:
        parse_constraint(text)
    assert piece in str(caught.value)
