"""The explorer of the space that comes with latentopt."""

import time

import numpy as np
import pytest

from latentopt.microstructure import to_phases
from latentopt.pictures import PHASE_COLOURS
from latentopt.serve.spaces import ServedSpace, Spaces
from latentopt.space.latent_space import LatentSpace

pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def default_space():
    return LatentSpace.default()


@pytest.fixture(scope="session")
def service(default_space, runs, serve):
    yield from serve(Spaces([ServedSpace("default", default_space)]), runs)


def test_a_click_is_a_picture_within_a_second(explorer, look, default_space):
    page = explorer(space=default_space)
    legend = "document.querySelector('#structure .legend').textContent"
    before = page.evaluate(legend)
    box = page.locator("#map").bounding_box()
    began = time.monotonic()
    page.mouse.click(box["x"] + 0.3 * box["width"], box["y"] + 0.4 * box["height"])
    look.until(page, f"{legend} !== {before!r}", seconds=1)
    assert time.monotonic() - began < 1
    z = look.state(page)["a"]
    table = np.array([tuple(bytes.fromhex(c[1:])) for c in PHASE_COLOURS], dtype=np.uint8)
    expected = table[to_phases(default_space.decode(z[None]))[0]]
    np.testing.assert_array_equal(look.pixels(page, "#structure canvas.large"), expected)
