"""Figures of held-out images, and folds that keep what is correlated together."""

import math

import numpy as np
import pytest
import torch

from objectives.surrogates import SURROGATES, Prediction, accuracy, cross_validate


def mean_fraction(images):
    return images.double().flatten(1).mean(1)[:, None]


def surrogate():
    return SURROGATES["latent_gp"](encode=mean_fraction)


def structures(n):
    images = torch.rand(n, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    return images, mean_fraction(images)[:, 0] ** 2


def test_a_normal_error_that_is_known_has_the_shares_of_a_normal_distribution():
    error = torch.randn(20_000, generator=torch.Generator().manual_seed(0)).double()
    known = torch.linspace(0, 100, 20_000).double()
    figures = accuracy(Prediction(known + error, torch.ones_like(known)), known)["y"]
    assert figures.within_one_sigma == pytest.approx(math.erf(1 / math.sqrt(2)), abs=0.01)
    assert figures.within_two_sigma == pytest.approx(math.erf(2 / math.sqrt(2)), abs=0.01)
    assert figures.mae == pytest.approx(math.sqrt(2 / math.pi), abs=0.02)


def test_the_mean_explains_nothing_and_equal_values_have_no_r2():
    known = torch.tensor([1.0, 2.0, 6.0])
    at_mean = Prediction(torch.full((3,), 3.0).double(), torch.ones(3).double())
    assert accuracy(at_mean, known)["y"].r2 == 0
    assert math.isnan(accuracy(at_mean, torch.ones(3))["y"].r2)


def test_figures_have_the_names_of_the_outputs():
    two = Prediction(np.zeros((3, 2)), np.ones((3, 2)))
    assert list(accuracy(two, {"a": np.ones(3), "b": np.ones(3)})) == ["a", "b"]
    with pytest.raises(ValueError, match="2 outputs"):
        accuracy(two, np.ones(3))


def test_every_image_is_predicted_once_by_a_surrogate_that_never_saw_its_group():
    images, y = structures(24)
    seen = []

    class Spy(SURROGATES["latent_gp"]):
        def fit(self, images, y):
            seen.append(images)
            return super().fit(images, y)

    groups = np.arange(24) // 4
    done = []
    prediction = cross_validate(
        Spy(encode=mean_fraction),
        images,
        y,
        folds=3,
        groups=groups,
        on_fold=lambda *n: done.append(n),
    )
    assert prediction.mean.shape == prediction.std.shape == (24, 1)
    assert (prediction.std > 0).all()
    assert done == [(1, 3), (2, 3), (3, 3)]
    for training in seen:
        kept = {int(g) for g, image in zip(groups, images, strict=True) if image in training}
        assert len(kept) == 4
        assert len(training) == 16


def test_cross_validation_leaves_the_surrogate_unfitted_and_repeats_itself():
    images, y = structures(20)
    model = surrogate()
    first, second = (cross_validate(model, images, y, folds=4) for _ in range(2))
    assert torch.equal(first.mean, second.mean)
    with pytest.raises(ValueError, match="is not fitted"):
        model.predict(images)
    assert accuracy(first, y)["y"].r2 > 0.9


@pytest.mark.parametrize("folds", [1, 4])
def test_more_folds_than_groups_are_refused(folds):
    images, y = structures(9)
    with pytest.raises(ValueError, match="2 to 3, the number of independent images"):
        cross_validate(surrogate(), images, y, folds=folds, groups=np.arange(9) // 3)


def test_images_of_one_specimen_cannot_be_cross_validated():
    images, y = structures(9)
    with pytest.raises(ValueError, match=r"none can be held out.*two specimens or more"):
        cross_validate(surrogate(), images, y, folds=2, groups=np.zeros(9))
