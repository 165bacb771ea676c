import sys

import numpy as np
import pytest

from objectives.pymks_import import import_pymks, pymks_installed

pytestmark = pytest.mark.skipif(not pymks_installed(), reason="PyMKS needs Python 3.11")


def test_numpy_is_left_as_it_was():
    stack, quantile = np.stack, np.quantile
    import_pymks()
    assert np.stack is stack
    assert np.quantile is quantile
    assert not hasattr(np, "complex")
    assert "pkg_resources" not in sys.modules or sys.modules["pkg_resources"].__file__


@pytest.mark.parametrize("shape", [(4, 32, 32), (2, 16, 16, 16)])
def test_multiphase_structures_have_the_fractions_asked_for(shape):
    fractions = (0.2, 0.3, 0.5)
    structures = import_pymks().generate_multiphase(
        shape=shape, grain_size=(4,) * (len(shape) - 1), volume_fraction=fractions, seed=0
    )
    assert structures.shape == shape
    for structure in np.asarray(structures):
        found = np.bincount(structure.ravel()) / structure.size
        np.testing.assert_allclose(found, fractions, atol=2 / structure.size)


def localization():
    pymks = import_pymks()
    from sklearn.pipeline import Pipeline

    return Pipeline(
        [
            ("discretize", pymks.PrimitiveTransformer(n_state=2, min_=0.0, max_=1.0)),
            ("localize", pymks.LocalizationRegressor()),
        ]
    )


def filtered(x, kernel):
    """Periodic convolution, the kernel's centre being its middle."""
    reach = kernel.shape[0] // 2
    axes = tuple(range(1, x.ndim))
    return sum(
        weight * np.roll(x, np.subtract(index, reach), axes)
        for index, weight in np.ndenumerate(kernel)
    )


@pytest.mark.parametrize("space", [(9, 9), (8, 10), (5, 6, 7)])
def test_localization_recovers_a_linear_filter(space):
    rng = np.random.default_rng(0)
    kernel = rng.normal(size=(3,) * len(space))
    x, new = (rng.integers(0, 2, (n, *space)).astype(float) for n in (30, 5))
    model = localization().fit(x, 0.3 + filtered(x, kernel))
    np.testing.assert_allclose(model.predict(new), 0.3 + filtered(new, kernel), atol=1e-8)
    coefficients = import_pymks().coeff_to_real(model[-1].coeff).compute()
    influence = (coefficients[..., 1] - coefficients[..., 0]).real
    expected = np.zeros(space)
    expected[tuple(slice(n // 2 - 1, n // 2 + 2) for n in space)] = kernel
    np.testing.assert_allclose(influence, expected, atol=1e-8)


def test_localization_goes_on_to_larger_images():
    rng = np.random.default_rng(0)
    kernel = rng.normal(size=(3, 3))
    x, larger = (rng.integers(0, 2, shape).astype(float) for shape in ((30, 9, 9), (4, 15, 21)))
    model = localization().fit(x, filtered(x, kernel))
    model[-1].coeff_resize((15, 21))
    np.testing.assert_allclose(model.predict(larger), filtered(larger, kernel), atol=1e-8)


def test_flattening_keeps_every_number():
    flatten = import_pymks().FlattenTransformer()
    x = np.arange(24.0).reshape(2, 3, 4)
    np.testing.assert_array_equal(flatten.fit(x).transform(x), x.reshape(2, 12))
    np.testing.assert_array_equal(flatten.fit_transform(x), x.reshape(2, 12))


def test_the_documented_homogenization_pipeline_predicts_structures_it_has_not_seen():
    pymks = import_pymks()
    from sklearn.decomposition import PCA
    from sklearn.linear_model import LinearRegression
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import PolynomialFeatures

    rng = np.random.default_rng(0)
    x = (rng.random((60, 15, 15)) < rng.uniform(0.2, 0.8, (60, 1, 1))).astype(float)
    model = Pipeline(
        [
            ("discretize", pymks.PrimitiveTransformer(n_state=2, min_=0.0, max_=1.0)),
            ("correlate", pymks.TwoPointCorrelation(cutoff=3, correlations=[(0, 0), (0, 1)])),
            ("flatten", pymks.FlattenTransformer()),
            ("reduce", PCA(3)),
            ("expand", PolynomialFeatures(2)),
            ("regress", LinearRegression()),
        ]
    )
    fraction = x.mean((1, 2))
    reuss = 1 / (fraction / 10 + (1 - fraction))  # bound of a mixture, contrast 10
    assert model.fit(x[:40], reuss[:40]).score(x[40:], reuss[40:]) > 0.99


def test_a_missing_pymks_is_answered_with_what_to_do(monkeypatch):
    monkeypatch.setattr("objectives.pymks_import.find_spec", lambda name: None)
    with pytest.raises(ImportError, match="use engine='torch'"):
        import_pymks.__wrapped__()
