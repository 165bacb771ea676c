"""The explorer of a space that can be asked for classes and properties, and that refines."""

import re

import numpy as np
import pytest
import torch

from generative import LatentDiffusion
from generative.conditions import Conditions
from generative.data.synthetic import gaussian_random_field
from generative.gans.controls import Controls, ControlsConfig
from generative.model import Model
from generative.training.train import TrainConfig, train
from latentopt.serve.spaces import ServedSpace, Spaces
from latentopt.space.classes import Classes
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
    classes = Classes(torch.from_numpy(labels), known.classes)
    return LatentSpace.fit(model, torch.from_numpy(images), classes=classes)


@pytest.fixture(scope="session")
def controlled_space():
    """Bands, whose controls are known."""
    return LatentSpace.from_prior(Bands())


@pytest.fixture(scope="session")
def service(asked_space, controlled_space, runs, serve):
    spaces = [ServedSpace("asked", asked_space), ServedSpace("bands", controlled_space)]
    yield from serve(Spaces(spaces), runs)


def test_a_structure_is_drawn_of_a_class_and_a_property(explorer, look, asked_space):
    page = explorer(space=asked_space)
    before = look.state(page)["a"]
    asked = []
    page.on("request", lambda r: r.url.endswith("/sample") and asked.append(r.post_data_json))
    page.locator("#sampling").get_by_label("Class").select_option("fine")
    page.get_by_label("Ask for volume_fraction").check()
    page.get_by_role("button", name="Draw a structure with these").click()
    look.until(page, "!document.querySelector('#tools button').disabled")
    assert not np.array_equal(look.state(page)["a"], before)
    assert asked[0]["class_name"] == "fine"
    about = asked_space.model.conditions.properties["volume_fraction"]
    assert asked[0]["properties"]["volume_fraction"] == pytest.approx(
        (about.low + about.high) / 2, rel=0.02
    )


def test_the_map_is_coloured_by_the_classes_of_the_conditions(explorer, asked_space):
    page = explorer("colour=class", space=asked_space)
    assert page.locator(".classes li").all_text_contents() == ["coarse (6)", "fine (6)"]
    page.get_by_role("button", name="fine (").click()
    assert page.get_by_role("button", name="fine (").get_attribute("aria-pressed") == "true"


def test_a_structure_is_refined_beside_itself(explorer, look, asked_space):
    page = explorer(space=asked_space)
    page.get_by_role("button", name="Refine A").click()
    page.wait_for_selector("#refined canvas")
    assert "of the voxels keep their phase" in page.text_content("#refined")
    page.get_by_role("button", name="Draw a structure").click()
    page.wait_for_selector("#refined canvas", state="detached")


class Bands(Model):
    """Bands of a width that its category says, and of a share of white that its control says."""

    kind = "bands"
    standard_normal = True

    def __init__(self):
        super().__init__()
        self.image_shape, self.latent_dim = (1, *SIZE), 6
        self.known = Controls(ControlsConfig(categories=(3,), continuous=1, temperature=1e-3))

    @property
    def controls(self):
        return self.known.all

    def options(self):
        return {}

    def stages(self):
        return ()

    def decode(self, code):
        values = self.known.values(code)
        width = torch.tensor([4.0, 8.0, 16.0])[values[:, :3].argmax(1)]
        share = 0.5 + 0.3 * values[:, 3]
        places = torch.arange(32.0)[None] % width[:, None] + 0.5
        rows = (places < width[:, None] * share[:, None]).to(code)
        return rows[:, None, None].expand(-1, 1, 32, -1)


def test_control_variables_have_their_own_names(explorer, look, controlled_space):
    page = explorer(space=controlled_space)
    page.get_by_label("category 1").select_option("2")
    z = torch.from_numpy(look.state(page)["a"].copy())[None]
    assert Bands().known.values(z)[0, :3].argmax() == 1
    before = look.state(page)["a"]
    page.get_by_role("slider", name="continuous 1").focus()
    page.keyboard.press("ArrowRight")
    assert np.flatnonzero(look.state(page)["a"] != before).tolist() == [3]


def test_the_map_is_coloured_by_the_categories_that_a_model_made(explorer, controlled_space):
    page = explorer("colour=class", space=controlled_space)
    z = controlled_space.reference_
    counts = torch.bincount(z[:, :3].argmax(1))
    named = page.locator(".classes li").all_text_contents()
    shown = [re.fullmatch(r"category 1: (\d) \((\d+)\)", one).groups() for one in named]
    assert [int(number) for number, _ in shown] == [1, 2, 3]
    assert all(int(count) <= total for (_, count), total in zip(shown, counts, strict=True))
