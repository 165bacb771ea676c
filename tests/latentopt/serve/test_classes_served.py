"""A service tells the class of training structures, and a client has them in its space."""

import numpy as np
import pytest
import torch

from generative import PCA
from generative.data.synthetic import gaussian_random_field
from generative.gans.controls import Controls, ControlsConfig
from latentopt.serve.spaces import ServedSpace
from latentopt.space import Classes
from latentopt.space.features import StructureFeatures
from latentopt.space.latent_space import LatentSpace

NAMES = ("dark", "bright")


@pytest.fixture(scope="module")
def labelled_space(tiny_space):
    """The tiny space of images of two classes; the class of one is not known."""
    images = torch.from_numpy(gaussian_random_field(60, (8, 8), seed=0))
    labels = (torch.arange(60) >= 30).long()
    labels[7] = -1
    return LatentSpace.fit(tiny_space.model, images, classes=Classes(labels, NAMES))


@pytest.fixture(scope="module")
def labelled(labelled_space, serve):
    with serve(("labelled", labelled_space)) as service:
        service.path = f"/v1/spaces/{labelled_space.id}"
        yield service


def test_the_map_tells_the_class_of_each_structure(labelled, labelled_space):
    found = labelled.client.json("GET", f"{labelled.path}/map")
    assert found["class_names"] == list(NAMES)
    assert found["labels"] == labelled_space.reference_classes_.labels.tolist()


def test_a_point_is_placed_with_the_class_of_the_nearest_structure(labelled, labelled_space):
    rows = [3, 7, 40]
    z = labelled_space.reference_[rows] + 1e-4
    found = labelled.client.json("POST", f"{labelled.path}/map", {"z": z.tolist()})
    assert found["labels"] == [0, -1, 1]


def test_the_space_of_a_client_has_the_classes(labelled, labelled_space):
    space = labelled.client.space()
    assert space.reference_classes_.names() == labelled_space.reference_classes_.names()
    assert labelled.client.spaces()[0]["class_names"] == list(NAMES)


def test_a_space_without_classes_says_so(tiny):
    found = tiny.client.json("GET", f"{tiny.path}/map")
    assert (found["labels"], found["class_names"]) == (None, [])
    answer = tiny.client.json("GET", f"{tiny.path}/reference/classes")
    assert answer == {"labels": None, "class_names": []}
    assert tiny.client.space().reference_classes_ is None


def test_a_map_of_fewer_structures_has_the_classes_of_these(monkeypatch):
    monkeypatch.setattr("latentopt.space.features._VOXELS", 0)
    images = torch.from_numpy(gaussian_random_field(300, (8, 8), seed=0))
    labels = torch.arange(300) // 30
    classes = Classes(labels, tuple("abcdefghij"))
    space = LatentSpace.fit(PCA((1, 8, 8), components=4).fit(images), images, classes=classes)
    found = ServedSpace("many", space).map
    assert 50 < len(found["z"]) <= 128
    assert set(found["labels"].tolist()) == set(range(10))  # and not those of the first rows alone
    rows = torch.cdist(torch.from_numpy(found["z"]), space.project(space.reference_)).argmin(1)
    np.testing.assert_array_equal(found["labels"], labels[rows])
    assert StructureFeatures.of(space).reference.shape == found["z"].shape


class Striped:
    """Standard normal codes, the first three of which say a category."""

    latent_dim, image_shape = 5, (1, 8, 8)
    standard_normal = True
    controls = Controls(ControlsConfig(categories=(3,), continuous=1)).all

    def decode(self, code):
        return code[:, :1, None, None].sigmoid().expand(-1, 1, 8, 8)


def test_categories_of_a_model_stand_in_for_classes():
    served = ServedSpace("striped", LatentSpace.from_prior(Striped()))
    found = served.map
    assert found["class_names"] == ["category 1: 1", "category 1: 2", "category 1: 3"]
    np.testing.assert_array_equal(found["labels"], found["z"][:, :3].argmax(1))
    placed = served.place(found["z"][:9])
    np.testing.assert_array_equal(placed["labels"], found["labels"][:9])
