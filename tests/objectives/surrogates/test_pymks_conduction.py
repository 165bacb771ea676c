"""At low contrast the energy of predicted gradients is nearly the conductivity of the structure."""

import pytest
import torch
from pydantic import ValidationError

from objectives.errors import EvaluationError, SurrogateFileError
from objectives.homogenize import effective_conductivity
from objectives.pymks_import import pymks_installed
from objectives.surrogates import SURROGATES, PymksLocalization, accuracy, load_surrogate

pytestmark = pytest.mark.skipif(not pymks_installed(), reason="PyMKS is not installed")


def halves(n, *space, seed=0):
    """Smoothed noise of which exactly half is phase 1, so that fractions tell nothing."""
    noise = torch.rand(n, 1, *space, generator=torch.Generator().manual_seed(seed))
    for axis in range(2, noise.ndim):
        noise = noise + noise.roll(1, axis)
    rank = noise.flatten(1).argsort(1).argsort(1)
    return (2 * rank >= rank.shape[1]).float().reshape(noise.shape)


def build(conductivity=(1.0, 2.0), **settings):
    return SURROGATES["pymks_localization"](conductivity=conductivity, **settings)


@pytest.mark.parametrize(
    ("space", "axis", "log_target"),
    [((12, 12), None, False), ((12, 12), 0, True), ((6, 6, 8), 1, False)],
)
def test_structures_of_one_fraction_are_told_apart(space, axis, log_target):
    images = halves(140, *space)
    along = len(space) - 1 if axis is None else axis
    y = effective_conductivity(images, (1.0, 2.0))[:, along, along]
    surrogate = build(axis=axis, log_target=log_target).fit(images[:100], y[:100])
    assert accuracy(surrogate.predict(images[100:]), y[100:])["y"].r2 > 0.98


def test_the_unit_of_the_conductivity_does_not_matter():
    images = halves(40, 8, 8)
    y = effective_conductivity(images, (1.0, 2.0))[:, 1, 1]
    units = (1.0, 1e-12)
    here, there = (build((u, 2 * u)).fit(images, y).predict(images) for u in units)
    torch.testing.assert_close(here.mean, there.mean, rtol=1e-9, atol=0)
    torch.testing.assert_close(here.std, there.std, rtol=1e-6, atol=0)


def test_three_phases_are_learned():
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(3, (150, 9, 8), generator=generator)
    images = torch.nn.functional.one_hot(labels, 3).movedim(-1, 1).float()
    k = (1.0, 1.5, 2.0)
    y = effective_conductivity(images, k)[:, 1, 1]
    surrogate = build(k).fit(images[:100], y[:100])
    assert accuracy(surrogate.predict(images[100:]), y[100:])["y"].r2 > 0.99


def test_few_images_do_not_make_it_overconfident():
    images = halves(300, 12, 12)
    y = effective_conductivity(images, (1.0, 2.0))[:, 1, 1]
    shares = []
    for start in range(0, 60, 12):
        part = slice(start, start + 12)
        figures = accuracy(build().fit(images[part], y[part]).predict(images[120:]), y[120:])["y"]
        shares.append(figures.within_two_sigma)
    assert sum(shares) / len(shares) > 0.85


def test_folders_of_fields_and_of_the_surrogate_are_not_confused(tmp_path):
    images = halves(12, 6, 6)
    build().fit(images, images.double().mean((1, 2, 3))).save(tmp_path / "row")
    PymksLocalization().fit(images, images[:, 0]).save(tmp_path / "fields")
    with pytest.raises(ValueError, match="holds a pymks_localization, expected a pymks_local_fie"):
        PymksLocalization.load(tmp_path / "row")
    with pytest.raises(SurrogateFileError, match="PymksLocalization"):
        load_surrogate(tmp_path / "fields")


def test_bad_settings_are_refused():
    images = halves(12, 6, 6)
    y = torch.arange(12.0)
    for wrong in ((1.0,), (0.0, 1.0), (-1.0, 1.0), (1.0, float("inf")), (1.0, float("nan"))):
        with pytest.raises(ValidationError, match="conductivity"):
            build(wrong)
    with pytest.raises(ValidationError, match="conductivity"):
        SURROGATES["pymks_localization"]()
    with pytest.raises(ValueError, match="axis should be below 2"):
        build(axis=2).fit(images, y)
    with pytest.raises(EvaluationError, match="2 phases, got 3 values of conductivity"):
        build((1.0, 2.0, 3.0)).fit(images, y)
    with pytest.raises(ValueError, match="needs 10 images or more, got 9"):
        build().fit(images[:9], y[:9])
