"""Statistics of sets: bars and the six sigma share, with what the share cannot see."""

import pytest
import torch

from objectives import fidelity
from objectives.errors import EvaluationError


def layers(n, seed):
    """Structures of random stripes, 16x16."""
    generator = torch.Generator().manual_seed(seed)
    stripes = (torch.rand(n, 1, 16, 1, generator=generator) > 0.5).float()
    return stripes.expand(n, 1, 16, 16).contiguous()


def test_bars_of_known_structures_have_known_heights():
    # Full images have probability 1 at every shift, empty ones 0.
    half = torch.cat([torch.ones(2, 1, 8, 8), torch.zeros(2, 1, 8, 8)])
    bars = fidelity.statistics_bars(half, torch.ones(3, 1, 8, 8))
    assert (bars.original, bars.reconstructed, bars.reconstructed_std) == (0.5, 1.0, 0.0)
    assert bars.original_std == pytest.approx(3**-0.5)


def test_a_single_structure_has_no_error_bar():
    image = torch.ones(1, 1, 8, 8)
    assert fidelity.statistics_bars(image, image).original_std == 0.0


def test_the_reference_lies_within_its_own_six_sigma():
    images = layers(30, seed=0)
    assert fidelity.share_within_sigma(images, images).min() == 1.0


def test_a_structure_without_variation_is_met_by_itself_alone():
    reference = torch.ones(4, 1, 8, 8)
    assert fidelity.share_within_sigma(reference, reference).min() == 1.0
    assert fidelity.share_within_sigma(reference, torch.zeros(2, 1, 8, 8)).max() == 0.0


def test_six_sigma_passes_shuffled_pixels_that_the_ensemble_test_refuses():
    reference, images = layers(40, seed=0), layers(40, seed=1)
    noise = fidelity.shuffled_pixels(images, seed=0)
    assert fidelity.share_within_sigma(reference, noise).mean() > 0.95
    assert fidelity.ensemble_test(reference, noise, permutations=199).p_value < 0.05


def test_a_reference_of_one_image_is_refused():
    with pytest.raises(EvaluationError, match="two images or more"):
        fidelity.share_within_sigma(layers(1, seed=0), layers(3, seed=0))


def test_sets_of_other_sizes_are_refused():
    with pytest.raises(EvaluationError, match="one shape"):
        fidelity.statistics_bars(layers(3, seed=0), torch.zeros(3, 1, 8, 8))


def test_an_empty_set_is_refused():
    with pytest.raises(EvaluationError, match="should have images"):
        fidelity.share_within_sigma(layers(3, seed=0), layers(3, seed=0)[:0])
