"""Paths whose figures are known: between equal ends, backwards, along the data, by pixels."""

import csv
import io
import json

import numpy as np
import pytest
import torch
from PIL import Image

from generative.data.synthetic import gaussian_random_field
from generative.errors import DataError
from latentopt.fidelity.interpolation import BLEND, FIGURES, draw_pairs, interpolation_figures
from latentopt.fidelity.interpolation_files import write_interpolation
from latentopt.pictures import PHASE_COLOURS
from latentopt.space.latent_space import LatentSpace


@pytest.fixture(scope="module")
def reference():
    return torch.from_numpy(gaussian_random_field(30, (8, 8), seed=1))


@pytest.fixture(scope="module")
def pairs():
    return torch.from_numpy(gaussian_random_field(8, (8, 8), seed=2)).unflatten(0, (4, 2))


class Identity:
    """Codes are the voxels: the ends of a path are its originals."""

    def __init__(self, *shape):
        self.image_shape, self.latent_dim = shape, int(np.prod(shape))

    def encode(self, images):
        return images.flatten(1).double()

    def decode(self, code):
        return code.reshape(-1, *self.image_shape).float()


def test_a_path_goes_from_one_reconstruction_to_the_other(tiny_space, pairs, reference):
    again = tiny_space.decode(tiny_space.encode(pairs.flatten(0, 1))).clamp(0, 1)
    for path in interpolation_figures({"tiny": tiny_space}, pairs, reference=reference, n=5)[:2]:
        assert path.paths.shape == (4, 5, 1, 8, 8)
        torch.testing.assert_close(path.paths[:, [0, -1]].flatten(0, 1), again)
        wrong = ((again > 0.5) != (pairs.flatten(0, 1) > 0.5)).double().mean()
        assert path.reconstructed == pytest.approx(1 - float(wrong))


def test_each_space_goes_each_way_and_the_blend_comes_last(tiny_space, pairs, reference):
    spaces = {"code": tiny_space, "noise": tiny_space}
    steps = []
    found = interpolation_figures(spaces, pairs, reference=reference, progress=steps.append)
    ways = [("code", "linear"), ("code", "slerp"), ("noise", "linear"), ("noise", "slerp")]
    assert [(path.name, path.how) for path in found] == [*ways, (BLEND, "blend")]
    assert len(steps) == len(found)
    assert set(found[0].figures) == set(FIGURES)
    for name, values in found[0].figures.items():
        assert torch.equal(values.nan_to_num(), found[2].figures[name].nan_to_num())


def test_between_equal_ends_nothing_changes_and_no_step_is_taken(tiny_space, pairs, reference):
    still = pairs[:, :1].expand(-1, 2, -1, -1, -1)
    for path in interpolation_figures({"tiny": tiny_space}, still, reference=reference):
        for name in ("distance", "greyness", "interface"):
            values = path.figures[name]
            torch.testing.assert_close(values, values[:, :1].expand_as(values))
        assert path.figures["step"].isnan().all()


def test_from_b_to_a_the_figures_come_in_reverse(tiny_space, pairs, reference):
    there = interpolation_figures({"tiny": tiny_space}, pairs, reference=reference)
    back = interpolation_figures({"tiny": tiny_space}, pairs.flip(1), reference=reference)
    for one, other in zip(there, back, strict=True):
        for name in ("distance", "greyness", "interface"):
            torch.testing.assert_close(one.figures[name], other.figures[name].flip(1))
        steps, reverse = one.figures["step"][:, 1:], other.figures["step"][:, 1:].flip(1)
        torch.testing.assert_close(steps, reverse, atol=1e-9, rtol=1e-9)


def test_reference_structures_are_at_distance_one_in_the_median(pairs, reference):
    ends = torch.stack([reference, pairs[0, :1].expand_as(reference)], dim=1)
    (blend,) = interpolation_figures({"id": space_of_voxels()}, ends, reference=reference)[-1:]
    assert float(blend.figures["distance"][:, 0].median()) == pytest.approx(1.0)


def test_the_blend_is_grey_where_its_ends_differ_and_jumps_in_one_step(pairs, reference):
    (blend,) = interpolation_figures({"id": space_of_voxels()}, pairs, reference=reference, n=5)[
        -1:
    ]
    differ = (pairs[:, 0] != pairs[:, 1]).double().flatten(1).mean(1)
    t = blend.positions
    torch.testing.assert_close(blend.figures["greyness"], differ[:, None] * (4 * t * (1 - t)))
    assert blend.reconstructed == 1.0
    assert blend.figures["interface"][:, [0, -1]].tolist() == [[1.0, 1.0]] * 4
    assert blend.largest_step > 2  # of at most 4


def test_greyness_is_the_two_point_deficit_at_shift_zero(tiny_space, pairs, reference):
    from objectives.two_point import two_point_statistics

    path = interpolation_figures({"tiny": tiny_space}, pairs, reference=reference)[0]
    soft = path.paths.flatten(0, 1).double()
    deficit = soft.mean((1, 2, 3)) - two_point_statistics(soft, cutoff=0).flatten()
    torch.testing.assert_close(path.figures["greyness"].flatten(), 4 * deficit)


def test_random_images_blend_to_half_grey(reference):
    noise = (torch.rand(12, 2, 1, 32, 32, generator=torch.Generator().manual_seed(0)) > 0.5).float()
    space = space_of_voxels(1, 32, 32)
    (blend,) = interpolation_figures({"id": space}, noise, reference=noise[:, 0], n=3)[-1:]
    assert float(blend.figures["greyness"][:, 1].mean()) == pytest.approx(0.5, abs=0.02)


def test_a_layer_that_grows_by_a_column_a_position_goes_in_about_even_steps(reference):

    class Layers:
        image_shape, latent_dim = (1, 8, 8), 1

        def encode(self, images):
            return images.mean((1, 2, 3))[:, None].double() * 8

        def decode(self, code):
            columns = torch.arange(8)[None] < code.round()
            return columns.float()[:, None, None].expand(-1, 1, 8, 8).contiguous()

    space = unwhitened(Layers())
    layers = space.decode(torch.arange(1, 8, dtype=torch.float64)[:, None])
    ends = torch.stack([layers[0], layers[6]])[None]
    (path, _) = interpolation_figures(
        {"layers": space}, ends, reference=reference, n=7, hows=("linear",)
    )
    assert path.reconstructed == 1.0
    assert float(path.figures["greyness"].max()) == 0.0
    assert 1 <= path.largest_step < 2  # of at most 6
    torch.testing.assert_close(path.figures["interface"], torch.ones(1, 7).double())


@pytest.mark.parametrize("shape", [(3, 8, 8), (1, 8, 8, 8)])
def test_several_phases_and_volumes_have_figures_too(shape):
    labels = torch.randint(0, max(shape[0], 2), (12, *shape[1:]), generator=seeded())
    images = (
        labels[:, None].float()
        if shape[0] == 1
        else torch.nn.functional.one_hot(labels).movedim(-1, 1).float()
    )
    ends = images[:4].unflatten(0, (2, 2))
    found = interpolation_figures({"id": space_of_voxels(*shape)}, ends, reference=images, n=3)
    assert found[0].reconstructed == 1.0
    torch.testing.assert_close(found[0].figures["interface"][:, [0, -1]], torch.ones(2, 2).double())


def test_grey_images_are_compared_as_they_are(reference, pairs):
    soft = torch.nn.functional.avg_pool2d(reference, 3, 1, 1)
    ends = torch.nn.functional.avg_pool2d(pairs.flatten(0, 1), 3, 1, 1).unflatten(0, (4, 2))
    space = {"id": space_of_voxels()}
    found = interpolation_figures(space, ends, reference=soft, phases=False)
    assert found[0].reconstructed == pytest.approx(1.0, abs=1e-6)
    torch.testing.assert_close(found[0].figures["distance"], found[-1].figures["distance"])


def test_pairs_are_of_two_parents_and_two_classes_and_come_once():
    parents, labels = np.repeat(np.arange(10), 3), np.repeat([0, 1], 15)
    rows = draw_pairs(parents, labels, 20, seed=3)
    assert rows.shape == (20, 2)
    assert (parents[rows[:, 0]] != parents[rows[:, 1]]).all()
    assert (labels[rows[:, 0]] != labels[rows[:, 1]]).all()
    assert len({frozenset(row) for row in rows.tolist()}) == 20
    assert np.array_equal(rows, draw_pairs(parents, labels, 20, seed=3))
    assert not np.array_equal(rows, draw_pairs(parents, labels, 20, seed=4))


@pytest.mark.parametrize("n", [2, 3, 5])
def test_all_pairs_are_drawn_if_more_are_asked_for(n):
    rows = draw_pairs(np.zeros(n, np.int64), np.zeros(n, np.int64), 100)
    assert len({frozenset(row) for row in rows.tolist()}) == len(rows) == n * (n - 1) // 2


def test_files_hold_the_figures_and_pictures_that_open(tiny_space, pairs, reference, tmp_path):
    spaces = {"a $pace": tiny_space}
    found = interpolation_figures(spaces, pairs, reference=reference, n=20)
    picture = write_interpolation(found, pairs, tmp_path / "new", {"seed": 0})
    for path in (picture, picture.with_name("distances.png")):
        with Image.open(path) as opened:
            opened.load()
            assert min(opened.size) > 100
    rows = list(csv.DictReader(io.StringIO((tmp_path / "new" / "table.csv").read_text())))
    assert len(rows) == 3 * 20
    assert float(rows[7]["distance_median"]) == float(found[0].quantiles("distance")[1, 7])
    assert rows[0]["step_median"] == ""
    document = json.loads((tmp_path / "new" / "interpolation.json").read_text())
    assert document["paths"][1]["figures"]["greyness"] == found[1].figures["greyness"].tolist()
    assert document["paths"][0]["figures"]["step"][0][0] is None


@pytest.mark.parametrize(("lowest", "coloured"), [(0.0, True), (0.2, False)])
def test_phases_have_their_colours_and_grey_levels_are_grey(
    tiny_space, pairs, reference, tmp_path, lowest, coloured
):
    ends = torch.as_tensor(pairs).clamp(lowest, 1)
    found = interpolation_figures({"tiny": tiny_space}, ends, reference=reference, n=3)
    with Image.open(write_interpolation(found, ends, tmp_path, {})) as picture:
        counts = {colour: n for n, colour in picture.convert("RGB").getcolors(2**20)}
    one, other = (tuple(bytes.fromhex(colour[1:])) for colour in PHASE_COLOURS[:2])
    assert (counts.get(one, 0) > 500 < counts.get(other, 0)) == coloured
    # Between the two, at t = 1/2 of the blend: halves of both colours.
    middle = [colour for colour in counts if np.abs(np.subtract(colour, (137, 140, 136))).max() < 2]
    assert bool(sum(counts[colour] for colour in middle) > 100) == coloured


def test_paths_that_stand_still_are_written_with_gaps(tiny_space, reference, tmp_path):
    still = reference[:1].expand(2, -1, -1, -1)[None]
    found = interpolation_figures({"tiny": tiny_space}, still, reference=reference, n=2)
    write_interpolation(found, still, tmp_path, {})
    assert {path.name for path in tmp_path.glob("[!.]*")} == {
        "paths.png", "distances.png", "table.csv", "interpolation.json",
    }  # fmt: skip


def test_what_cannot_be_compared_is_refused(tiny_space, pairs, reference):
    spaces = {"tiny": tiny_space}
    cases = [
        (ValueError, "a space, a way", {}, pairs, reference, {}),
        (ValueError, "two positions or more", spaces, pairs, reference, {"n": 1}),
        (ValueError, "should be of linear, slerp", spaces, pairs, reference, {"hows": ("curved",)}),
        (ValueError, r"torch.stack\(\[a, b\]\)", spaces, pairs[0], reference, {}),
        (ValueError, r"in \[0, 1\]", spaces, pairs * 2, reference, {}),
        (DataError, "tiny: expected ends", spaces, pairs[..., :4], reference, {}),
        (DataError, "tiny: expected reference", spaces, pairs, reference[..., :4], {}),
        (DataError, "three reference structures", spaces, pairs, reference[:2], {}),
        (DataError, "too much alike", spaces, pairs, reference[:1].expand(9, -1, -1, -1), {}),
        (DataError, "equal to one another", spaces, pairs, twice(reference), {}),
    ]
    for error, message, given, ends, known, options in cases:
        with pytest.raises(error, match=message) as refusal:
            interpolation_figures(given, ends, reference=known, **options)
        assert "\n" not in str(refusal.value)


def twice(images):
    return torch.cat([images, images])


def seeded():
    return torch.Generator().manual_seed(0)


def unwhitened(model):
    from latentopt.space.whitening import Whitening

    empty = torch.zeros(0, model.latent_dim, dtype=torch.float64)
    return LatentSpace(model, Whitening.identity(model.latent_dim), reference=empty, radius=1.0)


def space_of_voxels(*shape):
    return unwhitened(Identity(*(shape or (1, 8, 8))))
