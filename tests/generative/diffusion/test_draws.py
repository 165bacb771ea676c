"""The stage that looks at what the prior draws: what it changes and mends."""

import pytest
import torch

from generative import LatentDiffusion
from generative.data.synthetic import gaussian_random_field
from generative.diffusion.draws import DrawsConfig, DrawsStage
from generative.losses.set_distance import SetStatistics, set_distance, texture
from generative.stages.config import StageConfig
from generative.stages.players import Batch
from generative.training.train import TrainConfig, train

IMAGES = gaussian_random_field(12, (32, 32), seed=0)
TINY = TrainConfig(steps=6, batch_size=4, progress=False, precision="float32")
OPTIONS = {
    "autoencoder": {"widths": (4, 8)},
    "prior": {"width": 8, "hidden": 8, "blocks": 1},
    "detail": None,
}
DRAWS = {"detail": {"adversarial_weight": 0.5, "width": 4, "layers": 1}}


def network(shape=(1, 32, 32), **changes):
    return LatentDiffusion(shape, **(OPTIONS | changes))


@pytest.mark.parametrize("shape", [(1, 32, 32), (1, 16, 16, 16)])
def test_only_decoder_and_discriminator_are_moved(shape):
    stage = DrawsStage(network(shape), DrawsConfig(**DRAWS))
    images = gaussian_random_field(8, shape[1:], seed=0)
    stage.prepare(images, TINY)
    before = {name: value.clone() for name, value in stage.train().state_dict().items()}
    noise = torch.randn(8, 64, generator=torch.Generator().manual_seed(0))
    batch = Batch(torch.from_numpy(images), lambda size: noise[:, :size])
    moved = {}
    for player in stage.players(TINY):
        stage.zero_grad()
        stage.loss(batch, player.name).total.backward()
        own = set(map(id, player.parameters))
        moved[player.name] = {n for n, p in stage.named_parameters() if id(p) in own}
        assert all(value.grad is not None for value in player.parameters)
        assert all(p.grad is None for n, p in stage.named_parameters() if ".encoder." in n)
    assert {name.split(".")[1] for name in moved["decoder"]} == {"decoder"}
    assert {name.split(".")[0] for name in moved["discriminator"]} == {"discriminator"}
    for name, value in stage.state_dict().items():
        if name.startswith(("autoencoder.encoder", "prior")):
            assert torch.equal(value, before[name]), name  # the means and variances of norms too


def test_it_changes_what_is_decoded_and_neither_codes_nor_prior():
    plain, mended = (train(network(draws=d), IMAGES, config=TINY) for d in (None, DRAWS))
    a, b = plain.state_dict(), mended.state_dict()
    same = {name for name in a if torch.equal(a[name], b[name])}
    assert same >= {name for name in a if not name.startswith("autoencoder.decoder")}
    assert same != set(a)
    x = torch.from_numpy(IMAGES)
    assert torch.equal(plain.encode(x), mended.encode(x))


def test_the_error_on_unseen_images_sees_draws_that_are_all_alike():
    stage = DrawsStage(network(), DrawsConfig(**DRAWS))
    images = gaussian_random_field(60, (32, 32), seed=3)
    stage.prepare(images, TINY)
    stage.eval()
    stage.prior.mean_.fill_(0.3)
    with torch.no_grad():  # a decoder whose fractions follow its code
        for value in stage.autoencoder.decoder.parameters():
            value.abs_()
    varied = stage.error(torch.from_numpy(images))
    assert stage.error(torch.from_numpy(images)) == varied
    stage.prior.spread_.fill_(0.0)
    assert stage.error(torch.from_numpy(images)) > varied + 0.01


@pytest.mark.slow
def test_sets_of_drawn_structures_become_as_sets_of_images_are():
    images = gaussian_random_field(150, (32, 32), seed=1)
    held_out = torch.from_numpy(gaussian_random_field(150, (32, 32), seed=2))
    own = {"draws": StageConfig(steps=30, learning_rate=4e-3)}
    config = TINY.model_copy(
        update={"steps": 60, "batch_size": 16, "ema_decay": 0.9, "stages": own}
    )
    statistics = SetStatistics(texture, 6, 4, equal=True).fit(held_out)

    def far(draws):
        model = train(network(draws=draws), images, config=config)
        with torch.no_grad():
            made = model.decode(model.sample(150, seed=5)).round()
        return float(set_distance(statistics(made), statistics(held_out)))

    alone = {"adversarial_weight": 0.0, "variogram_weight": 0.0, "fraction_weight": 0.0}
    assert far({"detail": alone}) < 0.5 * far(None)
