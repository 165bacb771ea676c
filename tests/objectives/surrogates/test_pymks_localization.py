"""Localization learns convolutions exactly, low contrast well, and of an average the fraction."""

import numpy as np
import pytest
import torch

from objectives.errors import SurrogateFileError
from objectives.homogenize import effective_conductivity
from objectives.pymks_import import pymks_installed
from objectives.surrogates import PymksLocalization

pytestmark = pytest.mark.skipif(not pymks_installed(), reason="PyMKS is not installed")


def structures(n, *space, seed=0):
    generator = torch.Generator().manual_seed(seed)
    fractions = torch.rand(n, *[1] * (len(space) + 1), generator=generator)
    return (torch.rand(n, 1, *space, generator=generator) < fractions).float()


def dissipation(images, contrast):
    """Local k |e|^2 under a unit mean gradient along x, whose mean is k_xx."""
    leaf = images.double().requires_grad_()
    k_xx = effective_conductivity(leaf, (1.0, contrast), tol=1e-6)[:, -1, -1]
    (slope,) = torch.autograd.grad(k_xx.sum(), leaf)
    field = slope / (contrast - 1) * (1 + (contrast - 1) * images) * images[0].numel()
    return field[:, 0], k_xx.detach()


@pytest.mark.parametrize("space", [(6, 5), (4, 3, 5)])
def test_a_convolution_is_learned_exactly(space):
    images = structures(12, *space)
    fields = (2 * images + images.roll(1, 2) - 3 * images.roll(-1, -1))[:, 0]
    model = PymksLocalization().fit(images, fields)
    fresh = structures(3, *space, seed=1)
    expected = (2 * fresh + fresh.roll(1, 2) - 3 * fresh.roll(-1, -1))[:, 0].double()
    torch.testing.assert_close(model.predict(fresh), expected, rtol=0, atol=1e-5)
    assert isinstance(model.predict(fresh.numpy()), np.ndarray)


def test_local_fields_are_learned_at_low_contrast_and_not_at_high():
    shares = []
    for contrast in (1.5, 100.0):
        training, fresh = structures(150, 9, 9), structures(20, 9, 9, seed=1)
        model = PymksLocalization().fit(training, dissipation(training, contrast)[0])
        field, k_xx = dissipation(fresh, contrast)
        torch.testing.assert_close(field.mean((1, 2)), k_xx, rtol=1e-6, atol=0)
        error = (model.predict(fresh) - field).square().mean()
        shares.append(float(1 - error / field.var()))
    assert shares[0] > 0.95
    assert shares[1] < 0.8


def test_the_mean_of_a_field_is_linear_in_the_fraction():
    training, fresh = structures(60, 7, 7), structures(20, 7, 7, seed=1)
    model = PymksLocalization().fit(training, dissipation(training, 10.0)[0])
    fraction = fresh.double().mean((1, 2, 3)).numpy()
    mean = model.predict(fresh).mean((1, 2)).numpy()
    line = np.polyval(np.polyfit(fraction, mean, 1), fraction)
    np.testing.assert_allclose(mean, line, rtol=1e-6)


def test_a_saved_one_answers_the_same_and_a_changed_one_is_refused(tmp_path):
    images = structures(12, 5, 5)
    model = PymksLocalization().fit(images, images[:, 0].roll(1, 1))
    folder = model.save(tmp_path)
    assert torch.equal(PymksLocalization.load(folder).predict(images), model.predict(images))
    weights = folder / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    with pytest.raises(SurrogateFileError, match="its sha256 differs"):
        PymksLocalization.load(folder)


def test_bad_questions_are_refused():
    images = structures(12, 5, 5)
    fields = images[:, 0]
    model = PymksLocalization()
    with pytest.raises(ValueError, match="is not fitted"):
        model.predict(images)
    with pytest.raises(ValueError, match="fields should have shape"):
        model.fit(images, fields[:, 1:])
    with pytest.raises(ValueError, match="3 images or more, got 2"):
        model.fit(images[:2], fields[:2])
    broken = fields.clone()
    broken[4, 0, 0] = torch.nan
    with pytest.raises(ValueError, match="row 4"):
        model.fit(images, broken)
    model.fit(images, fields)
    with pytest.raises(ValueError, match="2 phases and size"):
        model.predict(images[..., 1:])
    assert model.predict(images[:0]).shape == (0, 5, 5)
