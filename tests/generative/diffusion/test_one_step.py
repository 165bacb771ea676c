"""A student of the flow: what it learns, what stays as it is, and how it is asked for."""

import numpy as np
import pytest
import torch

from generative import LatentDiffusion
from generative.conditions import Conditions
from generative.data.synthetic import gaussian_random_field
from generative.diffusion.one_step_stage import OneStepStage
from generative.model_files import load_model
from generative.stages.config import StageConfig
from generative.training import descent
from generative.training.model_card import CARD, CardContent
from generative.training.train import TrainConfig, finetune, train

IMAGES = gaussian_random_field(12, (32, 32), seed=0)
NAMES = Conditions(classes=("a", "b"))
ROWS = NAMES.rows(np.arange(12) % 2, {})
STEPS = {"one_step": StageConfig(steps=40, batch_size=32), "one_step_decoder": StageConfig(steps=2)}
TINY = TrainConfig(steps=4, batch_size=4, progress=False, precision="float32", stages=STEPS)
OPTIONS = {
    "autoencoder": {"widths": (4, 8)},
    "prior": {"width": 16, "hidden": 16, "blocks": 1},
    "detail": None,
    "solver_steps": 3,
    "conditions": NAMES.model_dump(),
}
NOISE = torch.randn(100, 64, generator=torch.Generator().manual_seed(9))


def network(**changes):
    return LatentDiffusion((1, 32, 32), **(OPTIONS | changes))


@pytest.fixture(scope="module")
def teacher():
    """A model with a flow that bends and listens to conditions, though it says nothing true."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = network()
        with torch.no_grad():
            for value in model.prior.denoiser.parameters():
                value.add_(0.15 * torch.randn(value.shape))
            model.prior.spread_.fill_(2.0)
            model.prior.mean_.fill_(0.5)
    return model


def taught(teacher, folder, config=TINY, card=None):
    return train(
        network(one_step={"decoder": True}),
        IMAGES,
        validation=IMAGES,
        conditions=ROWS,
        begin=teacher,
        config=config,
        folder=folder,
        card=card,
    )


@pytest.fixture(scope="module")
def finished(teacher, tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished")
    return taught(teacher, folder, card=CardContent(IMAGES)), folder


@pytest.fixture(scope="module")
def model(finished):
    return finished[0]


def off(model, teacher, condition=None):
    """Distance of codes of a model from those of the teacher's flow, over their spread."""
    rows = None if condition is None else condition.expand(len(NOISE), -1)
    with torch.no_grad():
        there = teacher.prior.to_code(NOISE, rows, steps=3)
        ours = model.prior.scaled(model.student(NOISE, rows))
    return float((ours - there).square().mean().sqrt() / teacher.prior.spread_)


def test_without_a_velocity_one_step_is_the_flow():
    model = network(one_step=True)
    torch.testing.assert_close(model.to_code(NOISE), NOISE)
    torch.testing.assert_close(model.by_flow().to_code(NOISE), NOISE)


def test_it_learns_where_the_flow_ends_under_every_condition(model, teacher):
    untaught = network(one_step=True)
    untaught.load_state_dict(untaught.state_dict() | teacher.state_dict())
    untaught.student.begin(teacher.prior.denoiser)
    for condition in (None, NAMES.ask("a"), NAMES.ask("b")):
        assert off(model, teacher, condition) < 0.5 * off(untaught, teacher, condition)
    a, b = (model.at(NAMES.ask(name)) for name in "ab")
    assert not torch.allclose(a.decode(NOISE[:4]), b.decode(NOISE[:4]))


def test_only_decoding_changes_and_the_flow_stays_at_hand(model, teacher):
    x, flow = torch.from_numpy(IMAGES), model.by_flow()
    assert torch.equal(model.encode(x), teacher.encode(x))
    assert torch.equal(model.sample(3, class_name="a"), teacher.sample(3, class_name="a"))
    assert torch.equal(model.refine(x), teacher.refine(x))
    assert torch.equal(flow.decode(NOISE), teacher.decode(NOISE))
    assert not torch.equal(model.decode(NOISE), teacher.decode(NOISE))
    assert flow.options() == teacher.options()
    assert flow.prior is model.prior


def test_in_the_code_there_is_no_student_and_back_in_noise_there_is(model):
    code = model.in_coordinates("code")
    assert torch.equal(code.decode(NOISE), model.light(NOISE).sigmoid())
    assert torch.equal(code.in_coordinates("noise").decode(NOISE), model.decode(NOISE))


def test_its_own_decoder_stands_behind_the_student(model):
    expected = model.light(model.to_code(NOISE)).sigmoid()
    assert torch.equal(model.decode(NOISE), expected)
    weights = [
        sum(p.numel() for p in part.parameters()) for part in (model.light, model.autoencoder)
    ]
    assert weights[0] < weights[1] / 2


def test_a_run_killed_in_the_middle_arrives_at_the_same_weights(
    model, teacher, tmp_path, monkeypatch
):
    class Killed(Exception):
        pass

    step, moments = descent._step, {("one_step", 31), ("one_step_decoder", 1)}

    def killed(stage, sides, batches, config, number):
        if (stage.name, number) in moments:
            moments.remove((stage.name, number))
            raise Killed
        return step(stage, sides, batches, config, number)

    monkeypatch.setattr(descent, "_step", killed)
    every_step = TINY.model_copy(update={"checkpoint_seconds": 1e-9})
    for _ in range(2):
        with pytest.raises(Killed):
            taught(teacher, tmp_path, every_step)
    again = taught(teacher, tmp_path, every_step).state_dict()
    assert all(torch.equal(again[name], value) for name, value in model.state_dict().items())


def test_the_card_says_how_far_it_is_from_the_flow(finished):
    model, folder = finished
    card = (folder / CARD).read_text()
    assert "**One step**: codes of 512 new noise points are 0." in card
    assert "**One step with its decoder**: of 512 new noise points" in card
    assert "best on noise that was not trained on" in card
    assert torch.equal(load_model(folder).decode(NOISE[:2]), model.decode(NOISE[:2]))


def test_weights_of_images_do_not_choose_noise(model):
    stage = OneStepStage(model, model.student, model.config.one_step)
    stage.tell(ROWS)
    rows, source = stage.prepare(IMAGES, TINY)
    draws = [
        descent._Batches(stage, rows, source, TINY, conditions=ROWS, weights=weights)(
            0, torch.device("cpu")
        ).rows
        for weights in (None, np.eye(12)[0])
    ]
    assert torch.equal(*draws)


def test_trained_on_it_follows_its_changed_flow(model):
    weights = np.full(len(IMAGES), 1 / len(IMAGES))
    tuned = finetune(model, IMAGES, weights, config=TINY)
    assert not torch.equal(tuned.prior.spread_, model.prior.spread_)
    assert off(tuned, tuned) < 0.5 * off(model, tuned)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "set the option one_step"),
        ({"one_step": True, "solver_steps": 4}, "other settings of solver_steps"),
        ({"one_step": True, "conditions": {}}, "other settings of conditions"),
    ],
)
def test_a_trained_model_is_begun_from_for_its_student_alone(changes, message, teacher):
    with pytest.raises(ValueError, match=message):
        network(**changes).begin(teacher)


def test_true_is_short_for_the_default_settings_and_false_leaves_it_out():
    assert network(one_step=True).options() == network(one_step={}).options()
    assert (
        network(one_step=False).options() == network(one_step=None).options() == network().options()
    )
    for wrong in (1, "yes"):
        with pytest.raises(ValueError, match="one_step"):
            network(one_step=wrong)
    assert [stage.name for stage in network(one_step=True).stages()][-1] == "one_step"
