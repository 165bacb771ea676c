"""Training of a pose-aware autoencoder: it finds angles that nobody told it."""

import numpy as np
import pytest
import torch
from scipy.ndimage import rotate

from generative.model import reconstruct
from generative.model_files import load_model
from generative.stages.config import TrainConfig
from generative.structured import RVAE
from generative.structured.frame_stage import FrameStage
from generative.structured.pose_stages import ContentStage, PoseStage
from generative.training.train import train


def resultant(difference):
    """Length of the mean unit vector of angles: 1 if all are alike, about 1 / sqrt(n) by chance."""
    return float(np.abs(np.exp(1j * np.asarray(difference)).mean()))


@pytest.fixture(scope="module")
def turned():
    """One structure, without symmetry, at known angles."""
    y, x = np.meshgrid(*[np.linspace(-1, 1, 32)] * 2, indexing="ij")
    shape = 1 / (1 + np.exp(-np.minimum(0.8 - np.hypot(x, y), x + 0.1) / 0.05))  # half a disc
    degrees = np.random.default_rng(0).uniform(0, 360, 100)
    made = [rotate(shape, angle, reshape=False, order=1)[::2, ::2] for angle in degrees]
    return np.clip(np.array(made, np.float32), 0, 1)[:, None], np.radians(degrees)


@pytest.mark.slow
def test_it_finds_angles_that_nobody_told_it(turned):
    images, angles = turned
    model = RVAE((1, 16, 16), width=8, hidden=64, latent_dim=1, turns=8, shift=0.05)
    train(
        model,
        images,
        config=TrainConfig(
            steps=150, batch_size=16, learning_rate=2e-3, ema_decay=0.9, progress=False,
            augmentation={"flips": False, "rotations": False},
        ),
    )  # fmt: skip
    x = torch.from_numpy(images)
    model.requires_grad_(False)
    found = model.pose(x)
    assert resultant(found.angle - angles) > 0.9  # the nearest of eight turns would be .97
    assert resultant(found.angle) < 0.2  # they are not all called the same
    assert resultant(found.angle - np.roll(angles, 1)) < 0.2
    upright = model.decode(model.encode(x))
    assert ((reconstruct(model, x) - x) ** 2).mean() < 0.2 * ((upright - x) ** 2).mean()


@pytest.mark.slow
def test_a_run_that_is_killed_in_any_stage_ends_with_the_same_weights(
    turned, tmp_path, monkeypatch
):
    images = turned[0][:40]
    config = TrainConfig(steps=20, batch_size=8, progress=False, checkpoint_seconds=1e-9)

    def made():
        return RVAE((1, 16, 16), width=4, hidden=16)

    train(made(), images, config=config, folder=tmp_path / "whole")
    losses = {stage: stage.loss for stage in (PoseStage, ContentStage, FrameStage)}
    for stop in (1, 9, 25):  # pose takes 2 steps, content 20, frames 8
        calls = 0

        def stopped(self, batch, player, stop=stop):
            nonlocal calls
            calls += 1
            if calls > stop:
                raise KeyboardInterrupt
            return losses[type(self)](self, batch, player)

        folder = tmp_path / f"stopped-{stop}"
        with monkeypatch.context() as patch:
            for stage in losses:
                patch.setattr(stage, "loss", stopped)
            with pytest.raises(KeyboardInterrupt):
                train(made(), images, config=config, folder=folder)
        train(made(), images, config=config, folder=folder)
        whole, again = (load_model(tmp_path / name) for name in ("whole", folder.name))
        for name, value in whole.state_dict().items():
            assert torch.equal(again.state_dict()[name], value), name


def test_content_comes_in_after_pose():
    pose, content, _ = RVAE((1, 16, 16), width=4, hidden=16).stages()
    assert {pose.gate(progress) for progress in (0.0, 0.5, 1.0)} == {0}
    gates = [content.gate(progress) for progress in np.linspace(0, 1, 11)]
    assert gates[0] == 0
    assert gates[2:] == [1] * 9
    assert pose.settings(TrainConfig(steps=1000)).steps == 100


def test_with_no_content_all_pictures_are_alike():
    """The bound then knows the pose alone: other content, the same terms of pictures."""
    model = RVAE((1, 16, 16), width=4, hidden=16, shift=0, latent_dim=3)
    images = torch.rand(4, 1, 16, 16)
    noise = torch.randn(4, model.noise_size)
    other = noise.clone()
    other[:, :3] = 5.0
    errors = [model.bound(images, n, gate=0.0)[1]["mse"] for n in (noise, other)]
    assert errors[0] == errors[1]
    errors = [model.bound(images, n, gate=1.0)[1]["mse"] for n in (noise, other)]
    assert errors[0] != errors[1]
