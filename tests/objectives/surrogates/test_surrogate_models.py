"""What each surrogate does beyond the contract: invariances, closed forms, a second method."""

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import PolynomialFeatures

from objectives.errors import SurrogateFileError
from objectives.pymks_import import import_pymks, pymks_installed
from objectives.surrogates import SURROGATES, load_surrogate
from objectives.surrogates.folder import read_surrogate, write_surrogate

needs_pymks = pytest.mark.skipif(not pymks_installed(), reason="PyMKS is not installed")


def structures(n, side=9, seed=0):
    generator = torch.Generator().manual_seed(seed)
    fractions = torch.rand(n, 1, 1, 1, generator=generator)
    images = (torch.rand(n, 1, side, side, generator=generator) < fractions).float()
    return images, images.double().mean((1, 2, 3))


@needs_pymks
def test_the_pipeline_is_that_of_pymks_and_scikit_learn():
    pymks = import_pymks()
    images, fraction = structures(60)
    y = 1 + fraction + 3 * fraction**2 + 0.1 * images[:, 0, 0, 0].double()
    ours = SURROGATES["pymks_pipeline"](components=3, degree=2, cutoff=3).fit(images, y)
    theirs = Pipeline(
        [
            ("discretize", pymks.PrimitiveTransformer(n_state=2, min_=0.0, max_=1.0)),
            ("correlate", pymks.TwoPointCorrelation(cutoff=3, correlations=[(1, 1)])),
            ("flatten", pymks.FlattenTransformer()),
            ("reduce", PCA(3, svd_solver="full")),
            ("expand", PolynomialFeatures(2)),
            ("regress", LinearRegression()),
        ]
    ).fit(images[:, 0].numpy().astype(float), y.numpy())
    fresh, _ = structures(7, seed=1)
    expected = theirs.predict(fresh[:, 0].numpy().astype(float))
    np.testing.assert_allclose(ours.predict(fresh).mean, expected, rtol=1e-7)


@needs_pymks
def test_the_pipelines_std_is_the_predictive_variance_of_least_squares():
    images, fraction = structures(30)
    noise = torch.randn(30, generator=torch.Generator().manual_seed(2)).double()
    y = 2 * fraction + 0.1 * noise
    surrogate = SURROGATES["pymks_pipeline"](components=1, degree=1, cutoff=0).fit(images, y)
    design = torch.stack([torch.ones_like(fraction), fraction], 1)
    weights = torch.linalg.lstsq(design, y).solution
    variance = (y - design @ weights).square().sum() / 28
    leverage = (design @ torch.linalg.inv(design.T @ design) * design).sum(1)
    prediction = surrogate.predict(images)
    torch.testing.assert_close(prediction.mean, design @ weights)
    torch.testing.assert_close(prediction.std, (variance * (1 + leverage)).sqrt())


@needs_pymks
def test_a_logarithm_far_outside_its_data_is_absurd_but_finite():
    images, fraction = structures(30)
    middle = images[(fraction > 0.4) & (fraction < 0.6)].repeat(8, 1, 1, 1)
    y = 10 ** (6 * middle.double().mean((1, 2, 3)) + middle[:, 0, 0, 0])
    surrogate = SURROGATES["pymks_pipeline"](components=2, degree=4, log_target=True)
    mean, std = surrogate.fit(middle, y).predict(torch.ones(1, 1, 9, 9))
    assert 0 < mean < torch.inf
    assert 0 < std < torch.inf


def test_the_two_point_gp_does_not_see_a_shift_or_the_image_from_behind():
    images, fraction = structures(30)
    surrogate = SURROGATES["two_point_gp"](components=4).fit(images, fraction**2)
    plain = surrogate.predict(images)
    for same in (images.roll((2, 5), (2, 3)), images.flip(2, 3)):
        torch.testing.assert_close(surrogate.predict(same).mean, plain.mean, rtol=1e-5, atol=1e-6)


def test_a_gp_is_less_sure_far_from_its_images():
    images, fraction = structures(30)
    near = images[(fraction > 0.3) & (fraction < 0.6)]
    surrogate = SURROGATES["latent_gp"](encode=lambda x: x.double().mean((1, 2, 3))[:, None])
    surrogate.fit(near, near.double().mean((1, 2, 3)) ** 2)
    inside = torch.full((1, 1, 9, 9), 0.45)
    outside = torch.ones(1, 1, 9, 9)
    assert surrogate.predict(outside).std > 2 * surrogate.predict(inside).std


def test_a_cnn_on_periodic_images_does_not_see_a_shift_by_all_its_strides():
    images, fraction = structures(16, side=32)
    surrogate = SURROGATES["cnn"](members=2, steps=3).fit(images, fraction)
    shifted = surrogate.predict(images.roll((16, -16), (2, 3))).mean
    torch.testing.assert_close(shifted, surrogate.predict(images).mean, rtol=1e-4, atol=1e-5)


def test_a_cnn_refuses_a_volume_one_voxel_thick():
    with pytest.raises(ValueError, match="2 voxels or more"):
        SURROGATES["cnn"]().fit(torch.rand(12, 1, 1, 8, 8), torch.rand(12))


def test_more_components_than_images_or_than_they_differ_in_are_refused():
    images, fraction = structures(10)
    with pytest.raises(ValueError, match="needs 21 images or more, got 10"):
        SURROGATES["two_point_gp"]().fit(images, fraction)
    with pytest.raises(ValueError, match="Ask for fewer components"):
        SURROGATES["two_point_gp"](components=2).fit(images[:1].repeat(10, 1, 1, 1), fraction)


def test_a_latent_gp_refuses_the_encoder_of_another_space(tmp_path):
    images, fraction = structures(20)

    def encode(x):
        return x.double().mean((1, 2, 3))[:, None]

    folder = SURROGATES["latent_gp"](encode=encode).fit(images, fraction).save(tmp_path)
    assert load_surrogate(folder, encode=encode).outputs == ("y",)
    with pytest.raises(SurrogateFileError, match="encode is not the one it was fitted with"):
        load_surrogate(folder, encode=lambda x: 1 - encode(x))
    with pytest.raises(SurrogateFileError, match="needs encode, got nothing"):
        load_surrogate(folder)
    with pytest.raises(SurrogateFileError, match="needs encode, got decode, encode"):
        load_surrogate(folder, encode=encode, decode=encode)


def test_a_folder_without_a_fact_is_refused_even_if_its_sums_agree(tmp_path):
    images, fraction = structures(20)
    folder = SURROGATES["two_point_gp"](components=2).fit(images, fraction).save(tmp_path)
    state, facts = read_surrogate(folder)
    for gone in ("settings", "outputs", "image_shape", "one_output"):
        fewer = {name: fact for name, fact in facts.items() if name != gone}
        with pytest.raises(SurrogateFileError, match=gone):
            load_surrogate(write_surrogate(tmp_path / gone, state, fewer, "card"))
    for gone in ("features", "scale", "target_mean"):
        fewer = {name: tensor for name, tensor in state.items() if name != gone}
        with pytest.raises(SurrogateFileError, match=gone):
            load_surrogate(write_surrogate(tmp_path / gone, fewer, facts, "card"))


def test_a_folder_of_another_class_is_refused(tmp_path):
    images, fraction = structures(20)
    folder = SURROGATES["two_point_gp"](components=2).fit(images, fraction).save(tmp_path)
    assert SURROGATES["two_point_gp"].load(folder).components == 2
    with pytest.raises(ValueError, match="holds a two_point_gp"):
        SURROGATES["cnn"].load(folder)
