"""Fidelity of spaces whose answer is known: one is exact, one is coarse, one copies."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from generative import PCA
from generative.data.dataset import Dataset
from generative.data.synthetic import gaussian_random_field
from generative.errors import DataError
from generative.model import reconstruct
from generative.stages.reconstruction import reconstruction_errors
from latentopt.errors import ConfigError
from latentopt.fidelity.spaces import ALL, FIGURES, evaluate_spaces, steps_of
from latentopt.microstructure import to_images
from latentopt.space.latent_space import LatentSpace
from objectives.fidelity import frechet_distance
from objectives.phases import cut_phases

SHAPE = (8, 8)
RECONSTRUCTION = ("mse", "ssim", "pixel_error", "two_point_mae", "within_6_sigma", "p_held_out")
SAMPLES = ("p_samples", "kl_levels", "kl_fractions")
SAMPLES += ("frechet_two_point", "precision_two_point", "recall_two_point")
SAMPLES += ("frechet_random_cnn", "precision_random_cnn", "recall_random_cnn")


def dataset(n, seed, classes=1):
    images = gaussian_random_field(n, SHAPE, seed=seed)
    return Dataset(
        images=images,
        labels=np.arange(n) % classes,
        class_names=tuple("abc"[:classes]),
        sources=tuple(f"{i}.png" for i in range(n)),
        parents=np.arange(n),
    )


@pytest.fixture(scope="module")
def exact():
    """As many numbers as voxels: reconstructions are the images."""
    images = torch.from_numpy(gaussian_random_field(200, SHAPE, seed=0))
    return LatentSpace.fit(PCA((1, *SHAPE), components=64).fit(images), images)


@pytest.fixture(scope="module")
def coarse():
    images = torch.from_numpy(gaussian_random_field(200, SHAPE, seed=0))
    return LatentSpace.fit(PCA((1, *SHAPE), components=3).fit(images), images)


class Copier:
    """Decodes every point to one of the training images."""

    latent_dim, image_shape = 2, (1, *SHAPE)

    def __init__(self, images):
        self.images = images

    def encode(self, images):
        return images.flatten(1)[:, :2]

    def decode(self, code):
        return self.images[(code[:, 0].abs() * 1000).long() % len(self.images)]


def block_means(images):
    """Stands for a user's network: 16 features of colour images."""
    assert images.shape[1] == 3
    return torch.nn.functional.avg_pool2d(images[:, :1], 2).flatten(1)


def test_fid_is_the_frechet_distance_of_the_features_as_they_are(coarse):
    held_out = dataset(60, seed=1)
    (answer,) = evaluate_spaces(
        {"coarse": coarse}, held_out, samples=60, seed=3, inception=block_means
    )
    cut = cut_phases(coarse.decode(coarse.sample(60, seed=3)))
    real = block_means(torch.from_numpy(held_out.images).expand(-1, 3, -1, -1))
    figures = answer.groups[0].figures
    assert figures["fid"] > figures["fid_halves"] > 0
    expected = frechet_distance(block_means(cut.expand(-1, 3, -1, -1)), real)
    assert figures["fid"] == pytest.approx(float(expected), rel=0.5)  # of half as many


@pytest.mark.parametrize("answer", [torch.zeros(1), torch.full((1, 4), torch.nan)])
def test_inception_features_that_are_none_are_refused_before_the_work(exact, answer):
    with pytest.raises(ConfigError, match=r"inception: .* finite rows"):
        evaluate_spaces({"exact": exact}, dataset(20, seed=1), inception=lambda images: answer)


def test_an_exact_space_reconstructs_and_passes_what_the_originals_pass(exact):
    (answer,) = evaluate_spaces({"exact": exact}, dataset(60, seed=1), samples=40)
    figures = answer.groups[0].figures
    assert figures["mse"] < 1e-8
    assert figures["ssim"] == pytest.approx(1.0, abs=1e-4)
    assert (figures["pixel_error"], figures["two_point_mae"]) == (0.0, 0.0)
    assert (figures["lineal_path_mae"], figures["interface_ratio"]) == (0.0, 1.0)
    assert figures["p_reconstructed"] == figures["p_held_out"]
    assert figures["p_shuffled"] < 0.05
    assert figures["bar_original"] == figures["bar_reconstructed"]


def test_a_coarse_space_is_worse_and_every_figure_has_a_description(exact, coarse):
    training = dataset(50, seed=0)
    answers = evaluate_spaces(
        {"exact": exact, "coarse": coarse},
        dataset(60, seed=1),
        training=training,
        samples=40,
        inception=block_means,
    )
    fine, rough = (answer.groups[0].figures for answer in answers)
    assert rough["mse"] > fine["mse"]
    assert rough["ssim"] < fine["ssim"]
    assert rough["seen"] == 0.0
    assert set(rough) == set(FIGURES)


def test_samples_that_are_training_images_are_flagged_as_copies():
    training = dataset(100, seed=0)
    images = torch.from_numpy(training.images)
    copier = LatentSpace.fit(Copier(images), images)
    (answer,) = evaluate_spaces(
        {"copier": copier}, dataset(60, seed=1), training=training, samples=50
    )
    assert answer.groups[0].figures["closer"] > 0.9
    assert answer.groups[0].figures["copies"] > 0.9
    assert answer.groups[0].figures["distance_ratio"] < 0.01


def test_each_class_has_figures_of_reconstructions_and_samples_belong_to_all(exact):
    data = dataset(60, seed=1, classes=2)
    (answer,) = evaluate_spaces({"exact": exact}, data, samples=40)
    assert [group.name for group in answer.groups] == [ALL, "a", "b"]
    assert [group.images for group in answer.groups] == [60, 30, 30]
    for name in RECONSTRUCTION:
        assert all(name in group.figures for group in answer.groups)
    for name in SAMPLES:
        assert [name in group.figures for group in answer.groups] == [True, False, False]


def test_the_mean_of_the_classes_is_the_mean_of_all(coarse):
    data = dataset(60, seed=1, classes=2)
    (answer,) = evaluate_spaces({"coarse": coarse}, data, samples=10)
    whole, *parts = (group.figures["mse"] for group in answer.groups)
    assert whole == pytest.approx(sum(parts) / 2)


def test_few_parents_have_no_test_and_one_image_no_sigma(exact):
    data = dataset(7, seed=1)
    (answer,) = evaluate_spaces({"exact": exact}, data, samples=10)
    assert "p_held_out" not in answer.groups[0].figures
    assert "within_6_sigma" in answer.groups[0].figures


def test_the_parts_of_one_parent_are_not_taken_for_independent(exact):
    data = dataset(60, seed=1)
    one = Dataset(data.images, data.labels, data.class_names, data.sources, data.parents * 0)
    (answer,) = evaluate_spaces({"exact": exact}, one, samples=10)
    assert "p_held_out" not in answer.groups[0].figures
    assert "p_samples" not in answer.groups[0].figures


def test_grey_levels_are_compared_as_they_are(exact):
    grey = Dataset.from_images(dataset(20, seed=1).images * 0.5, content="grey")
    (answer,) = evaluate_spaces({"exact": exact}, grey, samples=10)
    assert "pixel_error" not in answer.groups[0].figures
    assert answer.groups[0].figures["mse"] < 1e-8
    assert answer.held_out.max() == 0.5


def test_images_that_are_all_the_same_have_no_feature_space(exact):
    flat = Dataset.from_images(np.ones((12, 1, *SHAPE)))
    (answer,) = evaluate_spaces({"exact": exact}, flat, samples=10)
    assert not [name for name in answer.groups[0].figures if name.startswith("frechet")]
    assert answer.groups[0].figures["p_held_out"] == 1.0


def test_a_seed_fixes_every_figure(coarse):
    first, second = (
        evaluate_spaces({"s": coarse}, dataset(40, seed=1), samples=20, seed=5)[0].groups
        for _ in range(2)
    )
    assert first == second


def test_each_step_is_announced(exact):
    data, steps = dataset(20, seed=1, classes=3), []
    evaluate_spaces({"x": exact, "y": exact}, data, samples=10, progress=steps.append)
    assert len(steps) == steps_of(2, data)


def test_volumes_of_three_phases_are_evaluated():
    labels = (gaussian_random_field(30, (8, 8, 8), seed=0)[:, 0] > 0.5).astype(int)
    labels += gaussian_random_field(30, (8, 8, 8), seed=1)[:, 0] > 0.5
    images = np.moveaxis(np.eye(3, dtype=np.float32)[labels], -1, 1).copy()
    data = Dataset.from_images(images)
    x = torch.from_numpy(images)
    space = LatentSpace.fit(PCA((3, 8, 8, 8), components=4).fit(x), x)
    (answer,) = evaluate_spaces({"s": space}, data, samples=10)
    assert set(RECONSTRUCTION + SAMPLES) <= set(answer.groups[0].figures)


def test_images_of_another_size_are_refused_by_name(exact):
    other = Dataset.from_images(gaussian_random_field(10, (16, 16), seed=0))
    with pytest.raises(DataError, match=r"exact: expected held-out images of shape \(1, 8, 8\)"):
        evaluate_spaces({"exact": exact}, other)
    with pytest.raises(DataError, match="exact: expected training images"):
        evaluate_spaces({"exact": exact}, dataset(10, seed=1), training=other)


def test_a_single_image_is_refused(exact):
    with pytest.raises(DataError, match=r"0\.png: one held-out image"):
        evaluate_spaces({"exact": exact}, dataset(1, seed=1))


@pytest.mark.parametrize("phases", [2, 3, 4])
def test_a_model_card_and_evaluate_give_the_same_figures(phases):
    channels = 1 if phases == 2 else phases
    labels = np.random.default_rng(0).integers(0, phases, (40, *SHAPE)).astype(np.uint8)
    images = to_images(labels, channels)
    model = PCA((channels, *SHAPE), components=20).fit(torch.from_numpy(images))
    data = replace(dataset(40, seed=0), images=images)
    found = evaluate_spaces({"pca": LatentSpace.fit(model, images)}, data, samples=4)
    figures = found[0].groups[0].figures
    x = torch.from_numpy(images)
    errors = reconstruction_errors(x, reconstruct(model, x)).asdict()
    assert errors == pytest.approx({name: figures[name] for name in errors}, rel=1e-5)
    assert errors["two_point_mae"] > 1e-4
