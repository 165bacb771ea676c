"""Conditions become numbers and back, and what was never trained is refused by name."""

import numpy as np
import pytest
import torch

from generative.conditions import Conditions

FRACTION = np.array([0.2, 0.4, 0.6])
KNOWN = Conditions.of_data(("steel", "foam"), {"fraction": FRACTION, "k": np.array([1.0, 2, 6])})


def test_the_condition_of_an_image_is_the_wish_for_what_it_has():
    rows = KNOWN.rows(np.array([1, 0, 1]), {"fraction": FRACTION, "k": np.array([1.0, 2, 6])})
    wish = KNOWN.ask("foam", {"fraction": 0.6, "k": 6.0})
    torch.testing.assert_close(torch.from_numpy(rows[2]), wish)


def test_properties_are_told_in_standard_deviations_from_the_mean():
    rows = KNOWN.rows(np.array([0, 0, 0]), {"fraction": FRACTION, "k": np.array([1.0, 2, 6])})
    values = rows[:, [KNOWN.groups[1].start, KNOWN.groups[2].start]]
    np.testing.assert_allclose(values.mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(values.std(0), 1, atol=1e-6)


def test_what_is_not_asked_for_is_zero_and_zero_asks_for_nothing():
    assert (KNOWN.ask() == 0).all()
    only = KNOWN.ask(properties={"k": 2.0})
    assert (only[KNOWN.groups[0]] == 0).all()
    assert (only[KNOWN.groups[1]] == 0).all()
    assert only[KNOWN.groups[2]][1] == 1


def test_groups_cover_each_number_once():
    covered = torch.zeros(KNOWN.size)
    for group in KNOWN.groups:
        covered[group] += 1
    assert (covered == 1).all()


def test_one_class_is_no_condition():
    assert Conditions.of_data(("all",), {}).size == 0


def test_a_class_or_property_never_trained_is_refused_with_those_that_were():
    with pytest.raises(ValueError, match=r"class 'glass' was not trained; .* steel, foam"):
        KNOWN.ask("glass")
    with pytest.raises(ValueError, match=r"property 'E' was not trained; .* fraction, k"):
        KNOWN.ask(properties={"E": 1.0})
    with pytest.raises(ValueError, match="trained without classes"):
        Conditions().ask("steel")


def test_a_value_outside_the_range_is_warned_of_with_the_range():
    with pytest.warns(UserWarning, match=r"fraction = 0.9 is outside 0.2 to 0.6"):
        KNOWN.ask(properties={"fraction": 0.9})


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_value_that_is_not_finite_is_refused(value):
    with pytest.raises(ValueError, match="property fraction should be a finite number"):
        KNOWN.ask(properties={"fraction": value})


@pytest.mark.parametrize("values", [np.ones(3), np.array([1.0, np.nan, 2.0])])
def test_a_property_that_teaches_nothing_is_refused(values):
    with pytest.raises(ValueError, match="property k should be finite and differ"):
        Conditions.of_data((), {"k": values})


def test_what_is_no_condition_is_refused_with_how_to_make_one():
    with pytest.raises(TypeError, match=r"a tensor, got dict. Make one with model.conditions.ask"):
        KNOWN.check({"fraction": 0.3})


def test_they_say_what_can_be_asked_for():
    assert KNOWN.describe() == "class (steel, foam), fraction (0.2 to 0.6), k (1 to 6)"


def test_they_survive_json():
    assert Conditions.model_validate_json(KNOWN.model_dump_json()) == KNOWN
