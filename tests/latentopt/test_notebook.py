"""What a notebook shows of spaces, structures, runs and trials."""

import io
from html.parser import HTMLParser

import numpy as np
import pytest
import torch
from PIL import Image

from latentopt.campaign.campaign import Campaign
from latentopt.microstructure import Microstructure
from latentopt.notebook import card, colour_key, picture, table
from latentopt.pictures import PHASE_COLOURS
from latentopt.runs.run import Run
from latentopt.runs.trial import Trial
from latentopt.space.latent_space import LatentSpace

BAD = "<script>alert('1')</script>"


class Page(HTMLParser):
    """Tags, texts and attributes of a piece of HTML whose tags are all closed."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text, self.attributes, self.open = [], "", [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag != "img":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def structure(names=("matrix", "fibre"), shape=(6, 8)):
    phases = np.arange(np.prod(shape)).reshape(shape) % 2
    return Microstructure(phases, (2e-6,) * len(shape), names, (True,) * len(shape))


def trial(**changes):
    known = {"status": "completed", "metrics": {"k_xx": 1.5}, "reason": None, "seconds": 2.0}
    return Trial(index=3, z=np.zeros(4), strategy="gp", **{**known, **changes})


@pytest.fixture(scope="module")
def run(tiny_space, tmp_path_factory):
    folder = tmp_path_factory.mktemp("shown") / "run"
    campaign = Campaign(
        folder=folder,
        space=tiny_space,
        objective="volume_fraction",
        evaluate=["volume_fraction"],
        trials=4,
        strategy="prior",
        engine="serial",
        batch=2,
    )
    campaign.run(progress=False)
    return Run.read(folder)


@pytest.fixture(params=["space", "image", "volume", "run", "trial"])
def shown(request, tiny_space, run):
    return {
        "space": tiny_space,
        "image": structure(),
        "volume": structure(shape=(4, 5, 6)),
        "run": run,
        "trial": trial(),
    }[request.param]


def test_what_is_shown_is_closed_html_without_a_script_a_style_sheet_or_an_address(shown):
    page = Page(shown._repr_html_())
    assert set(page.tags) <= {*("div", "strong", "table", "thead", "tbody", "tr", "th", "td")} | {
        *("img", "p", "span")
    }
    sources = [value for name, value in page.attributes if name == "src"]
    assert all(value.startswith("data:image/png;base64,") for value in sources)
    assert not [name for name, _ in page.attributes if name in ("href", "class", "id")]
    assert page.tags.count("img") == [name for name, _ in page.attributes].count("alt")


def test_colours_are_left_to_the_theme(shown):
    for name, value in Page(shown._repr_html_()).attributes:
        if name == "style":
            rules = dict(rule.split(":", 1) for rule in value.split("; "))
            assert rules.get("color", " inherit") == " inherit"
            background = rules.get("background", " none").strip()
            assert background == "none" or background in PHASE_COLOURS


@pytest.mark.parametrize("made", [card(BAD, {BAD: BAD}), colour_key([BAD]), table([BAD], [[BAD]])])
def test_every_text_is_escaped(made):
    page = Page(made)
    assert "script" not in page.tags
    assert BAD in page.text


def test_texts_from_outside_are_escaped_in_all_of_them(run):
    objects = [structure((BAD, "b")), trial(status="failed", reason=BAD), trial(metrics={BAD: 1.0})]
    for each in objects:
        assert "<script" not in each._repr_html_()
        assert BAD in Page(each._repr_html_()).text
    assert 'alt="&lt;b&gt;"' in picture(b"png", "<b>")


def test_the_picture_of_a_structure_has_its_voxels():
    image = np.array(Image.open(io.BytesIO(structure()._repr_png_())).convert("RGB"))
    colours = [tuple(bytes.fromhex(colour[1:])) for colour in PHASE_COLOURS[:2]]
    scale = image.shape[0] // 6
    seen = image[scale // 2 :: scale, scale // 2 :: scale]
    np.testing.assert_array_equal(seen, np.array(colours)[structure().phases])


def test_facts_of_a_structure_are_in_micrometres_with_fractions():
    text = Page(structure()._repr_html_()).text
    assert all(fact in text for fact in ("6 x 8", "12 x 16 µm", "2 x 2 µm", "matrix 50.0%"))


def test_a_space_shows_draws_of_its_prior(tiny_space):
    pictures = np.array(Image.open(io.BytesIO(tiny_space._repr_png_())).convert("RGB"))
    assert pictures.shape == (2 * 240 + 10, 3 * 240 + 20, 3)
    assert repr(tiny_space) == "<LatentSpace of a pca: 4 numbers, images (1, 8, 8)>"


def test_a_space_decodes_six_draws_at_most(tiny_space):
    class Counting:
        latent_dim, image_shape, rows = 4, (1, 8, 8), 0

        def decode(self, code):
            self.rows += len(code)
            return torch.zeros(len(code), 1, 8, 8)

    model = Counting()
    LatentSpace.from_prior(model)._repr_png_()
    assert 1 <= model.rows <= 6


def test_a_space_that_cannot_decode_shows_text_in_place_of_a_picture():
    class Broken:
        latent_dim, image_shape = 4, (1, 8, 8)

        def decode(self, code):
            raise RuntimeError("out of order")

    space = LatentSpace.from_prior(Broken())
    assert space._repr_png_() is None
    page = Page(space._repr_html_())
    assert "img" not in page.tags
    assert "No picture" in page.text


def test_a_run_shows_its_best_trials_with_their_structures(run):
    page = Page(run._repr_html_())
    assert page.tags.count("img") == len(run.best(5))
    assert "4 completed" in page.text
    assert repr(run) == f"<Run {run.config.name!r} in {str(run.folder)!r}: 4 trials>"
    with Image.open(io.BytesIO(run._repr_png_())) as image:
        image.verify()


def test_a_run_whose_structures_are_gone_is_shown_without_them(run, tmp_path):
    (tmp_path / "journal.jsonl").write_bytes((run.folder / "journal.jsonl").read_bytes())
    bare = Run.read(tmp_path)
    assert bare._repr_png_() is None
    assert "cannot be read" in Page(bare._repr_html_()).text


def test_a_failed_trial_says_why():
    text = Page(trial(status="failed", state="timeout", reason="took too long")._repr_html_()).text
    assert "took too long" in text
    assert "timeout" in text


def test_ipython_finds_what_is_shown(shown):
    formatters = pytest.importorskip("IPython.core.formatters")
    data, _ = formatters.DisplayFormatter().format(shown)
    assert data["text/html"] == shown._repr_html_()
    assert len(data["text/plain"]) < 4000
    if "image/png" in data:
        Image.open(io.BytesIO(data["image/png"])).verify()
