"""The verdict on a space in words, its plain names, and the page that begins with it."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from generative import PCA
from generative.data.dataset import Dataset
from generative.data.synthetic import gaussian_random_field
from latentopt.fidelity.names import plain_name
from latentopt.fidelity.page import TABLES, write_fidelity
from latentopt.fidelity.spaces import FIGURES, GroupFidelity, SpaceFidelity, evaluate_spaces
from latentopt.fidelity.verdict import fidelity_verdict
from latentopt.space.latent_space import LatentSpace

GOOD = {
    "p_reconstructed": 0.4,
    "p_held_out": 0.5,
    "p_shuffled": 0.001,
    "p_samples": 0.3,
    "pixel_error": 0.02,
    "interface_ratio": 0.98,
    "copied": 0.0,
}


def space(encodes=True, parents=60, **changes):
    figures = {k: v for k, v in (GOOD | changes).items() if v is not None}
    images = torch.zeros(2, 1, 4, 4)
    return SpaceFidelity(
        name="<b>mine",
        id="a",
        latent_dim=4,
        groups=(GroupFidelity("all", 80, parents, figures),),
        held_out=images,
        reconstructed=images if encodes else images[:0],
        samples=images,
    )


def test_a_faithful_space_is_told_by_what_test_and_on_how_many_structures():
    verdict = fidelity_verdict(space())
    assert verdict.state == "faithful"
    assert verdict.text.startswith("Faithful: its reconstructions have the two-point statistics")
    assert "ensemble test, p = 0.4;" in verdict.text
    assert "80 structures of 60 parents" in verdict.text
    assert "2% of the voxels have another phase" in verdict.text


def test_a_refused_space_is_not_faithful():
    verdict = fidelity_verdict(space(p_reconstructed=0.003))
    assert verdict.state == "not faithful"
    assert "another material" in verdict.text


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"interface_ratio": 0.7}, "they have 70% of the interface"),
        ({"p_samples": 0.01}, "its samples are another material (p = 0.01)"),
        ({"copied": 0.2}, "20% of its samples are copies"),
    ],
)
def test_what_the_test_does_not_see_makes_it_partly_faithful(changes, said):
    verdict = fidelity_verdict(space(**changes))
    assert verdict.state == "partly"
    assert said in verdict.text


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"p_shuffled": None, "parents": 4}, "the held-out images have 4"),
        ({"p_shuffled": 0.2}, "does not even see shuffled voxels"),
        ({"p_held_out": 0.01}, "differs from the other by itself"),
        ({"seen": 0.5}, "40 of the held-out images are training images"),
    ],
)
def test_a_test_without_a_say_leaves_the_verdict_open(changes, said):
    verdict = fidelity_verdict(space(**changes))
    assert verdict.state == "unknown"
    assert verdict.text.startswith("Not known: ")
    assert said in verdict.text


def test_a_space_without_an_encoder_is_judged_by_its_samples():
    without = {"pixel_error": None, "p_reconstructed": None, "interface_ratio": None}
    assert fidelity_verdict(space(encodes=False, **without)).state == "faithful"
    verdict = fidelity_verdict(space(encodes=False, p_samples=0.001, **without))
    assert verdict.state == "not faithful"
    assert "its samples are another material" in verdict.text


def test_every_figure_of_a_table_has_a_plain_name():
    names = {name for table in TABLES.values() for name in table} & set(FIGURES)
    assert len(names) > 40
    assert not [name for name in names if "_" in plain_name(name)]


def fields(n, seed):
    images = gaussian_random_field(n, (8, 8), seed=seed)
    return Dataset.from_images(images)


def test_an_exact_space_is_faithful_and_a_coarse_one_is_not():
    images = torch.from_numpy(fields(200, 0).images)
    spaces = {
        name: LatentSpace.fit(PCA((1, 8, 8), components=k).fit(images), images)
        for name, k in (("exact", 64), ("coarse", 2))
    }
    exact, coarse = evaluate_spaces(spaces, fields(120, 1), samples=100)
    assert fidelity_verdict(replace(exact, groups=exact.groups)).state in ("faithful", "partly")
    assert fidelity_verdict(coarse).state in ("not faithful", "partly")


def test_the_page_opens_with_the_verdicts_and_names_stay_text(tmp_path):
    spaces = [space(), replace(space(p_reconstructed=0.001), name="other")]
    html = write_fidelity(spaces, tmp_path, {"seed": 0}).read_text(encoding="utf-8")
    header = html[html.index("<header>") : html.index("</header>")]
    assert header.count('<p class="verdict') == 2
    assert "&lt;b&gt;mine</strong>: Faithful" in header
    assert "other</strong>: Not faithful" in header
    assert "voxels of another phase" in html
    assert "<b>" not in html
    assert "<th>" not in html  # each head has a scope


def test_the_structures_that_are_shown_are_spread_over_fractions():
    fractions = np.repeat(np.linspace(0.05, 0.95, 30), 1)
    images = np.zeros((30, 1, 64), dtype=np.float32)
    for image, fraction in zip(images, fractions, strict=True):
        image[0, : round(64 * fraction)] = 1
    data = Dataset.from_images(np.ascontiguousarray(images[::-1].reshape(30, 1, 8, 8)))
    x = torch.from_numpy(data.images)
    answer = evaluate_spaces(
        {"s": LatentSpace.fit(PCA((1, 8, 8), components=4).fit(x), x)}, data, samples=8
    )[0]
    shown = answer.held_out.mean((1, 2, 3))
    assert (shown.diff() > 0).all()
    assert shown[0] < 0.2
    assert shown[-1] > 0.8
    errors = (answer.reconstructed - answer.held_out).abs().mean()
    assert errors < 0.3  # the reconstructions are of the same rows
