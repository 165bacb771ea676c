"""The model card: figures of the model beside those of PCA, and a picture that opens."""

import io
import re

import numpy as np
import pytest
import torch
from PIL import Image

from generative import PCA, ConvVAE
from generative.data.synthetic import gaussian_random_field
from generative.model import reconstruct
from generative.stages.reconstruction import reconstruction_errors
from generative.training.draws import draw
from generative.training.model_card import (
    CARD,
    PICTURE,
    fit_baseline,
    write_model_card,
)
from objectives.phases import to_images

IMAGES = torch.from_numpy(gaussian_random_field(30, (32, 32), seed=0))
TRAINING, HELD_OUT = IMAGES[:20], IMAGES[20:]


@pytest.fixture(scope="module")
def model():
    return ConvVAE((1, 32, 32), widths=(4, 8))


@pytest.fixture(scope="module")
def card(model):
    return write_model_card(model, TRAINING, HELD_OUT, facts={"Data": "ten fields", "Seed": 7})


def figures(card, name):
    row = re.search(rf"^\| {name} \|(.*)\|$", card, re.MULTILINE)
    return [float(cell) for cell in row[1].split("|")]


def test_the_page_says_what_it_was_told(card):
    text = card[CARD].decode()
    assert "- **Data**: ten fields" in text
    assert "- **Seed**: 7" in text
    assert text.startswith("# vae: 32x32 images in 64 numbers")
    assert f"]({PICTURE})" in text


def test_its_figures_are_the_errors_of_the_model_and_of_pca(model, card):
    text = card[CARD].decode()
    baseline = PCA((1, 32, 32), components=20).fit(TRAINING)
    for name, other in (("vae", model), ("PCA-20", baseline)):
        errors = reconstruction_errors(HELD_OUT, reconstruct(other, HELD_OUT))
        expected = [errors.mse, errors.ssim, errors.two_point_mae, errors.interface_ratio]
        np.testing.assert_allclose(figures(text, name), expected, atol=0.0051)
        assert figures(text, name)[0] == pytest.approx(errors.mse, abs=6e-5)


@pytest.mark.parametrize(
    "shape", [(1, 32, 32), (3, 32, 32), (1, 16, 16, 16), (2, 16, 16, 16)], ids=str
)
def test_the_picture_opens_for_images_and_volumes_of_any_channels(shape):
    images = torch.rand(4, *shape, generator=torch.Generator().manual_seed(0))
    model = PCA(shape, components=2).fit(images)
    files = write_model_card(model, images, images[:2], facts={})
    picture = Image.open(io.BytesIO(files[PICTURE]))
    picture.verify()
    assert picture.format == "PNG"


class Faint(PCA):
    """Keeps every phase the most likely one, and below one half."""

    def decode(self, code):
        return 0.275 + 0.175 * super().decode(code).round()


def test_a_card_of_three_phases_sees_the_most_likely_one():
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 3, (6, 12, 12), generator=generator).to(torch.uint8)
    images = to_images(labels, 3)
    model = Faint((3, 12, 12), components=5).fit(images)
    text = write_model_card(model, images, images, facts={})[CARD].decode()
    assert figures(text, "pca")[2:] == [0, 1]
    assert "the most likely phase of every voxel" in text
    assert "1/2." not in text


def test_a_card_of_grey_levels_says_that_nothing_is_cut():
    grey = torch.rand(6, 1, 12, 12, generator=torch.Generator().manual_seed(0))
    model = PCA((1, 12, 12), components=5).fit(grey)
    text = write_model_card(model, grey, grey, facts={})[CARD].decode()
    assert "The images are grey levels, and nothing is cut." in text
    assert "most likely phase" not in text
    assert figures(text, "pca")[3] == 1


def test_a_card_of_images_without_interface_has_none_to_compare():
    model = PCA((1, 32, 32), components=2).fit(TRAINING)
    text = write_model_card(model, TRAINING, torch.zeros_like(HELD_OUT), facts={})[CARD].decode()
    assert re.search(r"^\| pca \|.*\| - \|$", text, re.MULTILINE)


def test_the_baseline_has_64_components_or_as_many_as_there_are_images():
    assert fit_baseline(TRAINING, 64).latent_dim == 20
    many = torch.rand(80, 1, 8, 9, generator=torch.Generator().manual_seed(0))
    assert fit_baseline(many, 64).latent_dim == 64
    assert fit_baseline(many[:, :, :4, :4], 64).latent_dim == 16
    assert fit_baseline(many, 8).latent_dim == 8


def test_samples_have_the_mean_and_covariance_of_the_codes():
    images = 0.5 + 0.05 * torch.randn(400, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    images = images.clamp(0, 1)
    model = PCA((1, 4, 4), components=3).fit(images)
    codes = model.encode(draw(model, images, 4000).images)
    torch.testing.assert_close(codes.mean(0), torch.zeros(3), atol=0.01, rtol=0)
    expected = torch.cov(model.encode(images).T)
    torch.testing.assert_close(torch.cov(codes.T), expected, rtol=0.15, atol=3e-4)


def test_the_same_model_has_the_same_card(model, card):
    again = write_model_card(model, TRAINING, HELD_OUT, facts={"Data": "ten fields", "Seed": 7})
    assert again == card


# -- draws -----------------------------------------------------------------------------------------

FIELDS = torch.from_numpy(gaussian_random_field(200, (16, 16), seed=1))


def table_of(text):
    """Cells of the rows of the table of draws, by the words that a row begins with."""
    lines = text.partition("## Draws")[2].splitlines()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if "|" in line]
    return {row[0].partition(" (")[0]: dict(zip(rows[0], row, strict=True)) for row in rows[2:]}


def card_of_draws(model, training=FIELDS[:150], held_out=FIELDS[150:]):
    return write_model_card(model, training, held_out, facts={})[CARD].decode()


class Known(PCA):
    """Decodes draws, one after the other, to images that are given."""

    def begin_with(self, images):
        self.known = images
        return self

    def decode(self, code):
        if len(code) == len(self.known):
            return self.known
        return super().decode(code)


def known(images):
    model = Known((1, 16, 16), components=4).fit(FIELDS[:150])
    return model.begin_with(images)


def test_draws_stand_beside_other_real_structures_and_shuffled_voxels():
    other = torch.from_numpy(gaussian_random_field(50, (16, 16), seed=2))
    rows = table_of(text := card_of_draws(known(other)))
    draws, floor, control = rows.values()
    for name in ("Frechet distance in two-point scores", "in two-point features"):
        assert float(control[name]) > 3 * max(float(draws[name]), float(floor[name]))
    recall = "recall in two-point scores"
    assert float(draws[recall]) > 0.7 > 0.3 > float(control[recall])
    assert (float(draws["copies"]), control["copies"]) == (pytest.approx(0, abs=0.2), "-")
    assert "Each row is a set of 50 structures, compared with 50 held-out ones" in text
    assert "lack variety" not in text


def test_draws_that_copy_training_images_or_are_all_alike_are_told():
    assert table_of(card_of_draws(known(FIELDS[:50])))["draws of the model"]["copies"] == "1.00"
    assert "**The draws lack variety**" in card_of_draws(known(FIELDS[:1].repeat(50, 1, 1, 1)))


def test_draws_of_no_phase_are_told_though_their_cut_is_like_the_images():
    text = card_of_draws(
        known(0.4 + 0.2 * torch.from_numpy(gaussian_random_field(50, (16, 16), seed=2)))
    )
    assert "**The draws are of no phase**: 100% of their voxels are undecided" in text
    assert "lack variety" not in text


class Forgetful(PCA):
    """Draws of its own prior; its encoder answers with their mean."""

    def draw_codes(self, n, seed):
        return 3 * torch.randn(n, 4, generator=torch.Generator().manual_seed(seed))

    def encode(self, images):
        return torch.zeros(len(images), 4)


@pytest.mark.parametrize(("kind", "expected"), [(PCA, 0), (Forgetful, 1)])
def test_the_way_there_and_back_is_in_units_of_the_codes(kind, expected):
    faint = 0.45 + 0.1 * FIELDS
    text = card_of_draws(kind((1, 16, 16), components=4).fit(faint[:150]), faint[:150], faint[150:])
    rms = re.search(r"came back to within ([\d.e-]+) of their", text)[1]
    assert float(rms) == pytest.approx(expected, abs=0.1)


def test_too_few_images_for_sets_are_said_to_be_too_few(card):
    assert "10 held-out and 20 training images are too few" in card[CARD].decode()


def test_draws_of_grey_levels_and_of_volumes_have_the_figures_that_mean_something():
    grey = 0.3 + 0.4 * FIELDS
    text = card_of_draws(PCA((1, 16, 16), components=4).fit(grey[:150]), grey[:150], grey[150:])
    assert "lone voxels in 10,000" not in table_of(text)["draws of the model"]
    assert "not counted, because the images are grey levels" in text
    volumes = torch.from_numpy(gaussian_random_field(48, (8, 8, 8), seed=0))
    model = PCA((1, 8, 8, 8), components=4).fit(volumes[:24])
    assert len(table_of(card_of_draws(model, volumes[:24], volumes[24:]))) == 3
