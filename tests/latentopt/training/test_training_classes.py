"""A space of images in folders of classes knows the class of each structure that it keeps."""

import sys

import numpy as np
import pytest
import torch
from PIL import Image

from latentopt import LatentSpace
from latentopt.training.train_space import TrainingSettings, train_space

train_module = sys.modules["latentopt.training.train_space"]
VAE = {
    "model": "vae",
    "options": {"widths": [4, 8]},
    "training": {"steps": 4, "batch_size": 8, "progress": False, "precision": "float32"},
}
PCA = {"model": "pca", "options": {"components": 3}}


def images_of(side, folder):
    """Twelve images of each class: of a fifth, or of four fifths of white."""
    draws = np.random.default_rng(0)
    for name, share in (("dark", 0.2), ("bright", 0.8)):
        (folder / name).mkdir(parents=True)
        for i in range(12):
            pixels = 255 * (draws.random((side, side)) < share).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{i}.png")
    return folder


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return images_of(8, tmp_path_factory.mktemp("classes"))


def trained(images, folder, model):
    data = {"kind": "files", "path": str(images)}
    return train_space(TrainingSettings.checked({"data": data, **model}), folder)


def test_structures_that_a_trained_space_keeps_have_their_class(images, tmp_path):
    trained(images, tmp_path, PCA)
    space = LatentSpace.load(tmp_path)
    bright = space.decode(space.reference_).mean((1, 2, 3)) > 0.5
    expected = tuple("bright" if one else "dark" for one in bright)
    assert space.reference_classes_.names() == expected
    assert set(expected) == {"bright", "dark"}


@pytest.mark.slow
def test_a_training_that_was_killed_twice_knows_the_classes(tmp_path, monkeypatch):
    images = images_of(32, tmp_path / "images")
    whole = trained(images, tmp_path / "whole", VAE)

    def killed(*_, **__):
        raise KeyboardInterrupt

    for place in ("train", "_space_of"):
        with monkeypatch.context() as patch:
            patch.setattr(train_module, place, killed)
            with pytest.raises(KeyboardInterrupt):
                trained(images, tmp_path / "killed", VAE)
    trained(images, tmp_path / "killed", VAE)
    found = LatentSpace.load(tmp_path / "killed")
    assert torch.equal(found.reference_, whole.reference_)
    assert found.reference_classes_.names() == whole.reference_classes_.names()


def test_images_of_one_class_have_none(images, tmp_path):
    assert trained(images / "dark", tmp_path, PCA).reference_classes_ is None
