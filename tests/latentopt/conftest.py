"""A latent space small enough to run whole campaigns in it."""

import pytest
import torch

from generative import PCA
from generative.data.synthetic import gaussian_random_field
from latentopt.space.latent_space import LatentSpace


@pytest.fixture(scope="session")
def tiny_space():
    """Four numbers for 8x8 images."""
    images = torch.from_numpy(gaussian_random_field(60, (8, 8), seed=0))
    return LatentSpace.fit(PCA((1, 8, 8), components=4).fit(images), images)


@pytest.fixture(scope="session")
def tiny_space_folder(tiny_space, tmp_path_factory):
    return tiny_space.save(tmp_path_factory.mktemp("tiny") / "space")
