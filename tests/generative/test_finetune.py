"""Training on from the weights a network has, on images drawn by weight."""

import numpy as np
import pytest
import torch

from generative import ConvVAE
from generative.data.augment import Augmentation
from generative.data.synthetic import gaussian_random_field
from generative.errors import DataError, ModelFileError
from generative.reconstruction import reconstruct
from generative.train import TrainConfig, finetune, train

IMAGES = gaussian_random_field(12, (32, 32), seed=0)
EVENLY = np.full(12, 1 / 12)
FEW = TrainConfig(
    steps=3,
    batch_size=4,
    progress=False,
    precision="float32",
    kl_warmup=0,
    augmentation=Augmentation(flips=False, rotations=False),
)


@pytest.fixture(scope="module")
def trained():
    return train(ConvVAE((1, 32, 32), widths=(4, 8)), IMAGES, config=FEW)


def state(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def equal(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_it_begins_with_the_weights_the_network_has(trained):
    still = finetune(trained, IMAGES, EVENLY, config=FEW.model_copy(update={"learning_rate": 1e-9}))
    for name, value in trained.named_parameters():
        torch.testing.assert_close(dict(still.named_parameters())[name], value, atol=1e-6, rtol=0)


def test_the_network_given_is_left_as_it_is(trained):
    before = state(trained)
    tuned = finetune(trained, IMAGES, EVENLY, config=FEW)
    assert equal(before, state(trained))
    assert not equal(before, state(tuned))
    assert not tuned.training


def test_what_weighs_more_is_kept_better(trained):
    config = FEW.model_copy(update={"steps": 60})
    images = torch.from_numpy(IMAGES)

    def error(row):
        weights = np.full(12, 1e-3)
        weights[row] = 1 - 11e-3
        tuned = finetune(trained, IMAGES, weights, config=config)
        return (reconstruct(tuned, images) - images).square().mean((1, 2, 3))

    first, second = error(0), error(1)
    assert first[0] < second[0]
    assert second[1] < first[1]


def test_a_stopped_run_goes_on_to_the_same_weights(trained, tmp_path):
    whole = finetune(trained, IMAGES, EVENLY, config=FEW)
    calls = 0

    class Stopped(Augmentation):
        def __call__(self, images, rng):
            nonlocal calls
            calls += 1
            if calls == 3:
                raise KeyboardInterrupt
            return images

    every_step = FEW.model_copy(update={"checkpoint_seconds": 1e-9})
    stopped = every_step.model_copy(update={"augmentation": Stopped(flips=False, rotations=False)})
    with pytest.raises(KeyboardInterrupt):
        finetune(trained, IMAGES, EVENLY, config=stopped, folder=tmp_path)
    again = finetune(trained, IMAGES, EVENLY, config=every_step, folder=tmp_path)
    assert equal(state(whole), state(again))


def test_a_run_with_other_weights_is_not_gone_on_with(trained, tmp_path):
    finetune(trained, IMAGES, EVENLY, config=FEW, folder=tmp_path)
    with pytest.raises(ModelFileError, match="other images or settings"):
        finetune(trained, IMAGES, np.eye(12)[0], config=FEW, folder=tmp_path)


@pytest.mark.parametrize("weights", [np.full(12, 1.0), np.linspace(-1, 1 + 1 / 6, 12)])
def test_weights_that_are_none_are_refused(trained, weights):
    with pytest.raises(DataError, match="weights should be 12 numbers of sum 1"):
        finetune(trained, IMAGES, weights, config=FEW)


def test_images_of_another_shape_are_refused(trained):
    with pytest.raises(DataError, match="training needs images of shape"):
        finetune(trained, IMAGES[:, :, :16], EVENLY, config=FEW)
