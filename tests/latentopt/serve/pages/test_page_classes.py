"""The map of the explorer, coloured by class: in a real browser."""

import re
from importlib.resources import files
from itertools import combinations

import numpy as np
import pytest
import torch

from generative.data.synthetic import gaussian_random_field
from latentopt.serve.spaces import ServedSpace, Spaces
from latentopt.space import Classes
from latentopt.space.latent_space import LatentSpace

HOSTILE = "<b>bright</b>"
NAMES = ("dark", HOSTILE, "nothing of this class", "middle")
ASSETS = files("latentopt") / "assets" / "serve"
# Machado, Oliveira and Fernandes (2009), severity 1: red, green and blue light as it is seen.
SEEN = {
    "all": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
                   [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                     [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
                   [0.004733, 0.691367, 0.303900]],
}  # fmt: skip
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def colours_of(name, mode):
    text = (ASSETS / name).read_text(encoding="utf-8")
    block = text.split("CLASS_COLOURS")[1].split(f"{mode}: [")[1].split("]")[0]
    return re.findall(r"#[0-9a-f]{6}", block)


def light_of(colour):
    """Red, green and blue light of a colour of sRGB, from 0 to 1."""
    c = np.array([*bytes.fromhex(colour[1:])]) / 255
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def lab_of(light):
    """CIE L*a*b* of light under D65."""
    xyz = TO_XYZ @ np.clip(light, 0, 1) / [0.9505, 1, 1.089]
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.fixture(scope="session")
def classed_space(tiny_space):
    """The tiny space, of images of three classes by volume fraction; one has none."""
    images = torch.from_numpy(gaussian_random_field(60, (8, 8), seed=0))
    rank = images.mean((1, 2, 3)).argsort().argsort()
    labels = torch.tensor([0, 3, 1])[rank // 20]
    labels[0] = -1
    return LatentSpace.fit(tiny_space.model, images, classes=Classes(labels, NAMES))


@pytest.fixture(scope="session")
def service(classed_space, runs, serve):
    yield from serve(Spaces([ServedSpace("classed", classed_space)]), runs)


@pytest.fixture
def by_class(explorer, classed_space, look):
    """The explorer whose map is coloured by class."""

    def call(**options):
        page = explorer(space=classed_space, **options)
        page.get_by_label("Colour").select_option("class")
        page.wait_for_selector(".classes")
        return page

    return call


def painted(page, look, mode="light"):
    """Pixels of the map in the exact colour of each class, once it is drawn as it should be."""
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    image = look.pixels(page, "#map").reshape(-1, 3)
    return [
        int((image == [*bytes.fromhex(colour[1:])]).all(1).sum())
        for colour in colours_of("classes.js", mode)
    ]


@pytest.mark.parametrize("dark", [False, True])
def test_points_have_the_colours_of_their_classes(by_class, look, dark):
    page = by_class(dark=dark)
    counts = painted(page, look, "dark" if dark else "light")
    present = [count > 100 for count in counts]  # twenty points of some pixels
    assert present[:4] == [True, True, False, True]


def test_the_legend_names_the_classes_that_there_are(by_class, classed_space):
    page = by_class()
    said = page.locator(".classes li").all_text_contents()
    counts = np.unique(classed_space.reference_classes_.labels, return_counts=True)
    counts = dict(zip(*counts, strict=True))
    assert said == [
        f"dark ({counts[0]})",
        f"{HOSTILE} ({counts[1]})",
        f"middle ({counts[3]})",
        "class not known (1)",
    ]
    assert page.locator(".scale").is_hidden()


def test_one_class_is_shown_alone_and_all_again(by_class, look):
    page = by_class()
    middle = page.get_by_role("button", name="middle (")
    before = painted(page, look)
    middle.click()
    assert middle.get_attribute("aria-pressed") == "true"
    alone = painted(page, look)
    assert (alone[0], alone[1]) == (0, 0)
    assert alone[3] >= before[3] > 0
    middle.press("Enter")
    assert painted(page, look) == before


def test_a_class_is_told_of_the_structure_under_the_cross(by_class, classed_space, look):
    page = by_class()
    page.focus("#map")
    page.keyboard.press("n")
    said = "document.querySelector('#map-said').textContent"
    look.until(page, f"{said}.startsWith('Training structure')")
    text = page.evaluate(said)
    row = int(re.search(r"structure (\d+),", text)[1])
    assert text.endswith(f", {classed_space.reference_classes_.names()[row]}")


def test_a_link_shows_the_classes_again(by_class, explorer, classed_space):
    assert "colour=class" in by_class().evaluate("location.hash")
    page = explorer("colour=class", space=classed_space)
    assert page.get_by_label("Colour").input_value() == "class"
    assert page.locator(".classes").is_visible()


@pytest.mark.parametrize("width", [390, 1400])
@pytest.mark.parametrize("dark", [False, True])
def test_the_legend_can_be_used_by_all(by_class, serious_faults, width, dark):
    page = by_class(width=width, dark=dark)
    page.get_by_role("button", name="dark (").click()
    assert serious_faults(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("seen", SEEN)
def test_colours_of_classes_differ_for_any_colour_vision(mode, seen):
    labs = [lab_of(SEEN[seen] @ light_of(colour)) for colour in colours_of("classes.js", mode)]
    assert len(labs) == 6
    assert min(np.linalg.norm(a - b) for a, b in combinations(labs, 2)) > 25


@pytest.mark.parametrize(("mode", "card"), [("light", "#ffffff"), ("dark", "#1a222b")])
def test_colours_of_classes_stand_out_from_the_page(mode, card):
    assert card in (ASSETS / "page.css").read_text(encoding="utf-8")
    weights = TO_XYZ[1]
    behind = weights @ light_of(card)
    for colour in colours_of("classes.js", mode):
        here = weights @ light_of(colour)
        assert (max(here, behind) + 0.05) / (min(here, behind) + 0.05) >= 3
