"""The explorer of a space that can be asked for classes and properties, and that refines."""

import numpy as np
import pytest
import torch

from generative import LatentDiffusion
from generative.conditions import Conditions
from generative.data.synthetic import gaussian_random_field
from generative.training.train import TrainConfig, train
from latentopt.serve.spaces import ServedSpace, Spaces
from latentopt.space.latent_space import LatentSpace

pytestmark = pytest.mark.slow
SIZE = (32, 32)


@pytest.fixture(scope="session")
def asked_space(tmp_path_factory):
    """A diffusion of two classes and one property, hardly trained."""
    images = gaussian_random_field(12, SIZE, seed=0)
    fractions = images.mean((1, 2, 3))
    known = Conditions.of_data(["coarse", "fine"], {"volume_fraction": fractions})
    labels = np.arange(12) % 2
    rows = known.rows(labels, {"volume_fraction": fractions})
    model = LatentDiffusion(
        (1, *SIZE),
        autoencoder={"widths": (4, 8)},
        prior={"width": 8, "hidden": 8, "blocks": 1},
        detail=None,
        conditions=known.model_dump(),
    )
    config = TrainConfig(steps=6, batch_size=4, progress=False, precision="float32")
    train(model, images, conditions=rows, config=config, folder=tmp_path_factory.mktemp("asked"))
    return LatentSpace.fit(model, torch.from_numpy(images))


@pytest.fixture(scope="session")
def service(asked_space, runs, serve):
    yield from serve(Spaces([ServedSpace("asked", asked_space)]), runs)


def test_a_structure_is_drawn_of_a_class_and_a_property(explorer, look, asked_space):
    page = explorer(space=asked_space)
    before = look.state(page)["a"]
    asked = []
    page.on("request", lambda r: r.url.endswith("/sample") and asked.append(r.post_data_json))
    page.get_by_label("Class").select_option("fine")
    page.get_by_label("Ask for volume_fraction").check()
    page.get_by_role("button", name="Draw a structure with these").click()
    look.until(page, "!document.querySelector('#tools button').disabled")
    assert not np.array_equal(look.state(page)["a"], before)
    assert asked[0]["class_name"] == "fine"
    about = asked_space.model.conditions.properties["volume_fraction"]
    assert asked[0]["properties"]["volume_fraction"] == pytest.approx(
        (about.low + about.high) / 2, rel=0.02
    )


def test_a_structure_is_refined_beside_itself(explorer, look, asked_space):
    page = explorer(space=asked_space)
    page.get_by_role("button", name="Refine A").click()
    page.wait_for_selector("#refined canvas")
    assert "of the voxels keep their phase" in page.text_content("#refined")
    page.get_by_role("button", name="Draw a structure").click()
    page.wait_for_selector("#refined canvas", state="detached")
