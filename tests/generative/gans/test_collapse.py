"""Draws that are all alike: noticed, said with what mends it, and written on the card."""

import logging

import pytest
import torch

from generative.data.synthetic import gaussian_random_field
from generative.gans import DCGAN, GAN
from generative.gans.collapse import collapse_warning, variety
from generative.stages.config import StageConfig, TrainConfig
from generative.training.descent import descend
from generative.training.model_card import CARD, CardContent
from generative.training.train import train

SMALL = {"widths": (4, 8), "encoder": {"widths": (4, 8)}, "latent_dim": 16}
FIELDS = gaussian_random_field(90, (32, 32), seed=0)
TRAINING, VALIDATION = FIELDS[:50], FIELDS[50:]
TINY = TrainConfig(
    steps=2,
    batch_size=4,
    progress=False,
    precision="float32",
    stages={"sets": StageConfig(steps=1), "encoder": StageConfig(steps=1)},
)


class Real(torch.nn.Module):
    """In the place of a generator: real structures, so many different ones."""

    def __init__(self, kinds):
        super().__init__()
        images = torch.from_numpy(gaussian_random_field(40, (32, 32), seed=5))
        self.images, self.scale = images[:kinds], torch.nn.Parameter(torch.ones(()))

    def forward(self, code):
        rows = torch.arange(len(code)) % len(self.images)
        return self.scale * (self.images[rows] - 0.5)


def stage_of(kinds, **options):
    model = GAN((1, 32, 32), **SMALL | options)
    model.parts.generator = Real(kinds)
    return model.stages()[0]


def test_variety_of_other_structures_is_that_of_the_images():
    other, images = (torch.from_numpy(gaussian_random_field(60, (32, 32), seed=s)) for s in (1, 2))
    found = variety(other, images)
    assert found.recall > 0.8
    assert 0.6 < found.spread < 1.6
    assert not found.collapsed
    one = variety(other[:1].expand(60, -1, -1, -1), images)
    assert one.spread == pytest.approx(0, abs=1e-6)
    assert one.collapsed


def test_variety_of_a_few_is_not_told():
    few = torch.from_numpy(TRAINING[:8])
    assert variety(few, few) is None
    assert variety(torch.zeros(20, 1, 8, 8), torch.zeros(20, 1, 8, 8)) is None


@pytest.mark.parametrize(("kinds", "lines"), [(40, 0), (1, 1), (2, 1)])
def test_the_end_of_a_stage_says_so_if_draws_are_alike_and_only_then(kinds, lines, caplog):
    validation = torch.from_numpy(VALIDATION)
    with caplog.at_level(logging.WARNING):
        state = descend(stage_of(kinds), TRAINING, TINY, None, validation=validation)
    assert len(state.warnings) == lines
    assert [record.getMessage() for record in caplog.records] == list(state.warnings)


def test_without_validation_images_nothing_is_said():
    assert descend(stage_of(1), TRAINING, TINY, None).warnings == ()


def test_what_is_named_is_what_is_not_set_yet():
    images = torch.from_numpy(TRAINING)
    found = variety(images[:1].expand(20, -1, -1, -1), images)
    plain = DCGAN((1, 32, 32), width=4).config
    line = collapse_warning("adversarial", found, 9.0, plain)
    for part in (
        "9 above them, so it has won",
        "options.penalty.weight (now 0;",
        "training.learning_rate",
        "options.game: relativistic",
    ):
        assert part in line
    assert "set options.sets: {}" in line
    whole = collapse_warning("sets", found, 0.1, GAN((1, 32, 32)).config)
    for part in ("penalty.weight", "game:", "options.sets"):
        assert part not in whole
    assert "more steps" in whole
    weak = GAN((1, 32, 32), penalty={"weight": 2.4e-5}).config
    assert "raise options.penalty.weight (now 2.4e-05;" in collapse_warning(
        "sets", found, 0.1, weak
    )


def test_a_bar_shows_recall_and_spread_at_the_moments(capsys):
    shown = TINY.model_copy(update={"progress": True})
    descend(stage_of(40), TRAINING, shown, None, validation=torch.from_numpy(VALIDATION))
    assert "recall 1" in (err := capsys.readouterr().err) or "recall 0." in err
    assert "spread" in err


def test_the_card_has_the_warning_of_the_last_stage_that_changed_the_draws(tmp_path):
    """Of a training so short that all draws are one grey; the stage of sets judges last."""
    model = GAN((1, 32, 32), **SMALL)
    card = CardContent(VALIDATION[:8])
    train(model, TRAINING, validation=VALIDATION, config=TINY, folder=tmp_path, card=card)
    text = (tmp_path / CARD).read_text()
    assert "- **Warning**: Stage sets ends with draws that are nearly all alike" in text
    assert "tage adversarial ends" not in text
    assert "the best on 40 validation images" in text
