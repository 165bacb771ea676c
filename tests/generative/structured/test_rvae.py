"""A pose-aware autoencoder: what turns and shifts do to what it says, before any training."""

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import shift as shifted
from scipy.spatial.transform import Rotation

from generative.model import Pose, reconstruct
from generative.structured import RVAE

SMALL = {"width": 4, "hidden": 16}


def drawn(shape, seed=0, **options):
    """A model with random weights that draws something, and does not see every turn alike."""
    torch.manual_seed(seed)
    model = RVAE(shape, **SMALL, **options)
    for tensor in model.parameters():
        tensor.data.copy_(0.3 * torch.randn(tensor.shape))
    return model.requires_grad_(False)


def images_of(shape, n=4):
    """Something round in the disc and asymmetric, of low frequencies."""
    rng = np.random.default_rng(0)
    axes = [np.linspace(-1, 1, side) for side in shape[1:]]
    grid = np.meshgrid(*axes, indexing="ij")
    made = np.zeros((n, *shape), np.float32)
    for i in range(n):
        for channel in range(shape[0]):
            for _ in range(3):
                centre = rng.uniform(-0.4, 0.4, len(axes))
                square = sum((x - c) ** 2 for x, c in zip(grid, centre, strict=True))
                made[i, channel] += rng.uniform(0.3, 1) * np.exp(-square / 0.05)
    return torch.from_numpy(made / made.max())


def apart(a, b):
    """Angles between, in (-pi, pi]."""
    return torch.remainder(a - b + math.pi, 2 * math.pi) - math.pi


def test_a_quarter_turn_turns_the_pose_and_leaves_the_content():
    """`np.rot90` is counter-clockwise as images are shown."""
    model, images = drawn((2, 24, 24), turns=8), images_of((2, 24, 24))
    turned = torch.rot90(images, 1, (2, 3))
    torch.testing.assert_close(model.encode(turned), model.encode(images), rtol=1e-3, atol=1e-4)
    before, after = model.pose(images), model.pose(turned)
    turn = apart(after.angle, before.angle)
    torch.testing.assert_close(turn, torch.full((4,), math.pi / 2), rtol=0, atol=1e-3)
    y, x = before.shift.T  # counter-clockwise: right goes up, down goes right
    torch.testing.assert_close(after.shift, torch.stack([-x, y], 1), rtol=1e-3, atol=1e-3)


def test_the_turns_of_a_cube_turn_the_pose_and_leave_the_content():
    model, images = drawn((1, 16, 16, 16)), images_of((1, 16, 16, 16))
    before = model.pose(images)
    for axes in ((2, 3), (3, 4), (2, 4)):
        turned = torch.rot90(images, 1, axes)
        torch.testing.assert_close(model.encode(turned), model.encode(images), rtol=1e-3, atol=1e-4)
        after = model.pose(turned)
        # Between axes a and b: b goes to -a. As matrices for axes in the order z, y, x.
        a, b = (axis - 2 for axis in axes)
        quarter = np.eye(3)
        quarter[[a, b]] = 0
        quarter[a, b], quarter[b, a] = -1, 1
        moved = torch.from_numpy(quarter).float() @ before.shift.mT
        torch.testing.assert_close(after.shift, moved.mT, rtol=1e-3, atol=1e-3)
        flip = np.eye(3)[::-1]
        for old, new in zip(before.angle, after.angle, strict=True):
            old, new = (Rotation.from_rotvec(v.numpy()[::-1]).as_matrix() for v in (old, new))
            np.testing.assert_allclose(flip @ quarter @ flip @ old, new, atol=1e-3)


@pytest.mark.parametrize("steps", range(1, 4))
def test_a_structure_is_drawn_where_the_pose_says_it_lies(steps):
    model = drawn((1, 24, 24))
    code = torch.randn(3, 2)
    upright = model.decode(code)
    none = Pose(torch.zeros(3), torch.zeros(3, 2))
    torch.testing.assert_close(model.decode_at(code, none), upright)
    turned = model.decode_at(code, Pose(torch.full((3,), steps * math.pi / 2), torch.zeros(3, 2)))
    torch.testing.assert_close(turned, torch.rot90(upright, steps, (2, 3)), rtol=0, atol=1e-4)
    down = model.decode_at(code, Pose(torch.zeros(3), torch.tensor([[2.0, -1.0]] * 3)))
    expected = shifted(upright.numpy(), (0, 0, 2, -1), order=1)
    np.testing.assert_allclose(down[:, :, 2:, :-1], expected[:, :, 2:, :-1], atol=1e-4)


def test_a_pose_is_drawn_and_shifted_after_it_is_turned():
    model, code = drawn((1, 24, 24)), torch.randn(2, 2)
    quarter = Pose(torch.full((2,), math.pi / 2), torch.tensor([[3.0, 0.0]] * 2))
    made = model.decode_at(code, quarter)
    turned = torch.rot90(model.decode(code), 1, (2, 3))
    torch.testing.assert_close(made[:, :, 3:], turned[:, :, :-3], rtol=0, atol=1e-4)


def test_without_pose_it_is_an_autoencoder_that_may_have_unequal_sides():
    model = drawn((1, 16, 24), rotation=False, shift=0)
    images = images_of((1, 16, 24))
    pose = model.pose(images)
    assert not pose.angle.any()
    assert not pose.shift.any()
    torch.testing.assert_close(reconstruct(model, images), model.decode(model.encode(images)))


def test_a_lattice_is_known_within_its_period():
    model = drawn((1, 24, 24), turns=4, fold=3)
    angle = apart(model.pose(images_of((1, 24, 24))).angle, torch.tensor(0.0))
    period = 2 * math.pi / 3
    assert (angle.abs() < period + model.reach).all()
    assert model.turns.shape == (4, 2, 2)


def test_the_bound_is_that_of_a_sum_over_turns():
    """Against a plain sum over turns of each image by itself."""
    model, images = drawn((1, 16, 16), turns=4, shift=0), images_of((1, 16, 16), 2)
    noise = torch.zeros(2, model.noise_size)
    total, _ = model.bound(images, noise, gate=1.0)
    found = model.find(images)
    spread = model.log_spread.exp()
    expected = 0.0
    for i in range(2):
        q = found.log_turn[i].exp()
        for k in range(4):
            angle = math.atan2(*found.turns[k, [1, 0], 0].tolist()) + found.small[i, k]
            made = model.decode_at(found.mean[i : i + 1], Pose(-angle, torch.zeros(1, 2)))
            error = ((made[0] - images[i]) ** 2).sum() / (2 * spread**2)
            gaussian = torch.distributions.Normal(0.0, found.small_spread[i, k, 0])
            kl = q[k].log() + math.log(4) + math.log(2 * math.pi / 4) - gaussian.entropy()
            expected += q[k] * (error + kl) / 2
        prior = torch.distributions.Normal(0.0, 1.0)
        normal = torch.distributions.Normal(found.mean[i], (0.5 * found.log_variance[i]).exp())
        expected += torch.distributions.kl_divergence(normal, prior).sum() / 2
    torch.testing.assert_close(total, expected, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(
    ("shape", "options", "message"),
    [
        ((1, 12, 12), {}, "sides of 16 to 96"),
        ((1, 40, 40, 40), {}, "sides of 12 to 32"),
        ((1, 24, 32), {}, "sides should be alike.*rotation: false"),
        ((24, 24), {}, r"\(c, h, w\)"),
        ((1, 16, 16, 16), {"turns": 8}, "turns have no effect in 3-D"),
        ((1, 16, 16), {"rotation": False, "fold": 3}, "fold have no effect without rotation"),
    ],
)
def test_shapes_and_settings_that_do_not_go_together_are_refused(shape, options, message):
    with pytest.raises(ValueError, match=message) as refusal:
        RVAE(shape, **options)
    assert "\n" not in str(refusal.value)
