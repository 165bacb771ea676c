"""Whether a space decodes with a gradient."""

import pytest
import torch

from latentopt import LatentSpace
from latentopt.evaluation.gradient import decodes_with_gradient


class OfNumPy:
    """Rows of z as images, computed outside torch."""

    latent_dim, image_shape = 4, (1, 2, 2)

    def decode(self, code):
        return torch.from_numpy(code.numpy()).sigmoid().reshape(-1, 1, 2, 2)


class Broken(OfNumPy):
    def decode(self, code):
        raise RuntimeError("out of order")


def space_of(decoder):
    return LatentSpace.from_prior(decoder)


def test_a_network_has_one(tiny_space):
    assert decodes_with_gradient(tiny_space)
    with torch.no_grad():
        assert decodes_with_gradient(tiny_space)


def test_numpy_has_none():
    assert not decodes_with_gradient(space_of(OfNumPy()))


def test_what_cannot_decode_at_all_says_so(monkeypatch):
    space = space_of(OfNumPy())
    monkeypatch.setattr(space.model, "decode", Broken().decode)
    with pytest.raises(RuntimeError, match="out of order"):
        decodes_with_gradient(space)
