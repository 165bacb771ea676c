"""LatentSpace: whitened coordinates, there and back, of our models and of a user's own."""

import inspect

import numpy as np
import pytest
import torch

from generative import PCA, ConvVAE
from latentopt import LatentSpace
from latentopt.space.decoder import Decoder


def low_rank(n, seed=0):
    """Images of an affine family with 6 directions, too faint to be clipped."""
    rng = np.random.default_rng(seed)
    directions = np.random.default_rng(99).standard_normal((6, 64)) * np.logspace(0, -1, 6)[:, None]
    rows = 0.5 + 0.02 * rng.standard_normal((n, 6)) @ directions
    return torch.from_numpy(rows.reshape(n, 1, 8, 8)).float()


IMAGES = low_rank(300)


@pytest.fixture(scope="module")
def linear():
    return LatentSpace.fit(PCA((1, 8, 8), components=6).fit(IMAGES), IMAGES)


@pytest.fixture(scope="module")
def vae():
    images = torch.rand(70, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    return LatentSpace.fit(ConvVAE((1, 32, 32), widths=(4, 8)), images)


class Waves:
    """A decoder such as a user writes: no torch module, smooth, three numbers."""

    latent_dim = 3
    image_shape = (1, 4, 5)

    def __init__(self):
        generator = torch.Generator().manual_seed(0)
        self.weights = torch.randn(3, 20, generator=generator)
        self.rows = []

    def decode(self, code):
        self.rows.append(len(code))
        return (code @ self.weights).sigmoid().reshape(-1, *self.image_shape)


class InvertibleWaves(Waves):
    def encode(self, images):
        self.rows.append(len(images))
        logits = images.flatten(1).clamp(1e-6, 1 - 1e-6).logit()
        return logits @ torch.linalg.pinv(self.weights)


def unchecked(method):
    """The method as users run it, without the check of annotations that tests add."""
    return inspect.unwrap(method.__func__).__get__(method.__self__)


# -- whitening -----------------------------------------------------------------------------------


def test_the_training_set_has_mean_0_and_covariance_1(linear):
    z = linear.encode(IMAGES)
    torch.testing.assert_close(z.mean(0), torch.zeros(6).double(), rtol=0, atol=1e-8)
    torch.testing.assert_close(z.T @ z / len(z), torch.eye(6).double(), rtol=0, atol=1e-8)


def test_the_training_set_of_a_network_has_mean_0_and_covariance_1():
    images = torch.rand(200, 1, 32, 32, generator=torch.Generator().manual_seed(1))
    space = LatentSpace.fit(ConvVAE((1, 32, 32), widths=(4, 8)), images)
    z = space.encode(images)
    torch.testing.assert_close(z.mean(0), torch.zeros(64).double(), rtol=0, atol=1e-8)
    torch.testing.assert_close(z.T @ z / len(z), torch.eye(64).double(), rtol=0, atol=1e-8)


def test_95_percent_of_the_training_set_is_inside_the_radius(linear):
    inside = linear.encode(IMAGES).norm(dim=1) <= linear.radius
    assert inside.double().mean() == pytest.approx(0.95, abs=1 / len(IMAGES))


def test_the_first_axis_changes_the_images_most(linear):
    ends = [linear.decode(linear.traverse(axis, 2)) for axis in range(6)]
    changes = [float((b - a).norm()) for a, b in ends]
    assert changes == sorted(changes, reverse=True)


# -- there and back ------------------------------------------------------------------------------


def test_decoding_and_encoding_returns_the_point(linear):
    z = linear.sample(20, seed=1)
    torch.testing.assert_close(linear.encode(linear.decode(z)), z, rtol=0, atol=1e-3)


def test_encoding_and_decoding_returns_the_image(linear):
    images = low_rank(10, seed=5)
    torch.testing.assert_close(linear.decode(linear.encode(images)), images, rtol=0, atol=1e-5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_answer_is_of_the_kind_of_the_question(vae, dtype):
    images = np.random.default_rng(0).random((3, 1, 32, 32)).astype(dtype)
    z = vae.encode(images)
    assert isinstance(z, np.ndarray)
    assert z.dtype == np.float64
    decoded = vae.decode(z.astype(dtype))
    assert isinstance(decoded, np.ndarray)
    assert decoded.dtype == np.float32
    tensors = vae.encode(torch.from_numpy(images)), vae.decode(torch.from_numpy(z.astype(dtype)))
    assert [t.dtype for t in tensors] == [torch.float64, torch.float32]
    np.testing.assert_array_equal(tensors[0].numpy(), z)
    np.testing.assert_array_equal(tensors[1].numpy(), decoded)


def test_every_method_answers_numpy_in_numpy(linear):
    z = linear.sample(4).numpy()
    answers = {
        "project": linear.project(z),
        "interpolate": linear.interpolate(z[0], z[1], 3),
        "distance_from_data": linear.distance_from_data(z),
        "cycle_error": linear.cycle_error(z),
    }
    assert {name: type(a) for name, a in answers.items()} == dict.fromkeys(answers, np.ndarray)


def test_phases_may_be_whole_numbers_or_booleans(vae):
    phases = np.random.default_rng(0).integers(2, size=(2, 1, 32, 32))
    expected = vae.encode(phases.astype(np.float32))
    for dtype in (np.uint8, np.int64, bool):
        np.testing.assert_array_equal(vae.encode(phases.astype(dtype)), expected)


def test_strided_arrays_are_read_as_they_look(vae):
    images = np.random.default_rng(0).random((4, 1, 32, 32)).astype(np.float32)
    np.testing.assert_array_equal(
        vae.encode(images[::-1, :, :, ::-1]), vae.encode(images[::-1, :, :, ::-1].copy())
    )


def test_points_may_have_any_leading_shape(linear):
    z = linear.sample(6)
    images = linear.decode(z)
    torch.testing.assert_close(linear.decode(z.reshape(2, 3, 6)), images.reshape(2, 3, 1, 8, 8))
    torch.testing.assert_close(linear.decode(z[0]), images[0])


def test_no_rows_give_no_rows(vae):
    assert vae.decode(torch.zeros(0, 64)).shape == (0, 1, 32, 32)
    assert vae.encode(torch.zeros(0, 1, 32, 32)).shape == (0, 64)


def test_decoding_leaves_the_model_in_evaluation_mode_and_arguments_alone(vae):
    z = vae.sample(2)
    before = z.clone()
    vae.decode(z)
    assert torch.equal(z, before)
    assert not vae.model.training


# -- gradients -----------------------------------------------------------------------------------


def test_gradients_to_z_equal_finite_differences():
    space = LatentSpace.fit(InvertibleWaves(), Waves().decode(torch.randn(50, 3)))
    z = space.sample(2, seed=3)
    weights = torch.rand(2, 1, 4, 5, generator=torch.Generator().manual_seed(0))

    def value(points):
        return (space.decode(points).double() * weights).sum()

    moving = z.clone().requires_grad_()
    value(moving).backward()
    for row in range(2):
        for axis in range(3):
            step = torch.zeros_like(z)
            step[row, axis] = 1e-2
            slope = float(value(z + step) - value(z - step)) / 2e-2
            assert float(moving.grad[row, axis]) == pytest.approx(slope, abs=2e-4)


def test_gradients_flow_through_encoder_and_decoder_of_a_network(vae):
    z = vae.sample(2).requires_grad_()
    vae.decode(z)[1].sum().backward()
    assert z.grad.dtype == torch.float64
    assert z.grad[1].abs().max() > 0
    assert z.grad[0].abs().max() == 0
    images = torch.full((1, 1, 32, 32), 0.5, requires_grad=True)
    vae.encode(images).sum().backward()
    assert images.grad.abs().max() > 0


def test_no_graph_is_kept_where_none_is_asked_for(vae):
    assert not vae.decode(vae.sample(1)).requires_grad
    z = vae.sample(1).requires_grad_()
    with torch.no_grad():
        assert not vae.decode(z).requires_grad
        assert not vae.encode(torch.full((1, 1, 32, 32), 0.5, requires_grad=True)).requires_grad
    assert torch.is_grad_enabled()


# -- points --------------------------------------------------------------------------------------


def test_samples_are_the_same_for_a_seed_and_draw_on_no_global_state(linear):
    state = torch.get_rng_state()
    assert torch.equal(linear.sample(5, seed=3), linear.sample(5, seed=3))
    assert not torch.equal(linear.sample(5, seed=3), linear.sample(5, seed=4))
    assert torch.equal(torch.get_rng_state(), state)


def test_truncation_moves_samples_to_the_mean_and_is_checked(linear):
    whole = linear.sample(50, seed=3)
    assert torch.equal(linear.sample(50, seed=3, truncation=0.7), 0.7 * whole)
    assert torch.equal(linear.sample(50, seed=3, truncation=1.0), whole)
    for wrong in (0.0, -0.5, 1.2, float("nan"), "a", None):
        with pytest.raises(ValueError, match="truncation should be above 0 and at most 1"):
            unchecked(linear.sample)(5, truncation=wrong)


@pytest.mark.parametrize("n", [-1, True])
def test_samples_are_a_whole_number(linear, n):
    with pytest.raises(ValueError, match="n should be a whole number of points from 0"):
        unchecked(linear.sample)(n)


def test_samples_are_standard_normal_inside_the_radius(linear):
    z = linear.sample(5000, seed=0)
    assert z.dtype == torch.float64
    assert z.norm(dim=1).max() <= linear.radius * (1 + 1e-12)
    torch.testing.assert_close(z.mean(0), torch.zeros(6).double(), rtol=0, atol=0.06)
    assert 0.85 < z.std() < 1.0


def test_projecting_moves_points_outside_to_the_sphere_and_no_others(linear):
    z = 4 * linear.sample(50)
    projected = linear.project(z)
    outside = z.norm(dim=1) > linear.radius
    assert outside.any()
    assert not outside.all()
    assert torch.equal(projected[~outside], z[~outside])
    norms = projected[outside].norm(dim=1)
    torch.testing.assert_close(norms, torch.full_like(norms, linear.radius))
    cosine = torch.cosine_similarity(projected, z)
    torch.testing.assert_close(cosine, torch.ones_like(cosine))


def test_projecting_twice_is_projecting_once(linear):
    once = linear.project(5 * linear.sample(50))
    torch.testing.assert_close(linear.project(once), once, rtol=1e-14, atol=0)
    assert linear.project(torch.zeros(2, 6)).eq(0).all()


@pytest.mark.parametrize("how", ["linear", "slerp"])
@pytest.mark.parametrize("n", [2, 5])
def test_a_path_of_n_points_starts_at_a_and_ends_at_b(linear, how, n):
    a, b = linear.sample(2)
    points = linear.interpolate(a, b, n, how=how)
    assert points.shape == (n, 6)
    torch.testing.assert_close(points[[0, -1]], torch.stack([a, b]))
    assert linear.decode(points).shape == (n, 1, 8, 8)


def test_slerp_keeps_the_norm_between_points_of_equal_norm(linear):
    a, b = (3 * z / z.norm() for z in linear.sample(2))
    arc = linear.interpolate(a, b, 9, how="slerp")
    torch.testing.assert_close(arc.norm(dim=1), torch.full((9,), 3.0).double())
    assert linear.interpolate(a, b, 9)[4].norm() < 3


def test_a_traverse_moves_one_coordinate(linear):
    z = linear.traverse(2, 5, span=2.0)
    expected = torch.zeros(5, 6).double()
    expected[:, 2] = torch.tensor([-2.0, -1.0, 0.0, 1.0, 2.0])
    torch.testing.assert_close(z, expected)
    assert linear.decode(z).shape == (5, 1, 8, 8)


@pytest.mark.parametrize("axes", [(0, 1), (5, 2), (0, 1, 2)])
def test_a_manifold_is_a_grid_that_decodes_to_a_grid(linear, axes):
    z = linear.manifold(axes, 3)
    assert z.shape == (*[3] * len(axes), 6)
    corner = z[(0,) * len(axes)]
    assert [float(corner[axis]) for axis in axes] == [-3.0] * len(axes)
    assert linear.decode(z).shape == (*[3] * len(axes), 1, 8, 8)
    assert linear.distance_from_data(z).shape == z.shape[:-1]
    assert linear.cycle_error(z).shape == z.shape[:-1]


# -- trust ---------------------------------------------------------------------------------------


def test_training_structures_are_at_distance_0_and_far_points_far(linear):
    z = linear.reference_
    assert linear.distance_from_data(z).max() < 1e-4
    far = linear.distance_from_data(10 * z / z.norm(dim=1, keepdim=True))
    assert far.min() > 5


def test_the_unit_of_distance_is_the_spacing_of_the_training_set(linear):
    z = linear.reference_
    apart = torch.cdist(z, z) + torch.diag(torch.full((len(z),), torch.inf))
    expected = float((torch.zeros(1, 6).double() - z).norm(dim=1).min() / apart.amin(1).median())
    distance = float(linear.distance_from_data(torch.zeros(1, 6)))
    assert distance == pytest.approx(expected, rel=1e-6)


def test_the_distance_of_a_row_does_not_depend_on_the_others(linear):
    z = linear.sample(300)
    torch.testing.assert_close(linear.distance_from_data(z)[7:8], linear.distance_from_data(z[7:8]))


def test_many_training_structures_are_thinned_to_a_fixed_number():
    images = low_rank(5000, seed=1)
    space = LatentSpace.fit(PCA((1, 8, 8), components=6).fit(images), images)
    assert 1000 < len(space.reference_) <= 2048
    assert space.distance_from_data(space.encode(images[:1])) < 1e-4


def test_the_cycle_error_of_an_exact_model_is_0_and_of_another_is_the_change(linear, vae):
    assert linear.cycle_error(linear.sample(5)).max() < 1e-3
    z = vae.sample(3)
    expected = (vae.encode(vae.decode(z)) - z).square().mean(1).sqrt()
    torch.testing.assert_close(vae.cycle_error(z), expected)
    assert expected.min() > 0


# -- Ax ------------------------------------------------------------------------------------------


@pytest.mark.slow  # Ax takes five seconds to import
def test_ax_gets_one_range_a_number_as_wide_as_the_data(linear, vae):
    parameters = linear.ax_parameters()
    assert [p.name for p in parameters] == ["z0", "z1", "z2", "z3", "z4", "z5"]
    assert [p.parameter_type for p in parameters] == ["float"] * 6
    z = linear.reference_
    for i, (low, high) in enumerate(p.bounds for p in parameters):
        assert low == min(-3.0, float(z[:, i].min()))
        assert high == max(3.0, float(z[:, i].max()))
    names = [p.name for p in vae.ax_parameters()]
    assert names == sorted(names)
    assert names[::63] == ["z00", "z63"]


def test_points_inside_the_radius_survive_the_way_through_ax(linear):
    z = linear.project(0.5 * linear.sample(4))
    parameters = linear.to_ax(z)
    assert list(parameters[0]) == ["z0", "z1", "z2", "z3", "z4", "z5"]
    assert torch.equal(linear.from_ax(parameters), z)
    assert torch.equal(linear.from_ax(parameters[1]), z[1])
    assert linear.from_ax([]).shape == (0, 6)


def test_a_corner_of_the_box_is_projected_into_the_radius(linear):
    corner = {f"z{i}": 3.0 for i in range(6)}
    z = linear.from_ax(corner)
    assert z.shape == (6,)
    torch.testing.assert_close(z, torch.full((6,), linear.radius / 6**0.5).double())


def test_bounds_hold_the_kept_structures_and_reach_at_least_three(linear):
    low, high = linear.bounds
    assert (low <= -3).all()
    assert (high >= 3).all()
    assert ((linear.reference_ >= low) & (linear.reference_ <= high)).all()


# -- any decoder ---------------------------------------------------------------------------------


def test_a_decoder_without_an_encoder_is_searched_from_its_prior():
    space = LatentSpace.from_prior(Waves())
    assert isinstance(space.model, Decoder)
    assert (space.latent_dim, space.image_shape) == (3, (1, 4, 5))
    z = space.sample(4)
    torch.testing.assert_close(space.decode(z), Waves().decode(z.float()))
    assert space.radius == pytest.approx(2.795, abs=0.1)  # chi, 3 degrees of freedom, 95 %
    assert torch.isfinite(space.distance_from_data(z)).all()
    for ask in (space.encode, space.cycle_error):
        argument = space.decode(z) if ask == space.encode else z
        with pytest.raises(TypeError, match=r"Waves cannot encode; it has only decode\(code\)"):
            ask(argument)
    with pytest.raises(TypeError, match=r"Waves has no encode.*LatentSpace\.from_prior"):
        LatentSpace.fit(Waves(), space.decode(z))


def test_a_users_own_autoencoder_is_whitened():
    images = Waves().decode(torch.randn(100, 3, generator=torch.Generator().manual_seed(0)) + 0.3)
    space = LatentSpace.fit(InvertibleWaves(), images)
    z = space.encode(images)
    torch.testing.assert_close(z.T @ z / 100, torch.eye(3).double(), rtol=0, atol=1e-8)
    torch.testing.assert_close(space.decode(z), images, rtol=0, atol=1e-5)


def test_10000_images_never_go_through_a_model_at_once():
    class Recorder(InvertibleWaves):
        image_shape = (1, 32, 32)

        def decode(self, code):
            self.rows.append(len(code))
            return torch.full((len(code), 1, 32, 32), 0.5)

        def encode(self, images):
            self.rows.append(len(images))
            return images[:, 0, 0, :3]

    images = np.random.default_rng(0).random((10000, 1, 32, 32), dtype=np.float32)
    most = []
    for n in (1000, 10000):
        model = Recorder()
        space = LatentSpace.fit(model, images[:n])
        space.encode(images[:n])
        space.decode(space.sample(n))
        assert sum(model.rows) == 3 * n
        most.append(max(model.rows))
    assert most == [256, 256]


def test_a_volume_of_21_voxels_a_side_has_a_space_of_64_numbers():
    volumes = torch.rand(4, 1, 21, 21, 21, generator=torch.Generator().manual_seed(0))
    space = LatentSpace.fit(ConvVAE((1, 21, 21, 21)), volumes)
    assert space.latent_dim == 64
    z = space.encode(volumes)
    assert z.shape == (4, 64)
    assert space.decode(z).shape == (4, 1, 21, 21, 21)
    with pytest.raises(ValueError, match=r"\(n, 1, 21, 21, 21\), got \(1, 1, 32, 32\)"):
        space.encode(torch.rand(1, 1, 32, 32))


# -- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "remedy"),
    [
        ((2, 1, 32, 32, 32), "2-D space"),
        ((2, 1, 32, 31), "resample the images"),
        ((2, 3, 32, 32), "train a space"),
        ((1, 32, 32), r"batch axis with images\[None\]"),
        ((32, 32), r"images\[None, None\]"),
        ((5, 32, 32), r"channel axis with images\[:, None\]"),
    ],
    ids=str,
)
def test_images_of_another_shape_are_refused_with_the_remedy(vae, shape, remedy):
    for images in (torch.rand(shape), np.zeros(shape)):
        with pytest.raises(ValueError, match=rf"\(n, 1, 32, 32\), got .*{remedy}") as refusal:
            unchecked(vae.encode)(images)
        assert str(tuple(shape)) in str(refusal.value)
        assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("value", [-0.01, 1.01, 255.0, np.nan, np.inf, -np.inf])
def test_images_out_of_range_or_not_finite_are_refused_by_row(linear, value):
    images = IMAGES[:9].clone()
    images[4, 0, 3, 3] = value
    for ask in (linear.encode, lambda x: LatentSpace.fit(linear.model, x)):
        with pytest.raises(ValueError, match=r"row 4 is not\. Divide 8-bit images by 255"):
            ask(images)


@pytest.mark.parametrize("shape", [(2, 5), (2, 7), (5,), ()])
def test_points_of_another_width_are_refused_with_both(linear, shape):
    for ask in (linear.decode, linear.project, linear.distance_from_data, linear.cycle_error):
        with pytest.raises(ValueError, match=r"z should have shape \(n, 6\), got") as refusal:
            ask(torch.zeros(shape))
        assert str(tuple(shape)) in str(refusal.value)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_points_that_are_not_finite_are_refused_by_row(linear, value):
    z = linear.sample(5)
    z[3, 2] = value
    for ask in (linear.decode, linear.project, linear.distance_from_data, linear.to_ax):
        with pytest.raises(ValueError, match="not finite in row 3"):
            ask(z)


def test_paths_between_anything_but_two_points_are_refused(linear):
    a, b = linear.sample(2)
    with pytest.raises(ValueError, match="got 12 and 6 numbers"):
        linear.interpolate(torch.stack([a, b]), b, 3)
    with pytest.raises(ValueError, match=r"n at least 2.*n=1"):
        linear.interpolate(a, b, 1)
    with pytest.raises(ValueError, match="linear, slerp, got 'cubic'"):
        unchecked(linear.interpolate)(a, b, 3, how="cubic")


@pytest.mark.parametrize("axes", [(6,), (-1,), (0, 0), (True,)])
def test_axes_that_are_not_there_or_twice_are_refused(linear, axes):
    with pytest.raises(ValueError, match="different numbers from 0 to 5, got"):
        unchecked(linear.manifold)(axes)


def test_a_span_that_is_not_finite_is_refused(linear):
    with pytest.raises(ValueError, match="span should be a finite number"):
        linear.traverse(0, 3, span=float("nan"))


def test_ax_parameters_that_lack_one_are_refused_by_its_name(linear):
    parameters = {f"z{i}": 0.0 for i in range(6) if i != 4}
    with pytest.raises(ValueError, match="parameters lack z4; give all of z0 to z5"):
        linear.from_ax(parameters)


def test_one_image_and_equal_images_span_no_space(linear):
    with pytest.raises(ValueError, match="at least 2 codes, got 1"):
        LatentSpace.fit(linear.model, IMAGES[:1])
    with pytest.raises(ValueError, match="all codes are the same"):
        LatentSpace.fit(linear.model, IMAGES[:1].expand(5, -1, -1, -1))


def test_a_space_that_keeps_no_structures_says_so(linear):
    empty = LatentSpace(
        linear.model, linear.whitening, reference=torch.zeros(0, 6).double(), radius=2.0
    )
    with pytest.raises(ValueError, match="keeps no training structures"):
        empty.distance_from_data(torch.zeros(1, 6))
    torch.testing.assert_close(empty.bounds, torch.tensor([[-3.0], [3.0]]).double().expand(2, 6))


# -- the name of a space -------------------------------------------------------------------------


def test_equal_weights_have_equal_ids_and_others_others(linear):
    again = LatentSpace.fit(PCA((1, 8, 8), components=6).fit(IMAGES), IMAGES)
    other = LatentSpace.fit(PCA((1, 8, 8), components=6).fit(IMAGES), low_rank(300, seed=2))
    assert again.id == linear.id
    assert other.id != linear.id
    assert len(linear.id) == 12
    assert set(linear.id) <= set("0123456789abcdef")


def test_half_precision_weights_have_an_id_and_decode_in_float32():
    class Half(torch.nn.Module):
        latent_dim, image_shape = 2, (1, 2, 2)

        def __init__(self):
            super().__init__()
            self.weights = torch.nn.Parameter(torch.ones(2, 4, dtype=torch.bfloat16))

        def decode(self, code):
            return (code.bfloat16() @ self.weights).sigmoid().reshape(-1, 1, 2, 2)

    space = LatentSpace.from_prior(Half())
    assert len(space.id) == 12
    assert space.decode(space.sample(2)).dtype == torch.float32


def test_a_space_says_what_it_is_a_space_of(linear, vae):
    assert repr(linear) == "<LatentSpace of a pca: 6 numbers, images (1, 8, 8)>"
    assert repr(LatentSpace.from_prior(Waves())).startswith("<LatentSpace of a Waves: 3 numbers")
