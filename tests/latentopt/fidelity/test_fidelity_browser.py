"""The page of fidelity in a real browser: narrow, dark, and read by axe-core."""

import io
from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image

from generative import PCA
from generative.data.dataset import Dataset
from generative.data.synthetic import gaussian_random_field
from latentopt.fidelity.page import write_fidelity
from latentopt.fidelity.page_pictures import DARK_INK
from latentopt.fidelity.spaces import evaluate_spaces
from latentopt.space.latent_space import LatentSpace

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """Page of two spaces on held-out structures of two classes, some seen in training."""
    images = torch.from_numpy(gaussian_random_field(80, (8, 8), seed=0))
    spaces = {
        name: LatentSpace.fit(PCA((1, 8, 8), components=k).fit(images), images)
        for name, k in (("exact", 64), ("a coarse one", 2))
    }
    held_out = Dataset(
        images=gaussian_random_field(60, (8, 8), seed=1),
        labels=np.arange(60) % 2,
        class_names=("fine", "coarse"),
        sources=tuple(f"{i}.png" for i in range(60)),
        parents=np.arange(60),
    )
    found = evaluate_spaces(spaces, held_out, samples=60)
    return write_fidelity(found, tmp_path_factory.mktemp("fidelity"), {"seed": 0, "data": "a.npy"})


@pytest.fixture
def opened(open_file, path):
    return partial(open_file, path)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_fault(opened, serious_faults, scheme):
    assert serious_faults(opened(scheme=scheme)) == []


@pytest.mark.parametrize("width", [390, 1400])
def test_nothing_is_cut(opened, serious_faults, width):
    page = opened(width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert serious_faults(page) == []


def test_pictures_have_the_ground_of_the_page(opened):
    """White in the dark would dazzle, and dark text on the dark could not be read."""
    ink = tuple(bytes.fromhex(DARK_INK[1:]))
    for scheme in ("light", "dark"):
        page = opened(scheme=scheme)
        paper = page.evaluate("getComputedStyle(document.querySelector('section')).backgroundColor")
        ground = tuple(int(part) for part in paper[4:-1].split(","))
        for image in page.locator("img").all():
            shot = Image.open(io.BytesIO(image.screenshot())).convert("RGB")
            assert shot.getpixel((2, 2)) == ground
            counts = {colour: n for n, colour in shot.getcolors(2**20)}
            near = sum(n for c, n in counts.items() if np.abs(np.subtract(c, ink)).max() < 25)
            assert scheme == "light" or near > 50  # text in light ink
