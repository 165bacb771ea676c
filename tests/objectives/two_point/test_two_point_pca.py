import json

import numpy as np
import pytest
import torch

from objectives.pymks_import import import_pymks, pymks_installed
from objectives.two_point import TwoPointPCA, two_point_statistics

needs_pymks = pytest.mark.skipif(not pymks_installed(), reason="PyMKS needs Python 3.11")


def structures(n=12, space=(9, 8), channels=1, seed=0):
    """Noise of many volume fractions."""
    generator = torch.Generator().manual_seed(seed)
    threshold = torch.linspace(0.2, 0.8, n, dtype=torch.float64).reshape(n, *[1] * (len(space) + 1))
    noise = torch.rand(n, channels, *space, generator=generator, dtype=torch.float64)
    return (noise > threshold).double()


SPACES = [(9, 8), (4, 5, 3)]


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("n", [6, 200])  # fewer and more images than numbers in their statistics
def test_scores_are_those_of_an_exact_decomposition_up_to_sign(space, n):
    from sklearn.decomposition import PCA

    images = structures(n, space)
    rows = two_point_statistics(images).flatten(1).numpy()
    exact = PCA(4, svd_solver="full").fit(rows)
    pca = TwoPointPCA(4).fit(images)
    scores = pca.transform(images).numpy()
    np.testing.assert_allclose(np.abs(scores), np.abs(exact.transform(rows)), atol=1e-10)
    np.testing.assert_allclose(pca.explained_variance_, exact.explained_variance_, rtol=1e-9)
    np.testing.assert_allclose(
        pca.explained_variance_ratio_, exact.explained_variance_ratio_, rtol=1e-9
    )


@needs_pymks
def test_scores_are_those_of_the_pymks_pipeline_up_to_sign():
    from sklearn.decomposition import PCA
    from sklearn.pipeline import Pipeline

    pymks = import_pymks()
    images = structures(20, (9, 9))
    theirs = Pipeline(
        [
            ("discretize", pymks.PrimitiveTransformer(n_state=2, min_=0.0, max_=1.0)),
            ("correlate", pymks.TwoPointCorrelation(cutoff=3, correlations=[(0, 0), (0, 1)])),
            ("flatten", pymks.FlattenTransformer()),
            ("reduce", PCA(3, svd_solver="full")),
        ]
    ).fit_transform(images[:, 0].numpy())
    both = torch.cat([1 - images, images], 1)  # PyMKS's states 0 and 1
    ours = TwoPointPCA(3, correlations=[(0, 0), (0, 1)], cutoff=3).fit(both).transform(both)
    np.testing.assert_allclose(ours.abs().numpy(), np.abs(theirs), atol=1e-10)


@pytest.mark.parametrize("space", SPACES)
def test_as_many_components_as_directions_give_the_statistics_back(space):
    images = structures(8, space)
    pca = TwoPointPCA(7).fit(images)
    torch.testing.assert_close(
        pca.inverse_transform(pca.transform(images)), two_point_statistics(images)
    )
    assert pca.explained_variance_ratio_.sum().item() == pytest.approx(1)


def test_scores_of_the_data_set_are_centred_uncorrelated_and_of_the_variance_told():
    images = structures(40)
    pca = TwoPointPCA(5).fit(images)
    scores = pca.transform(images)
    torch.testing.assert_close(scores.mean(0), torch.zeros(5).double(), rtol=0, atol=1e-12)
    torch.testing.assert_close(scores.T.cov(), pca.explained_variance_.diag(), rtol=0, atol=1e-12)
    assert (pca.explained_variance_.diff() <= 0).all()
    basis = pca.components_.flatten(1)
    torch.testing.assert_close(basis @ basis.T, torch.eye(5).double(), rtol=0, atol=1e-12)


def test_signs_do_not_depend_on_the_order_of_images():
    images = structures(20)
    forward, backward = TwoPointPCA(4).fit(images), TwoPointPCA(4).fit(images.flip(0))
    torch.testing.assert_close(forward.components_, backward.components_)


def test_a_translated_structure_has_the_same_scores():
    images = structures()
    pca = TwoPointPCA(3).fit(images)
    torch.testing.assert_close(pca.transform(images.roll((2, 5), (2, 3))), pca.transform(images))


def test_normalized_statistics_are_one_at_no_shift_and_blind_to_which_phase_is_which():
    images = (torch.rand(6, 1, 8, 8, generator=torch.Generator().manual_seed(0)) < 0.3).double()
    statistics = TwoPointPCA(2, normalized=True).statistics
    fields = statistics(images)
    torch.testing.assert_close(fields[:, 0, 4, 4], torch.ones(6).double())
    torch.testing.assert_close(statistics(1 - images), fields)
    two = statistics(torch.cat([images, 1 - images], 1))
    torch.testing.assert_close(two[:, 1], -fields[:, 0])


def test_normalized_statistics_of_one_phase_alone_are_zero():
    assert not TwoPointPCA(2, normalized=True).statistics(torch.ones(2, 1, 8, 8)).any()


def test_radial_scores_do_not_tell_rows_from_columns():
    images = structures(space=(9, 9))
    turned = images.transpose(2, 3)
    radial, full = TwoPointPCA(3, radial=True).fit(images), TwoPointPCA(3).fit(images)
    torch.testing.assert_close(radial.transform(turned), radial.transform(images))
    assert not torch.allclose(full.transform(turned), full.transform(images))
    assert radial.inverse_transform(torch.zeros(2, 3)).shape == (2, 1, 5)


@pytest.mark.parametrize("radial", [False, True])
def test_the_gradient_is_that_of_finite_differences(radial):
    pca = TwoPointPCA(2, periodic=False, cutoff=2, radial=radial).fit(structures(space=(5, 6)))
    image = torch.rand(2, 1, 5, 6, dtype=torch.float64) * 0.8 + 0.1
    assert torch.autograd.gradcheck(pca.transform, image.requires_grad_())


def test_parts_and_rows_do_not_depend_on_each_other(monkeypatch):
    images = structures()
    whole = TwoPointPCA(3).fit(images)
    monkeypatch.setattr("objectives.two_point.pca.PART", 200)
    parts = TwoPointPCA(3).fit(images)
    torch.testing.assert_close(parts.components_, whole.components_)
    torch.testing.assert_close(parts.transform(images)[7:8], whole.transform(images[7:8]))


def test_numpy_is_answered_in_numpy_and_float32_in_float32():
    images = structures().float().numpy()
    pca = TwoPointPCA(3).fit(images)
    scores = pca.transform(images)
    assert isinstance(scores, np.ndarray)
    assert scores.dtype == np.float32
    assert isinstance(pca.inverse_transform(scores), np.ndarray)
    exact = pca.transform(torch.from_numpy(images).double())
    np.testing.assert_allclose(scores, exact, atol=1e-6)


def test_no_images_have_no_scores():
    assert TwoPointPCA(3).fit(structures()).transform(structures()[:0]).shape == (0, 3)


def test_a_cutoff_lets_images_have_another_size():
    pca = TwoPointPCA(2, cutoff=2).fit(structures())
    assert pca.transform(structures(space=(20, 31))).shape == (12, 2)


@pytest.mark.parametrize("options", [{}, {"correlations": [(0, 1), (1, 1)], "cutoff": 2}])
def test_a_saved_one_scores_the_same(tmp_path, options):
    images = structures(channels=2)
    pca = TwoPointPCA(3, periodic=False, radial=True, **options).fit(images)
    loaded = TwoPointPCA.load(pca.save(tmp_path / "pca"))
    assert torch.equal(loaded.transform(images), pca.transform(images))
    assert sorted(p.name for p in (tmp_path / "pca").iterdir()) == [
        "config.json",
        "weights.safetensors",
    ]


def test_a_damaged_folder_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"config\.json.* Restore the folder"):
        TwoPointPCA.load(tmp_path)
    folder = TwoPointPCA(3).fit(structures()).save(tmp_path / "pca")
    weights, config = folder / "weights.safetensors", folder / "config.json"
    broken = bytearray(weights.read_bytes())
    broken[-1] ^= 1
    weights.write_bytes(broken)
    with pytest.raises(ValueError, match=r"weights\.safetensors: is not the file that was saved"):
        TwoPointPCA.load(folder)
    config.write_text(json.dumps(json.loads(config.read_text()) | {"format_version": 99}))
    with pytest.raises(ValueError, match="format_version 99"):
        TwoPointPCA.load(folder)


@pytest.mark.parametrize("change", [{"options": {"flavour": 1}}, {"kind": "pca"}, {"options": 1}])
def test_settings_that_are_not_its_own_are_refused(tmp_path, change):
    config = TwoPointPCA(3).fit(structures()).save(tmp_path) / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | change))
    with pytest.raises(ValueError, match=r"config\.json.* Restore the folder"):
        TwoPointPCA.load(tmp_path)


def test_a_state_of_other_options_is_refused():
    state = TwoPointPCA(3).fit(structures()).state_dict()
    with pytest.raises(ValueError, match=r"components_ should have shape \(4, 1, 9, 8\)"):
        TwoPointPCA(4).load_state_dict(state)
    with pytest.raises(ValueError, match="state should have mean_"):
        TwoPointPCA(3).load_state_dict({"mean_": state["mean_"]})


def test_fewer_images_than_components_are_refused():
    with pytest.raises(ValueError, match=r"12 components need 13 images or more, got 12"):
        TwoPointPCA(12).fit(structures())


@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
def test_images_that_are_all_alike_are_refused(value):
    with pytest.raises(ValueError, match=r"differ in 0\. Ask for fewer components"):
        TwoPointPCA(1).fit(torch.full((5, 1, 7, 9), value))


def test_more_components_than_the_statistics_have_numbers_are_refused():
    with pytest.raises(ValueError, match=r"differ in 1\. Ask for fewer"):
        TwoPointPCA(2, cutoff=0).fit(structures())


def test_other_images_than_those_fitted_are_refused():
    pca = TwoPointPCA(3).fit(structures())
    with pytest.raises(ValueError, match="or fit with a cutoff"):
        pca.transform(structures(space=(9, 9)))
    with pytest.raises(ValueError, match=r"scores should have shape \(n, 3\)"):
        pca.inverse_transform(torch.zeros(2, 4))


def test_an_unfitted_one_says_so():
    for use in (
        lambda: TwoPointPCA().transform(structures()),
        lambda: TwoPointPCA().inverse_transform(torch.zeros(1, 10)),
        lambda: TwoPointPCA().state_dict(),
    ):
        with pytest.raises(ValueError, match="call fit"):
            use()
    with pytest.raises(ValueError, match="components should be 1 or more"):
        TwoPointPCA(0)
