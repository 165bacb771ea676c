"""Distances, integrals and peaks of curves with known ones; what is no curve is refused."""

import numpy as np
import pytest
import torch

from objectives.errors import EvaluationError
from objectives.spectral import band_integral, distance_to_curve, peak
from objectives.spectral.curve_files import read_curve
from objectives.spectral.curves import checked_axis

UNEVEN = torch.tensor([0.0, 0.5, 0.7, 1.5, 2.0, 3.0], dtype=torch.float64)


def test_a_match_has_distance_0_and_a_finite_gradient():
    target = UNEVEN.sin() + 2
    curves = target[None].clone().requires_grad_()
    distance = distance_to_curve(curves, UNEVEN, target)
    assert distance.item() == 0
    assert torch.isfinite(torch.autograd.grad(distance.sum(), curves)[0]).all()


def test_the_distance_is_relative_and_does_not_depend_on_where_points_are_dense():
    dense = torch.cat([torch.linspace(0, 1, 500), torch.linspace(1.1, 3, 20)]).double()
    for axis in (UNEVEN, dense):
        target = torch.full_like(axis, 4.0)
        curves = torch.stack([1.25 * target, 0 * target])
        assert distance_to_curve(curves, axis, target).tolist() == pytest.approx([0.25, 1])


@pytest.mark.parametrize("band", [(0.0, 3.0), (0.1, 0.4), (0.6, 2.2)])
def test_the_integral_of_a_line_is_exact_over_any_band(band):
    low, high = band
    curves = torch.stack([2 * UNEVEN + 1, -UNEVEN])
    expected = [high**2 - low**2 + high - low, -(high**2 - low**2) / 2]
    assert band_integral(curves, UNEVEN, band).tolist() == pytest.approx(expected)


def test_the_peak_of_a_parabola_is_exact_on_uneven_points():
    curves = torch.stack([5 - 2 * (UNEVEN - 0.9) ** 2, 1 - (UNEVEN - 1.9) ** 2])
    place, height = peak(curves, UNEVEN)
    assert place.tolist() == pytest.approx([0.9, 1.9])
    assert height.tolist() == pytest.approx([5, 1])


def test_a_peak_at_the_end_of_the_band_is_that_point():
    place, height = peak(UNEVEN[None], UNEVEN, (0.4, 1.6))
    assert (place.item(), height.item()) == (1.5, 1.5)
    assert peak(UNEVEN[None], UNEVEN, (0.6, 0.8))[0].item() == 0.7  # one point


def test_gradients_are_those_of_finite_differences():
    curves = (2 - (UNEVEN[None] - 1.4) ** 2 + 0.1 * UNEVEN.sin()).requires_grad_()
    target = UNEVEN.cos()

    def check(function):
        assert torch.autograd.gradcheck(function, (curves,))

    check(lambda c: distance_to_curve(c, UNEVEN, target))
    check(lambda c: band_integral(c, UNEVEN, (0.3, 1.8)))
    check(lambda c: peak(c, UNEVEN))


@pytest.mark.parametrize(
    ("axis", "said"),
    [
        ([0.0, 2.0, 1.0], "axis should rise, got 2 before 1 at point 1. Sort"),
        ([0.0, 1.0, 1.0], "keep one of equal points"),
        ([0.0, float("nan"), 1.0], "axis should be finite, got nan at point 1"),
        ([0.0], "two points or more, got 1"),
        ([[0.0, 1.0]], "shape"),
        ("abc", "list of numbers"),
    ],
)
def test_what_is_no_axis_is_refused(axis, said):
    with pytest.raises(ValueError, match=said):
        checked_axis(axis)


@pytest.mark.parametrize(
    ("curves", "said"),
    [
        (torch.tensor([[1.0, 1.0, 1.0], [1.0, torch.nan, 1.0]]), "got nan at point 1 of row 1"),
        (torch.ones(2, 4), r"curves should have shape \(n, 3\)"),
    ],
)
def test_what_is_no_curve_is_refused(curves, said):
    axis = torch.arange(3.0).double()
    for function in (
        lambda c: distance_to_curve(c, axis, axis),
        lambda c: band_integral(c, axis, (0, 1)),
        lambda c: peak(c, axis),
    ):
        with pytest.raises(ValueError, match=said) as refusal:
            function(curves.double())
        assert len(curves[0]) == 4 or isinstance(refusal.value, EvaluationError)


@pytest.mark.parametrize(
    ("target", "said"),
    [
        (torch.ones(4), "target has 4 values and the axis 3 points. Give one value a point"),
        (torch.tensor([1.0, torch.inf, 1.0]), "target should be finite, got inf at point 1"),
        (torch.zeros(3), "0 everywhere"),
    ],
)
def test_what_is_no_target_is_refused(target, said):
    axis = torch.arange(3.0).double()
    with pytest.raises(ValueError, match=said):
        distance_to_curve(torch.ones(1, 3).double(), axis, target.double())


@pytest.mark.parametrize("band", [(1.0, 1.0), (2.0, 1.0), (-1.0, 1.0), (1.0, 4.0)])
def test_a_band_beyond_the_axis_or_backwards_is_refused(band):
    with pytest.raises(ValueError, match="from low to high within the axis, 0 to 3"):
        band_integral(UNEVEN[None], UNEVEN, band)


def test_a_band_between_points_has_no_peak():
    with pytest.raises(ValueError, match="holds no point of the axis; make it wider"):
        peak(UNEVEN[None], UNEVEN, (0.1, 0.2))


def test_a_file_has_the_axis_and_the_curve_as_columns(tmp_path):
    path = tmp_path / "curve.csv"
    path.write_text("frequency,loss\n0.5,1\n\n1.0,2e-1\n", encoding="utf-8")
    assert read_curve(path) == ([0.5, 1.0], [1.0, 0.2])
    np.savetxt(path, [[0.5, 1], [1, 0.2]], delimiter=",")
    assert read_curve(path) == ([0.5, 1.0], [1.0, 0.2])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n1,2\n3\n", "line 3 should hold two numbers, axis and value, got '3'"),
        ("1,2\nx,y\n", "line 2 should hold two numbers"),
        ("a,b\n", "holds no numbers"),
    ],
)
def test_a_file_of_something_else_is_refused(tmp_path, text, said):
    path = tmp_path / "curve.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=said):
        read_curve(path)


def test_a_file_that_is_missing_is_refused(tmp_path):
    with pytest.raises(ValueError, match="cannot be read as CSV"):
        read_curve(tmp_path / "none.csv")
