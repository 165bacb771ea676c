"""A structure on Matplotlib axes, and as image data of PyVista."""

import sys

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from latentopt.export.exporters import EXPORTERS
from latentopt.microstructure import Microstructure
from latentopt.pictures import PHASE_COLOURS

NAMES = ("$matrix$", "_pore", "fibre")
SHAPES = [(5, 7), (4, 5, 6)]
EDGES = (3e-6, 2e-6, 1e-6)


@pytest.fixture
def pyplot():
    mpl.use("agg")
    from matplotlib import pyplot

    yield pyplot
    pyplot.close("all")


def structure(shape, phases=3):
    labels = np.random.default_rng(0).integers(0, phases, shape)
    dims = len(shape)
    names = NAMES if phases == 3 else tuple(f"phase {k}" for k in range(phases))
    return Microstructure(labels, EDGES[-dims:], names, (True,) * dims)


def colours(axes):
    (image,) = axes.get_images()
    return image.to_rgba(image.get_array())[..., :3]


def rgb(phases):
    table = [[int(c[k : k + 2], 16) / 255 for k in (1, 3, 5)] for c in PHASE_COLOURS]
    return np.array(table)[phases % len(table)]


@pytest.mark.parametrize("phases", [3, 14])
def test_an_image_has_the_colours_of_its_phases_on_axes_in_micrometres(pyplot, phases):
    drawn = structure((5, 7), phases)
    axes = drawn.plot()
    np.testing.assert_allclose(colours(axes), rgb(drawn.phases), atol=1e-6)
    assert tuple(axes.get_images()[0].get_extent()) == (0.0, 7.0, 10.0, 0.0)
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("x (µm)", "y (µm)")


def test_a_volume_is_drawn_as_three_middle_slices_at_their_sizes(pyplot):
    drawn = structure((4, 5, 6))
    slices = [drawn.phases[2], drawn.phases[:, 2], drawn.phases[:, :, 3]]
    sizes = [(6, 10), (6, 12), (10, 12)]
    for axes, phases, (width, height) in zip(drawn.plot(), slices, sizes, strict=True):
        np.testing.assert_allclose(colours(axes), rgb(phases), atol=1e-6)
        np.testing.assert_allclose(axes.get_images()[0].get_extent(), (0, width, height, 0))


@pytest.mark.parametrize("shape", SHAPES)
def test_every_phase_is_named_beside_its_colour(pyplot, shape):
    axes = np.atleast_1d(structure(shape).plot())[-1]
    legend = axes.get_legend()
    assert [text.get_text() for text in legend.get_texts()] == list(NAMES)
    assert [to_hex(p.get_facecolor()) for p in legend.get_patches()] == list(PHASE_COLOURS[:3])
    assert not any(text.get_parse_math() for text in legend.get_texts())


def test_axes_that_are_given_are_drawn_on(pyplot):
    axes = Figure().subplots()
    assert structure((5, 7)).plot(ax=axes) is axes
    assert not pyplot.get_fignums()


def test_a_volume_refuses_axes(pyplot):
    with pytest.raises(ValueError, match="three axes"):
        structure((4, 5, 6)).plot(ax=Figure().subplots())


@pytest.mark.parametrize("shape", SHAPES)
def test_image_data_are_those_of_the_vti_file(shape, tmp_path):
    pyvista = pytest.importorskip("pyvista")
    given = structure(shape)
    grid = given.to_pyvista()
    path = EXPORTERS["damask"].write(given, tmp_path / "a.vti")
    read = pyvista.read(path)
    assert grid.dimensions == read.dimensions
    np.testing.assert_allclose(grid.spacing, read.spacing)
    np.testing.assert_allclose(grid.bounds, read.bounds)
    np.testing.assert_array_equal(grid.cell_data["phase"], read.cell_data["material"])
    assert list(grid.field_data["phase_names"]) == list(NAMES)


def test_image_data_have_x_fastest_and_leave_the_structure_alone():
    pytest.importorskip("pyvista")
    given = structure((4, 5, 6))
    before = given.phases.copy()
    phase = given.to_pyvista().cell_data["phase"]
    assert phase[1] == before[0, 0, 1]
    phase[:] = 0
    np.testing.assert_array_equal(given.phases, before)


def test_without_pyvista_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyvista", None)
    with pytest.raises(ImportError, match=r"^to_pyvista needs PyVista: pip install pyvista$"):
        structure((5, 7)).to_pyvista()
