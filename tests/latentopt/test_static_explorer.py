"""The page that decodes in the browser: in a real Chromium, without any network."""

import gzip
import hashlib
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from generative import PCA, ConvVAE
from latentopt import static_explorer
from latentopt.errors import ConfigError
from latentopt.microstructure import to_phases
from latentopt.pictures import PHASE_COLOURS
from latentopt.space.latent_space import LatentSpace
from latentopt.static_explorer import static_page

sync_api = pytest.importorskip("playwright.sync_api")
pytest.importorskip("onnxruntime")
CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")

PIXELS = """() => {
  const canvas = document.getElementById("picture");
  return [...canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data];
}"""
OVERFLOW = "() => document.documentElement.scrollWidth - window.innerWidth"


@pytest.fixture(scope="module")
def wide_space():
    """Six numbers for images of 6 by 10 voxels."""
    images = (torch.rand(60, 1, 6, 10, generator=torch.Generator().manual_seed(0)) > 0.5).float()
    return LatentSpace.fit(PCA((1, 6, 10), components=6).fit(images), images)


@pytest.fixture(scope="module")
def path(wide_space, tmp_path_factory):
    path = tmp_path_factory.mktemp("explorer") / "page.html"
    path.write_text(static_page(wide_space), encoding="utf-8")
    return path


@pytest.fixture
def opened(browser, path):
    """Open the page in a window; what it says and asks for is kept as ``page.said``."""
    contexts = []

    def call(**window):
        contexts.append(browser.new_context(**window))
        page = contexts[-1].new_page()
        page.said, page.asked = [], []
        page.on("console", lambda message: page.said.append(message.text))
        page.on("pageerror", lambda error: page.said.append(str(error)))
        page.on("request", lambda request: page.asked.append(request.url))
        page.goto(path.as_uri())
        page.get_by_text("Ready:").wait_for(timeout=60_000)
        return page

    yield call
    for context in contexts:
        context.close()


def phases_of(page):
    pixels = np.array(page.evaluate(PIXELS), dtype=np.uint8).reshape(6, 10, 4)
    assert (pixels[..., 3] == 255).all()
    colours = [tuple(bytes.fromhex(colour[1:])) for colour in PHASE_COLOURS[:2]]
    seen = np.stack([(pixels[..., :3] == colour).all(-1) for colour in colours])
    assert (seen.sum(0) == 1).all()
    return seen.argmax(0)


def expected(space, z):
    return to_phases(np.asarray(space.decode(np.asarray(z, dtype=np.float64)[None])))[0]


def text(page, name):
    return page.locator(f"#{name}").inner_text()


def test_nothing_is_fetched_and_nothing_complains(opened):
    page = opened()
    assert page.said == []
    assert [url.split(":")[0] for url in page.asked] == ["file", "blob"]


def test_the_mean_of_the_data_is_decoded_as_the_space_does(opened, wide_space):
    page = opened()
    page.get_by_role("button", name="Mean of the data").click()
    sync_api.expect(page.locator("#norm")).to_have_text("0.00, inside")
    structure = expected(wide_space, np.zeros(6))
    np.testing.assert_array_equal(phases_of(page), structure)
    assert text(page, "fraction") == f"{100 * structure.mean():.1f} %"
    away = wide_space.distance_from_data(np.zeros((1, 6)))[0]
    assert float(text(page, "distance")) == pytest.approx(away, abs=0.006)


def test_a_slider_moves_along_its_axis(opened, wide_space):
    page = opened()
    page.get_by_role("button", name="Mean of the data").click()
    page.get_by_label("Axis 3").fill("2.5")
    sync_api.expect(page.locator("#norm")).to_contain_text("2.50")
    np.testing.assert_array_equal(phases_of(page), expected(wide_space, [0, 0, 2.5, 0, 0, 0]))
    assert page.locator(".slider").count() == 6  # of a space with more axes, 8


def test_the_map_is_moved_in_with_the_keyboard(opened, wide_space):
    page = opened()
    page.get_by_role("button", name="Mean of the data").click()
    page.locator("#map").focus()
    for key in ("Shift+ArrowRight", "Shift+ArrowUp", "ArrowUp", "ArrowLeft"):
        page.keyboard.press(key)
    sync_api.expect(page.locator("#norm")).to_contain_text(f"{np.hypot(0.9, 1.1):.2f}")
    np.testing.assert_array_equal(phases_of(page), expected(wide_space, [0.9, 1.1, 0, 0, 0, 0]))
    said = page.locator("#map").get_attribute("aria-label")
    assert "0.90 on axis 1 and 1.10 on axis 2" in said


def test_a_dot_is_decoded_to_its_reference_structure(opened, wide_space):
    page = opened()
    z = wide_space.reference_.numpy()
    row = int(np.hypot(z[:, 0], z[:, 1]).argmax())  # on its own, at the rim
    reach = 1.05 * max(3.2, np.abs(z[:, :2]).max())
    box = page.locator("#map").bounding_box()
    place = [
        (1 + z[row, 0] / reach) / 2 * box["width"],
        (1 - z[row, 1] / reach) / 2 * box["height"],
    ]
    page.locator("#map").click(position={"x": place[0], "y": place[1]})
    sync_api.expect(page.locator("#distance")).to_have_text("0.00")
    np.testing.assert_array_equal(phases_of(page), expected(wide_space, z[row]))


def test_a_seed_gives_the_same_sample_again_and_all_lie_inside_the_radius(opened):
    page, seen = opened(), {}
    for seed in (3, 4, 3):
        page.get_by_label("Seed").fill(str(seed))
        page.get_by_label("Seed").press("Tab")
        page.wait_for_timeout(200)
        assert "inside" in text(page, "norm")
        values = text(page, "sliders"), text(page, "norm"), text(page, "fraction")
        assert seen.setdefault(seed, values) == values
    assert seen[3] != seen[4]
    page.get_by_role("button", name="New sample").click()
    assert page.get_by_label("Seed").input_value() == "4"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1400])
def test_nothing_is_cut_in_any_window_and_the_theme_is_followed(opened, width, scheme):
    page = opened(viewport={"width": width, "height": 800}, color_scheme=scheme)
    assert page.evaluate(OVERFLOW) <= 0
    colour = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", colour))) < 3 * 128) == (scheme == "dark")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_fault(opened, serious_faults, scheme):
    assert serious_faults(opened(color_scheme=scheme)) == []


def test_pictures_and_controls_have_texts(opened):
    page = opened()
    label = page.locator("#picture").get_attribute("aria-label")
    assert re.fullmatch(r"Structure of 10 by 6 voxels, \d+\.\d % of them phase 1\.", label)
    for control in page.locator("input").all():
        assert control.evaluate("(input) => input.labels.length") == 1


@pytest.mark.parametrize(
    ("shape", "said"), [((1, 16, 16, 16), "volumes"), ((3, 32, 32), "images of 3 phases")]
)
def test_other_spaces_are_refused(shape, said):
    space = LatentSpace.from_prior(ConvVAE(shape, widths=(4, 8)))
    with pytest.raises(ConfigError, match=f"this space has {said}"):
        static_page(space)


def test_the_same_space_gives_the_same_page(wide_space, path):
    assert static_page(wide_space) == path.read_text(encoding="utf-8")


def test_the_runtime_is_the_one_whose_sha256_is_listed():
    folder = Path(static_explorer.__file__).parent / "assets/onnxruntime_web"
    listed = dict(re.findall(r"\| `(\S+)` \| `(\w{64})` \|", (folder / "README.md").read_text()))
    assert len(listed) == 2
    for name, sha256 in listed.items():
        plain, packed = folder / name, folder / f"{name}.gz"
        data = plain.read_bytes() if plain.exists() else gzip.decompress(packed.read_bytes())
        assert hashlib.sha256(data).hexdigest() == sha256
    assert "Microsoft" in (folder / "LICENSE").read_text()
