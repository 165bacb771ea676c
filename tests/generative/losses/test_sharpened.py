"""Logits sharpened into phases: what a cut shows, and a gradient."""

import torch

from generative.losses.sharpened import cut, nearly_cut
from generative.losses.variogram import fraction_error
from objectives.phases import to_images


def three_phases(seed=0):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 3, (4, 16, 16), generator=generator).to(torch.uint8)
    return to_images(labels, 3)


def faint_logits(images):
    """Of probabilities .45 and .275: the right phase is the most likely, and below one half."""
    return (0.275 + 0.175 * images).logit()


def test_statistics_of_three_phases_are_of_nearly_the_most_likely_one():
    images = three_phases()
    made = nearly_cut(faint_logits(images), images, 16.0)
    torch.testing.assert_close(made, images, atol=1e-4, rtol=0)
    torch.testing.assert_close(made.sum(1), torch.ones(4, 16, 16))
    assert fraction_error(made, images) < 1e-8


def test_a_cut_of_three_phases_is_what_is_exported_and_passes_a_gradient():
    images = three_phases()
    logits = faint_logits(images).requires_grad_()
    made = cut(logits, images, 16.0)
    torch.testing.assert_close(made, images)
    made.square().sum().backward()
    assert logits.grad.abs().max() > 0


def test_one_channel_is_sharpened_as_before_and_grey_levels_are_left_alone():
    logits = torch.linspace(-3, 3, 16).reshape(1, 1, 4, 4)
    phases, grey = torch.ones(1, 1, 4, 4), torch.full((1, 1, 4, 4), 0.4)
    torch.testing.assert_close(nearly_cut(logits, phases, 5.0), (5 * logits).sigmoid())
    torch.testing.assert_close(nearly_cut(logits, grey, 5.0), logits.sigmoid())
    assert torch.equal(cut(logits, phases, 5.0), (logits > 0).float())
