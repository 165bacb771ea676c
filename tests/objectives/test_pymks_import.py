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


def test_multiphase_structures_are_generated():
    structure = import_pymks().generate_multiphase(
        shape=(2, 16, 16), grain_size=(4, 4), volume_fraction=(0.25, 0.75)
    )
    assert np.asarray(structure).mean() == pytest.approx(0.75, abs=0.05)


def test_localization_learns_a_pointwise_law():
    pymks = import_pymks()
    from sklearn.pipeline import Pipeline

    rng = np.random.default_rng(0)
    x = rng.integers(0, 2, (20, 9, 9)).astype(float)
    model = Pipeline(
        [
            ("discretize", pymks.PrimitiveTransformer(n_state=2, min_=0.0, max_=1.0)),
            ("localize", pymks.LocalizationRegressor()),
        ]
    )
    np.testing.assert_allclose(model.fit(x, 2 * x + 1).predict(x), 2 * x + 1, atol=1e-8)


def test_the_documented_homogenization_pipeline_runs():
    pymks = import_pymks()
    from sklearn.decomposition import PCA
    from sklearn.linear_model import LinearRegression
    from sklearn.pipeline import Pipeline

    rng = np.random.default_rng(0)
    x = (rng.random((30, 9, 9)) < rng.random((30, 1, 1))).astype(float)
    model = Pipeline(
        [
            ("discretize", pymks.PrimitiveTransformer(n_state=2, min_=0.0, max_=1.0)),
            ("correlate", pymks.TwoPointCorrelation(cutoff=3, correlations=[(0, 0), (0, 1)])),
            ("flatten", pymks.FlattenTransformer()),
            ("reduce", PCA(3)),
            ("regress", LinearRegression()),
        ]
    )
    fraction = x.mean((1, 2))
    assert model.fit(x, fraction).score(x, fraction) > 0.99


def test_a_missing_pymks_is_answered_with_what_to_do(monkeypatch):
    monkeypatch.setattr("objectives.pymks_import.find_spec", lambda name: None)
    with pytest.raises(ImportError, match="use engine='torch'"):
        import_pymks.__wrapped__()
