"""The page without a server shows the classes of the reference structures, in a real Chromium."""

import re
import shutil
from pathlib import Path

import pytest
import torch

from generative import PCA
from latentopt import static_explorer
from latentopt.space.classes import Classes
from latentopt.space.latent_space import LatentSpace
from latentopt.static_explorer import static_page

pytest.importorskip("playwright.sync_api")
pytest.importorskip("onnxruntime")
pytestmark = pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Chromium")
ASSETS = Path(static_explorer.__file__).parent / "assets"
NAMES = ("</script><b>one</b>", "two", "three", "nothing of this class")
COUNTS = """(id) => {
  const canvas = document.getElementById(id), counts = {};
  const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  for (let i = 0; i < data.length; i += 4) {
    const colour = "#" + [0, 1, 2].map((k) => data[i + k].toString(16).padStart(2, "0")).join("");
    if (data[i + 3] === 255) counts[colour] = 1 + (counts[colour] ?? 0);
  }
  return counts;
}"""


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    images = (torch.rand(60, 1, 6, 10, generator=torch.Generator().manual_seed(0)) > 0.5).float()
    labels = torch.arange(60) % 3
    labels[::20] = -1
    model = PCA((1, 6, 10), components=6).fit(images)
    space = LatentSpace.fit(model, images, classes=Classes(labels, NAMES))
    path = tmp_path_factory.mktemp("static") / "page.html"
    path.write_text(static_page(space), encoding="utf-8")
    return path


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_reference_structures_have_the_colours_of_their_classes(
    browser, path, mode, serious_faults
):
    context = browser.new_context(color_scheme=mode, viewport={"width": 390, "height": 800})
    page, said = context.new_page(), []
    page.on("console", lambda message: said.append(message.text))
    page.goto(path.as_uri())
    page.get_by_text("Ready:").wait_for(timeout=60_000)
    assert page.locator("#classes li").all_text_contents() == list(NAMES[:3])
    counts = page.evaluate(COUNTS, "map")
    present = [counts.get(colour, 0) > 20 for colour in colours("explorer/explorer.js", mode)]
    assert present == [True, True, True, False, False, False]
    assert serious_faults(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert said == []
    context.close()


def colours(name, mode):
    text = (ASSETS / name).read_text(encoding="utf-8")
    return re.findall(r"#[0-9a-f]{6}", text.split(f"  {mode}: [")[1].split("]")[0])


def test_classes_look_the_same_in_both_explorers():
    for mode in ("light", "dark"):
        assert colours("serve/classes.js", mode) == colours("explorer/explorer.js", mode)
    shapes = [
        (ASSETS / name).read_text(encoding="utf-8").split("SHAPES = [")[1].split("];")[0]
        for name in ("serve/classes.js", "explorer/explorer.js")
    ]
    assert shapes[0] == shapes[1]
