"""A gan that can be asked for classes and properties, all of them points of one space."""

import copy

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from generative.conditions import Conditions
from generative.data.augment import Augmentation
from generative.data.synthetic import gaussian_random_field
from generative.gans import GAN
from generative.gans.adversarial_stage import from_normal
from generative.gans.asked import AskedConditions
from generative.losses.games import squared_slope
from generative.networks.layout import plan_layout
from generative.networks.projection import ProjectionCritic
from generative.networks.residual import ResidualReader
from generative.stages.config import StageConfig
from generative.stages.loss import Loss
from generative.stages.players import Batch
from generative.training.train import TrainConfig, finetune, train
from latentopt.space.latent_space import LatentSpace

IMAGES = gaussian_random_field(12, (32, 32), seed=0)
FRACTION = {"fraction": IMAGES.mean((1, 2, 3)).astype(float)}
LABELS = np.arange(12) % 2
KNOWN = Conditions.of_data(("a", "b"), FRACTION)
ROWS = KNOWN.rows(LABELS, FRACTION)
SMALL = {"widths": (4, 8), "encoder": {"widths": (4, 8)}, "latent_dim": 8}
TINY = TrainConfig(
    steps=4,
    batch_size=8,
    progress=False,
    precision="float32",
    stages={"sets": StageConfig(steps=2), "encoder": StageConfig(steps=2)},
)
WISH = {"class_name": "b", "properties": {"fraction": 0.4}}


def network(**changes):
    return GAN((1, 32, 32), **SMALL | {"conditions": KNOWN} | changes)


def batch_of(condition):
    generator = torch.Generator().manual_seed(0)
    return Batch(
        torch.from_numpy(IMAGES),
        lambda size: torch.randn(len(IMAGES), size, generator=generator),
        condition,
    )


@pytest.fixture(scope="module")
def model():
    """Trained for some steps, then told conditions as after many."""
    model = train(network(), IMAGES, conditions=ROWS, config=TINY)
    with torch.no_grad():
        for weight in model.parts.mapping.parameters():
            weight.normal_(0, 0.3, generator=torch.Generator().manual_seed(0))
    return model


# -- what a step asks for --------------------------------------------------------------------------


def test_properties_are_asked_for_near_those_of_the_images_and_some_conditions_not_at_all():
    n = 20_000
    condition = torch.tensor([[1.0, 0.0, 0.5, 1.0]]).expand(n, -1)
    generator = torch.Generator().manual_seed(0)
    batch = Batch(
        torch.zeros(n, 1), lambda size: torch.randn(n, size, generator=generator), condition
    )
    asked = AskedConditions(KNOWN).fit(1000).of(batch)
    classes, values, told = asked[:, :2], asked[:, 2], asked[:, 3]
    assert set(told.tolist()) == set(classes[:, 0].tolist()) == {0.0, 1.0}
    assert (asked == 0).all(1).double().mean() == pytest.approx(0.15 + 0.85 * 0.15**2, abs=0.01)
    assert (values[told == 0] == 0).all()
    width = (4 / (3 * 1000)) ** 0.2  # in standard deviations of the property
    assert values[told == 1].mean() == pytest.approx(0.5, abs=0.01)
    assert values[told == 1].std() == pytest.approx(width, rel=0.03)


def test_all_players_of_a_step_are_asked_for_the_same_and_without_conditions_nothing_is_drawn():
    asked, batch = AskedConditions(KNOWN).fit(12), batch_of(torch.from_numpy(ROWS))
    assert asked.of(batch) is asked.of(batch)

    def refuse(size):
        raise AssertionError

    assert AskedConditions(Conditions()).of(Batch(torch.from_numpy(IMAGES), refuse)) is None


# -- the critic ------------------------------------------------------------------------------------


def test_a_critic_that_is_asked_for_nothing_judges_the_image_alone():
    reader = ResidualReader(plan_layout((1, 32, 32), (4, 8)), 1, "zeros", code=False)
    critic, images = ProjectionCritic(reader, 4), torch.from_numpy(IMAGES)
    with torch.no_grad():
        alone = critic(images, torch.zeros(12, 4))
        assert torch.equal(alone, reader(images))
        assert torch.equal(alone, critic(images))
        asked = torch.from_numpy(ROWS)
        fits = critic(images, asked) - alone
        critic.last.weight.mul_(-3)  # the part that fits is linear in what is told
        torch.testing.assert_close(critic(images, asked) - alone, -3 * fits)
    assert fits.abs().max() > 1e-4


def test_the_slope_is_that_of_the_score_under_the_condition():
    stage = network(penalty={"every": 1}).stages()[0]
    stage.prepare(IMAGES, stage.settings(TINY))
    batch = batch_of(torch.from_numpy(ROWS))
    stage.loss(batch, "generator")
    terms = stage.loss(batch, "critic").terms
    asked, made = batch.shared["asked"], batch.shared["made"]
    told = squared_slope(lambda x: stage.critic(x, asked), 2 * made - 1)
    assert terms["slope"] == pytest.approx(told.item(), rel=1e-5)


# -- one space of all wishes -----------------------------------------------------------------------


def test_normal_numbers_are_told_by_mean_and_variance():
    unit = torch.tensor([[-1.0, 1.0], [1.0, -1.0]])
    assert from_normal(unit).item() == 0
    assert from_normal(unit + 3).item() == pytest.approx(9)
    assert from_normal(2 * unit).item() == pytest.approx((2**2 - 1) ** 2)


def test_styles_of_all_wishes_together_are_brought_to_those_of_nothing_asked_for(model):
    stage = copy.deepcopy(model).stages()[0]
    assert stage.asked.size == 4
    wishes = torch.from_numpy(np.tile(ROWS, (20, 1)))
    noise = torch.randn(len(wishes), 8, generator=torch.Generator().manual_seed(1))
    optimizer = torch.optim.Adam(stage.parts.mapping.parameters(), lr=1e-2)
    norms = []
    for _ in range(200):
        style = stage.parts.style(noise, wishes)
        norms.append(stage.parts.noise(style).norm(dim=1).mean().item())
        optimizer.zero_grad()
        stage.with_marginal(Loss(torch.zeros(()), {}), style).total.backward()
        optimizer.step()
    assert norms[0] > 1.5 * norms[-1]
    assert norms[-1] == pytest.approx(8**0.5, rel=0.1)


def test_game_and_sets_ask_for_it_and_without_conditions_nothing_does():
    for stage in network().stages()[:2]:
        stage.prepare(IMAGES, stage.settings(TINY))
        assert "marginal" in stage.loss(batch_of(torch.from_numpy(ROWS)), "generator").terms
    for stage in network(conditions=Conditions(), mapping_layers=2).stages()[:2]:
        stage.prepare(IMAGES, stage.settings(TINY))
        assert "marginal" not in stage.loss(batch_of(None), "generator").terms


# -- training --------------------------------------------------------------------------------------


def test_a_run_with_conditions_that_is_stopped_in_each_stage_goes_on_to_the_same_weights(tmp_path):
    whole = train(network(), IMAGES, conditions=ROWS, config=TINY).state_dict()
    count, stops = 0, [2, 5, 7]

    class Stopped(Augmentation):
        def __call__(self, images, rng):
            nonlocal count
            if count in stops:
                stops.remove(count)
                raise KeyboardInterrupt
            count += 1
            return super().__call__(images, rng)

    config = TINY.model_copy(update={"augmentation": Stopped(), "checkpoint_seconds": 1e-9})
    again = network()
    while stops:
        with pytest.raises(KeyboardInterrupt):
            train(again, IMAGES, conditions=ROWS, config=config, folder=tmp_path)
    train(again, IMAGES, conditions=ROWS, config=TINY, folder=tmp_path)
    assert all(torch.equal(value, whole[name]) for name, value in again.state_dict().items())


def test_it_goes_on_as_the_model_of_all_images(model):
    tuned = finetune(model, IMAGES, np.full(12, 1 / 12), config=TINY)
    assert tuned.conditions.size == 0
    assert tuned.config.coordinates == "style"
    assert tuned.coordinate_names == model.coordinate_names


# -- one space -------------------------------------------------------------------------------------


def test_conditions_bring_a_mapping_and_a_space_of_styles():
    config = network().config
    assert (config.mapping_layers, config.coordinates) == (4, "style")
    config = network(mapping_layers=2, coordinates="noise").config
    assert (config.mapping_layers, config.coordinates) == (2, "noise")
    plain = GAN((1, 32, 32), conditions={"classes": [], "properties": {}}).config
    assert (plain.mapping_layers, plain.coordinates) == (0, "noise")
    with pytest.raises(ValidationError, match="conditions need mapping_layers of 1 or more"):
        network(mapping_layers=0, coordinates="noise")


def test_what_is_asked_for_is_the_same_structure_in_either_coordinates(model):
    style, noise = model.in_coordinates("style"), model.in_coordinates("noise")
    made = style.decode(style.sample(5, seed=3, **WISH))
    torch.testing.assert_close(noise.decode(noise.sample(5, seed=3, **WISH)), made)
    draws = torch.randn(5, 8, generator=torch.Generator().manual_seed(3))
    view = model.at(model.conditions.ask(**WISH))
    torch.testing.assert_close(view.decode(draws), made)
    assert (style.sample(5, seed=3) - style.sample(5, seed=3, **WISH)).abs().max() > 0.1


def test_codes_of_a_view_are_what_its_mapping_takes_to_the_style_of_an_image(model):
    images, asked = torch.from_numpy(IMAGES), model.conditions.ask(**WISH)
    with torch.no_grad():
        style = model.in_coordinates("style").encode(images)
        noise = model.at(asked).encode(images)
        again = model.parts.style(noise, asked.expand(12, -1))
    torch.testing.assert_close(again, style, rtol=1e-3, atol=1e-3)


def test_a_space_of_it_is_white_over_structures_of_all_kinds(model):
    space = LatentSpace.fit(model, IMAGES)
    codes = model.draw_codes(4000, seed=5)
    z = space.whitening.to_z(codes)
    torch.testing.assert_close(z.T @ z / 4000, torch.eye(8).to(z), rtol=0, atol=0.15)
    free = model.unconditional()
    torch.testing.assert_close(free.draw_codes(4000, seed=5), codes)


def test_guidance_is_refused_by_the_name_of_the_model_that_has_it(model):
    with pytest.raises(ValueError, match=r"a gan has no guidance, got 2.*model: ldm"):
        model.sample(2, guidance=2.0, **WISH)
    with pytest.raises(ValueError, match=r"condition should have shape \(4,\)"):
        model.at(torch.zeros(3))


def test_an_encoder_that_is_wrong_by_a_part_of_a_style_is_wrong_by_as_much_of_the_noise():
    """Rectifiers that shrink a number again and again are divided by on the way back."""
    torch.manual_seed(0)
    mapping = GAN((1, 32, 32), conditions=KNOWN).parts.mapping
    noise = torch.randn(500, 64)
    with torch.no_grad():
        style = mapping(noise)
        again = mapping.inverse(style + 0.3 * style.std() * torch.randn(500, 64))
    assert (again - noise).square().mean().sqrt() < 0.4
