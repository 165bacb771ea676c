"""What controls came to mean, and traverses along them: of a model whose controls are known."""

import io
import json
import math

import numpy as np
import pytest
import torch
from PIL import Image

from generative.errors import ModelFileError
from generative.gans import InfoGAN
from generative.gans.controls import Controls, ControlsConfig
from generative.model import Model
from latentopt.fidelity.traverse_picture import traverse_picture
from latentopt.pictures import PHASE_COLOURS
from latentopt.space.control_meanings import (
    CONTROLS,
    cells_of,
    correlation_ratio,
    rank_correlation,
)
from latentopt.space.latent_space import LatentSpace

SMALL = {"widths": (4, 8), "encoder": {"widths": (4, 8)}}


class Bands(Model):
    """Bands of a width that its category says, and of a share of white that its control says."""

    kind = "bands"
    standard_normal = True

    def __init__(self):
        super().__init__()
        self.image_shape, self.latent_dim = (1, 32, 32), 6
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


@pytest.fixture(scope="module")
def space():
    return LatentSpace.from_prior(Bands())


@pytest.fixture(scope="module")
def untrained():
    torch.manual_seed(0)
    return LatentSpace.from_prior(InfoGAN((1, 32, 32), **SMALL))


def test_meanings_are_those_that_the_model_was_made_with(space):
    category, share = space.controls
    assert (category.name, category.numbers, category.categories) == ("category 1", (0, 1, 2), 3)
    assert category.explained["correlation_length"] > 0.7
    assert category.explained["volume_fraction"] < 0.05
    short, middle, long = category.means["correlation_length"]
    assert short < middle < long
    assert (share.name, share.numbers) == ("continuous 1", (3,))
    assert share.spearman["volume_fraction"] > 0.95
    assert share.spearman["k"] > 0.9
    assert abs(share.spearman["correlation_length"]) < 0.5


def test_they_are_measured_once_and_kept_with_the_space(space, untrained, tmp_path):
    assert space.controls == space.controls
    assert json.loads(space.documents[CONTROLS])["draws"] == 256
    told = {"controls": [json.loads(space.documents[CONTROLS])["controls"][0]]}
    untrained.documents[CONTROLS] = json.dumps(told).encode()
    loaded = LatentSpace.load(untrained.save(tmp_path / "space"))
    assert loaded.controls == space.controls[:1]


def test_a_damaged_document_is_refused_in_a_line(untrained, monkeypatch):
    monkeypatch.setitem(untrained.documents, CONTROLS, b'{"controls": [{"name": 3}]}')
    with pytest.raises(ModelFileError, match="damaged") as refusal:
        _ = untrained.controls
    assert "\n" not in str(refusal.value)


def test_a_model_without_controls_has_no_meanings():
    assert LatentSpace.default().controls == ()


def test_the_table_has_a_row_for_each_control_and_a_column_for_each_property(space):
    head, *rows = cells_of(space.controls)
    assert head == ("control", "volume_fraction", "correlation_length", "anisotropy", "k")
    assert [len(row) for row in rows] == [5, 5]
    assert rows[0][2].count("/") == 2


def test_a_traverse_along_a_category_keeps_the_norm_and_changes_the_category_alone(space):
    z = space.traverse("category 1", seed=4)
    assert z[:, :3].argmax(1).tolist() == [0, 1, 2]
    torch.testing.assert_close(z.norm(dim=1), z.norm(dim=1)[:1].expand(3))
    assert (z[:, 3:] == space.sample(1, seed=4)[0, 3:]).all()
    jumps = space.decode(z).diff(dim=3).abs().sum((1, 2, 3))
    assert jumps[0] > jumps[1] > jumps[2]


def test_a_traverse_along_a_continuous_control_passes_its_distribution_evenly(space):
    z = space.traverse("continuous 1", 5, seed=4)
    u = torch.erf(z[:, 3] / math.sqrt(2))
    torch.testing.assert_close(u, torch.linspace(-0.95, 0.95, 5, dtype=torch.float64))
    assert (z[:, [0, 1, 2, 4, 5]] == space.sample(1, seed=4)[0, [0, 1, 2, 4, 5]]).all()
    fractions = space.decode(z).mean((1, 2, 3))
    assert (fractions.diff() > 0).all()


def test_axes_are_traversed_as_before(space):
    z = space.traverse(2, 5, span=2.0)
    assert z[:, 2].tolist() == [-2, -1, 0, 1, 2]
    assert (z[:, [0, 1, 3, 4, 5]] == 0).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"axis": "fraction"}, "It has: category 1, continuous 1"),
        ({"axis": "continuous 1", "n": 1}, "at least 2"),
        ({"axis": "continuous 1", "span": 2.0}, "leave span out"),
        ({"axis": 1, "seed": 3}, "leave seed out"),
        ({"axis": 9}, "different numbers from 0 to 5"),
    ],
)
def test_traverses_that_cannot_be_are_refused(space, arguments, message):
    with pytest.raises(ValueError, match=message):
        space.traverse(**arguments)


def test_a_model_without_controls_names_the_model_that_has_some():
    with pytest.raises(ValueError, match="infogan"):
        LatentSpace.default().traverse("continuous 1")
    with pytest.raises(ValueError, match="infogan"):
        traverse_picture(LatentSpace.default())


def test_the_picture_has_the_colours_of_phases(space):
    with Image.open(io.BytesIO(traverse_picture(space, 4))) as picture:
        counts = {colour: n for n, colour in picture.convert("RGB").getcolors(2**16)}
    for colour in PHASE_COLOURS[:2]:
        assert counts[tuple(bytes.fromhex(colour[1:]))] > 10_000


def test_rank_correlation_and_ratio_are_nothing_where_there_is_nothing_to_rank():
    same = np.ones(20)
    assert math.isnan(rank_correlation(same, np.arange(20.0)))
    assert math.isnan(rank_correlation(np.arange(4.0), np.arange(4.0)))
    assert math.isnan(correlation_ratio(np.arange(20) % 2, same))
    assert rank_correlation(np.arange(20.0), -np.exp(np.arange(20.0))) == pytest.approx(-1)
