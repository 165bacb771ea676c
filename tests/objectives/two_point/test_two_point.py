import itertools

import numpy as np
import pytest
import torch

from objectives.errors import EvaluationError
from objectives.pymks_import import import_pymks, pymks_installed
from objectives.two_point import radial_average, two_point_statistics

needs_pymks = pytest.mark.skipif(not pymks_installed(), reason="PyMKS needs Python 3.11")

SPACES = [
    (8, 8),
    (9, 9),
    (6, 10),
    (10, 7),
    (5, 5, 5),
    (6, 5, 8),
]


def random_images(channels, space, n=3, dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    return torch.rand(n, channels, *space, generator=generator, dtype=dtype)


def binary_images(space, n=3):
    return (random_images(1, space, n) > 0.6).double()


def centre(statistics):
    return (..., *(size // 2 for size in statistics.shape[2:]))


def by_counting(image, shift, periodic):
    """The definition, voxel by voxel."""
    products = []
    for voxel in np.ndindex(image.shape):
        partner = np.add(voxel, shift)
        if periodic:
            partner %= image.shape
        elif (partner < 0).any() or (partner >= image.shape).any():
            continue
        products.append(image[voxel] * image[tuple(partner)])
    return np.mean(products)


@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("space", [(4, 5), (3, 4, 2)])
def test_every_shift_is_the_mean_of_products_at_that_shift(space, periodic):
    image = random_images(1, space, n=1)
    statistics = two_point_statistics(image, periodic=periodic)[0, 0]
    assert statistics.shape == space
    for index in np.ndindex(space):
        shift = [i - n // 2 for i, n in zip(index, space, strict=True)]
        expected = by_counting(image[0, 0].numpy(), shift, periodic)
        assert statistics[index].item() == pytest.approx(expected, abs=1e-14)


@needs_pymks
@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("space", SPACES)
def test_both_engines_equal_pymks_in_its_window(space, periodic):
    images, pairs = random_images(2, space), [(0, 0), (0, 1), (1, 1), (1, 0)]
    expected = import_pymks().correlations_multiple(
        images.movedim(1, -1).numpy(), pairs, periodic_boundary=periodic
    )
    for engine in ("torch", "pymks"):
        ours = two_point_statistics(
            images,
            correlations=pairs,
            periodic=periodic,
            cutoff=(min(space) - 1) // 2,
            engine=engine,
        )
        np.testing.assert_allclose(ours.movedim(1, -1).numpy(), expected, rtol=0, atol=1e-13)


@needs_pymks
@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("channels", [1, 3])
def test_the_engines_agree_at_every_shift(channels, space, periodic):
    images = random_images(channels, space)
    pairs = list(itertools.product(range(channels), repeat=2))
    options = {"correlations": pairs, "periodic": periodic}
    ours = two_point_statistics(images, **options)
    theirs = two_point_statistics(images, **options, engine="pymks")
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-13)


@needs_pymks
@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("space", SPACES)
def test_both_engines_equal_pymks_under_a_mask(space, periodic):
    images, mask = random_images(2, space), random_images(4, space)[:, 3:]
    expected = import_pymks().two_point_stats(
        images[:, 0].numpy(),
        images[:, 1].numpy(),
        mask=mask[:, 0].numpy(),
        periodic_boundary=periodic,
    )
    for engine in ("torch", "pymks"):
        ours = two_point_statistics(
            images,
            correlations=[(0, 1)],
            periodic=periodic,
            mask=mask,
            cutoff=(min(space) - 1) // 2,
            engine=engine,
        )
        np.testing.assert_allclose(ours[:, 0].numpy(), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("engine", ["torch", pytest.param("pymks", marks=needs_pymks)])
@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("space", [(5, 6), (4, 3, 5)])
def test_a_masked_shift_is_the_mean_over_pairs_of_measured_voxels(space, periodic, engine):
    image = random_images(1, space, n=1)
    mask = random_images(2, space, n=1)[:, 1:] > 0.25
    statistics = two_point_statistics(image, periodic=periodic, mask=mask, cutoff=1, engine=engine)[
        0, 0
    ]
    for index in np.ndindex(statistics.shape):
        shift = [i - 1 for i in index]
        products = by_counting((image * mask)[0, 0].numpy(), shift, periodic)
        pairs = by_counting(mask[0, 0].double().numpy(), shift, periodic)
        assert statistics[index].item() == pytest.approx(products / pairs, abs=1e-13)


@pytest.mark.parametrize("periodic", [True, False])
def test_a_mask_of_ones_changes_nothing(periodic):
    images = random_images(2, (7, 9))
    masked = two_point_statistics(images, periodic=periodic, mask=torch.ones(1, 1, 7, 9))
    torch.testing.assert_close(masked, two_point_statistics(images, periodic=periodic))


def test_what_is_masked_has_no_influence():
    images, mask = random_images(1, (8, 9)), torch.ones(3, 1, 8, 9)
    mask[:, :, 2:4, 5] = 0
    other = torch.where(mask > 0, images, 1 - images)
    torch.testing.assert_close(
        two_point_statistics(other, mask=mask), two_point_statistics(images, mask=mask)
    )


def test_masking_a_border_is_cropping_it():
    images, mask = random_images(1, (12, 10)), torch.zeros(1, 1, 12, 10)
    mask[..., 1:8, 2:9] = 1
    masked = two_point_statistics(images, periodic=False, mask=mask, cutoff=3)
    cropped = two_point_statistics(images[..., 1:8, 2:9], periodic=False, cutoff=3)
    torch.testing.assert_close(masked, cropped)


def test_a_shift_that_the_mask_leaves_without_pairs_is_refused_with_the_cutoff_to_use():
    images, mask = random_images(1, (9, 9)), torch.zeros(3, 1, 9, 9)
    mask[..., :3, :] = 1  # no pair three rows apart
    with pytest.raises(ValueError, match=r"without a pair .* Set cutoff to 2 or less"):
        two_point_statistics(images, periodic=False, mask=mask)
    assert two_point_statistics(images, periodic=False, mask=mask, cutoff=2).isfinite().all()
    mask[1] = 0
    with pytest.raises(ValueError, match=r"mask of row 1 .* Leave that image out"):
        two_point_statistics(images, mask=mask, cutoff=0)


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (torch.ones(8, 9), "mask should have shape .* got .8, 9."),
        (torch.ones(2, 1, 8, 9), "mask should have shape"),
        (torch.ones(3, 1, 9, 9), "mask should have shape"),
        (torch.full((3, 1, 8, 9), 1.5), "mask should be in .0, 1., got values from 1.5"),
        (torch.full((3, 1, 8, 9), torch.nan), "mask should be in .0, 1., got values from nan"),
        (255 * torch.ones(1, 1, 8, 9).byte(), "mask should be in .0, 1., .* to 255.* mask > 0"),
    ],
)
def test_a_mask_that_is_none_is_refused(mask, message):
    with pytest.raises(ValueError, match=message):
        two_point_statistics(random_images(1, (8, 9)), mask=mask)


@pytest.mark.parametrize(
    "mask", [np.full((1, 1, 8, 9), "1"), np.ma.masked_array(np.ones((1, 1, 8, 9)))]
)
def test_a_mask_that_is_no_array_of_numbers_is_refused_by_name(mask):
    with pytest.raises(TypeError, match="mask should be"):
        two_point_statistics(random_images(1, (8, 9)), mask=mask)


@pytest.mark.parametrize("engine", ["torch", pytest.param("pymks", marks=needs_pymks)])
@pytest.mark.parametrize("space", [(8, 9), (5, 4, 6)])
@pytest.mark.parametrize("unread", [float("nan"), float("inf"), 9.0, -1.0])
def test_what_lies_under_a_mask_of_zero_is_not_read(unread, space, engine):
    images, mask = random_images(2, space), torch.ones(1, 1, *space)
    mask[0, 0, :2] = 0
    options = {"cutoff": 1, "engine": engine}
    expected = two_point_statistics(torch.where(mask > 0, images, 0.0), mask=mask, **options)
    broken = torch.where(mask > 0, images, unread)
    torch.testing.assert_close(two_point_statistics(broken, mask=mask, **options), expected)
    array = two_point_statistics(broken.numpy(), mask=mask.numpy(), **options)
    np.testing.assert_allclose(array, expected.numpy())
    with pytest.raises(EvaluationError, match="row 0"):
        two_point_statistics(broken, **options)


def test_a_broken_value_that_is_measured_a_little_is_refused():
    images, mask = random_images(1, (8, 9)), torch.ones(3, 1, 8, 9)
    images[1, 0, 2, 2], mask[1, 0, 2, 2] = torch.nan, 1e-3
    with pytest.raises(EvaluationError, match="row 1"):
        two_point_statistics(images, mask=mask, cutoff=1)


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64, np.float16, np.float32, ">f8"])
def test_a_mask_of_any_type_is_the_same_mask(dtype):
    images, mask = random_images(1, (8, 9)).numpy(), np.ones((1, 1, 8, 9))
    mask[..., :3] = 0
    expected = two_point_statistics(images, mask=mask, cutoff=1)
    np.testing.assert_array_equal(
        two_point_statistics(images, mask=mask.astype(dtype), cutoff=1), expected
    )
    if dtype != ">f8":
        given = torch.from_numpy(mask.astype(dtype))
        found = two_point_statistics(torch.from_numpy(images), mask=given, cutoff=1)
        np.testing.assert_array_equal(found.numpy(), expected)


def test_gradients_are_zero_under_the_mask_and_as_without_it_elsewhere():
    images, mask = random_images(1, (8, 9)), torch.ones(1, 1, 8, 9)
    mask[..., :3] = 0
    gradients = []
    for unread in (0.0, torch.nan):
        x = torch.where(mask > 0, images, unread).requires_grad_()
        two_point_statistics(x, mask=mask, cutoff=1).square().sum().backward()
        gradients.append(x.grad)
    torch.testing.assert_close(*gradients)
    assert (gradients[0][..., :3] == 0).all()


@needs_pymks
def test_the_engines_agree_in_float32():
    images = random_images(1, (16, 12), dtype=torch.float32)
    ours, theirs = two_point_statistics(images), two_point_statistics(images, engine="pymks")
    assert ours.dtype == theirs.dtype == torch.float32
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)


@pytest.mark.parametrize("periodic", [True, False])
def test_zero_shift_is_the_volume_fraction(periodic):
    images = binary_images((9, 12))
    statistics = two_point_statistics(images, periodic=periodic)
    torch.testing.assert_close(statistics[centre(statistics)][:, 0], images.mean((1, 2, 3)))


@pytest.mark.parametrize("space", [(8, 11), (4, 6, 5)])
def test_all_shifts_add_to_the_squared_volume_fraction(space):
    images = random_images(1, space)
    mean_shift = two_point_statistics(images).flatten(1).mean(1)
    torch.testing.assert_close(mean_shift, images.flatten(1).mean(1) ** 2)


def test_a_translated_structure_has_the_same_statistics():
    images = binary_images((10, 7))
    moved = images.roll((3, -2), (2, 3))
    torch.testing.assert_close(two_point_statistics(moved), two_point_statistics(images))


@pytest.mark.parametrize("periodic", [True, False])
def test_autocorrelation_is_symmetric_about_zero_shift(periodic):
    statistics = two_point_statistics(binary_images((9, 7)), periodic=periodic)
    torch.testing.assert_close(statistics.flip(2, 3), statistics)


@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("axis", [2, 3, 4])
def test_a_mirrored_structure_has_mirrored_statistics(axis, periodic):
    images = random_images(2, (5, 7, 3))  # odd: zero shift stays at the centre
    options = {"correlations": [(0, 0), (0, 1)], "periodic": periodic}
    mirrored = two_point_statistics(images.flip(axis), **options)
    torch.testing.assert_close(mirrored, two_point_statistics(images, **options).flip(axis))


@pytest.mark.parametrize("periodic", [True, False])
def test_phases_that_fill_space_add_to_one_at_every_shift(periodic):
    images = random_images(3, (6, 9)).softmax(1)
    pairs = list(itertools.product(range(3), repeat=2))
    statistics = two_point_statistics(images, correlations=pairs, periodic=periodic)
    torch.testing.assert_close(statistics.sum(1), torch.ones(3, 6, 9).double())


@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_single_phase_meets_itself_always_or_never(value, periodic):
    image = torch.full((1, 1, 6, 7), value)
    torch.testing.assert_close(two_point_statistics(image, periodic=periodic), image)


@pytest.mark.parametrize("periodic", [True, False])
def test_a_volume_one_voxel_thick_is_a_picture(periodic):
    images = random_images(1, (6, 7))
    thin = two_point_statistics(images[:, :, None], periodic=periodic)
    torch.testing.assert_close(thin[:, :, 0], two_point_statistics(images, periodic=periodic))


def test_exchanged_phases_reverse_the_shift():
    images = random_images(2, (7, 9))
    forward = two_point_statistics(images, correlations=[(0, 1)])
    backward = two_point_statistics(images, correlations=[(1, 0)])
    torch.testing.assert_close(forward.flip(2, 3), backward)


def test_a_laminate_has_the_triangle_of_its_layers():
    image = torch.zeros(1, 1, 12, 5)
    image[:, :, :3] = 1  # one layer of 3 in a period of 12: max(0, 3 - |r|) / 12
    statistics = two_point_statistics(image)[0, 0]
    expected = (3 - (torch.arange(12) - 6).abs()).clamp_min(0) / 12
    torch.testing.assert_close(statistics, expected[:, None].expand(12, 5))


def test_a_checkerboard_meets_itself_at_even_shifts_only():
    y, x = torch.meshgrid(torch.arange(6), torch.arange(8), indexing="ij")
    image = ((x + y) % 2).float()[None, None]
    expected = 0.5 * (1 - (x + y + 3 + 4) % 2)
    torch.testing.assert_close(two_point_statistics(image)[0, 0], expected)


def test_white_noise_is_uncorrelated():
    images = binary_images((200, 200), n=1)
    statistics = two_point_statistics(images)
    fraction = images.mean()
    statistics[centre(statistics)] = fraction**2
    assert (statistics - fraction**2).abs().max() < 6 * fraction * (1 - fraction) / 200


def test_first_phase_with_every_phase_is_the_default():
    images = random_images(3, (5, 6))
    expected = two_point_statistics(images, correlations=[(0, 0), (0, 1), (0, 2)])
    torch.testing.assert_close(two_point_statistics(images), expected)


@pytest.mark.parametrize("periodic", [True, False])
def test_cutoff_keeps_the_shifts_in_the_middle(periodic):
    images = random_images(1, (9, 12))
    whole = two_point_statistics(images, periodic=periodic)
    cut = two_point_statistics(images, periodic=periodic, cutoff=3)
    torch.testing.assert_close(cut, whole[:, :, 4 - 3 : 4 + 4, 6 - 3 : 6 + 4])


@pytest.mark.parametrize("mask", [None, torch.linspace(0.1, 1, 20).reshape(1, 1, 4, 5)])
@pytest.mark.parametrize("periodic", [True, False])
def test_gradient_is_that_of_finite_differences(periodic, mask):
    images = random_images(2, (4, 5), n=2).mul(0.8).add(0.1).requires_grad_()

    def statistics(x):
        return two_point_statistics(x, periodic=periodic, mask=mask)

    assert torch.autograd.gradcheck(statistics, images)


def test_rows_do_not_depend_on_each_other():
    images = random_images(1, (6, 7), n=4)
    torch.testing.assert_close(two_point_statistics(images)[2:3], two_point_statistics(images[2:3]))


def test_numpy_is_answered_in_numpy():
    images = random_images(1, (6, 7)).numpy()
    statistics = two_point_statistics(images)
    assert isinstance(statistics, np.ndarray)
    np.testing.assert_allclose(
        statistics, two_point_statistics(torch.from_numpy(images)).numpy(), atol=1e-15
    )


@pytest.mark.parametrize("shifts", [(9, 9), (8, 11), (5, 6, 7)])
def test_radial_average_of_a_radial_function_is_that_function(shifts):
    axes = [torch.arange(n) - n // 2 for n in shifts]
    squares = sum(grid**2 for grid in torch.meshgrid(*axes, indexing="ij"))
    rounded = squares.double().sqrt().round()
    average = radial_average(rounded[None, None] * 2)
    torch.testing.assert_close(
        average[0, 0], 2.0 * torch.arange((min(shifts) - 1) // 2 + 1).double()
    )


def test_radial_average_starts_at_the_volume_fraction():
    images = binary_images((11, 8))
    average = radial_average(two_point_statistics(images))
    torch.testing.assert_close(average[:, 0, 0], images.mean((1, 2, 3)))


def test_gradient_is_refused_by_pymks():
    images = random_images(1, (4, 4)).requires_grad_()
    with pytest.raises(ValueError, match="no gradient: use engine='torch'"):
        two_point_statistics(images, engine="pymks")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cutoff": 4}, "cutoff should be from 0 to 3"),
        ({"cutoff": -1}, "cutoff should be from 0 to 3"),
        ({"correlations": [(0, 1)]}, "pairs of channels 0 to 0"),
        ({"correlations": []}, "pairs of channels"),
        ({"correlations": [(0,)]}, "pairs of channels"),
        ({"correlations": [(0, -1)]}, "pairs of channels"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        two_point_statistics(random_images(1, (8, 9)), **options)


def test_any_engine_and_boundary_gives_a_field_of_the_images_size():
    engines = ["torch", "pymks"] if pymks_installed() else ["torch"]
    for engine, periodic in itertools.product(engines, [True, False]):
        statistics = two_point_statistics(
            random_images(1, (6, 9)), periodic=periodic, engine=engine
        )
        assert statistics.shape == (3, 1, 6, 9)


def test_no_images_have_no_statistics():
    assert two_point_statistics(random_images(1, (6, 9))[:0]).shape == (0, 1, 6, 9)
    assert two_point_statistics(random_images(1, (6, 9))[:0], cutoff=1).shape == (0, 1, 3, 3)


def test_images_that_do_not_fit_one_part_are_joined(monkeypatch):
    images = random_images(2, (9, 8), n=5)
    whole = two_point_statistics(images, periodic=False)
    monkeypatch.setattr("objectives.two_point.correlation.PART", 300)
    torch.testing.assert_close(two_point_statistics(images, periodic=False), whole)
