import io

import numpy as np
import pytest
from PIL import Image

from latentopt.microstructure import Microstructure
from latentopt.pictures import PHASE_COLOURS, contact_sheet, image_grid_png, structure_png

RNG = np.random.default_rng(0)


def pixels(png):
    return np.array(Image.open(io.BytesIO(png)).convert("RGB"))


def rgb(colour):
    return tuple(bytes.fromhex(colour[1:]))


def test_a_2d_picture_is_the_label_map_enlarged_by_a_whole_number():
    phases = RNG.integers(0, 3, (40, 60), dtype=np.uint8)
    picture = pixels(structure_png(phases))
    assert picture.shape == (160, 240, 3)
    colours = np.array([rgb(colour) for colour in PHASE_COLOURS])
    np.testing.assert_array_equal(picture[2::4, 2::4], colours[phases])


def test_a_3d_picture_shows_the_three_middle_slices_side_by_side():
    phases = np.zeros((4, 6, 8), dtype=np.uint8)
    phases[2] = 1  # seen whole across z, as a line across y and x
    picture = pixels(structure_png(phases))
    left = picture[:, : 8 * 30]
    bright = (left == rgb(PHASE_COLOURS[1])).all(-1)
    assert bright.sum() == 6 * 30 * 8 * 30
    assert picture.shape[1] > 3 * 180


@pytest.mark.parametrize("width", [57, 58, 114, 115])
def test_the_picture_has_exactly_the_pixels_of_its_tiles(width):
    picture = pixels(structure_png(np.zeros((241, width + 200), dtype=np.uint8)))
    assert picture.shape == (241, width + 200, 3)


def test_grey_images_keep_their_levels():
    picture = pixels(image_grid_png([np.array([[0.0, 0.5], [1.0, 2.0]])]))
    assert sorted(set(picture[..., 0].ravel())) == [0, 128, 255]


def test_large_images_are_thinned():
    assert max(pixels(structure_png(np.zeros((2000, 1000), dtype=np.uint8))).shape) <= 480


def test_titles_are_drawn_as_they_are_typed():
    plain = pixels(image_grid_png([np.zeros((8, 8))], ["$x^2$ <b>"]))
    assert (plain[:20] < 128).any()


def test_a_contact_sheet_has_a_row_for_each_volume():
    def volume(shape):
        dims = len(shape)
        phases = np.zeros(shape, dtype=np.uint8)
        return Microstructure(phases, (1e-6,) * dims, ("a", "b"), (True,) * dims)

    flat = pixels(contact_sheet([volume((8, 8))] * 5, columns=5))
    assert flat.shape[:2] == (240, 5 * 250 - 10)
    solid = pixels(contact_sheet([volume((8, 8, 8))] * 2, ["one", "two"]))
    assert solid.shape[:2] == (2 * 270 - 10, 3 * 250 - 10)


@pytest.mark.parametrize(("count", "titles"), [(0, []), (2, ["one"])])
def test_no_image_or_missing_titles_are_refused(count, titles):
    with pytest.raises(ValueError, match=f"got {count} images and {len(titles)} titles"):
        image_grid_png([np.zeros((4, 4))] * count, titles)
