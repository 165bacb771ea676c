"""The progress of a surrogate covers all of its fits, with the time that is left for them."""

import logging
import re

import torch

from latentopt.measured.surrogate_progress import fit_progress
from objectives.surrogates import SURROGATES, cross_validate


def test_every_line_tells_fold_share_and_time_left():
    lines = []
    images = (torch.rand(30, 1, 8, 8, generator=torch.Generator().manual_seed(0)) > 0.5).float()
    cnn = SURROGATES["cnn"](members=2, steps=120)
    with fit_progress(lines.append, folds=2) as on_fold:
        cross_validate(cnn, images, images.mean((1, 2, 3)), folds=2, on_fold=on_fold)
        cnn.fit(images, images.mean((1, 2, 3)))
    shares = [int(re.search(r"(\d+) % of all fits, \d+ s left$", line)[1]) for line in lines]
    assert shares == sorted(shares)
    assert shares[-1] == 100
    assert lines[0].startswith("fold 1/2, network 1/2, step 100/120, loss ")
    assert shares[0] == round(100 / (2 * 120 * 3) * 100)
    assert lines[-1].startswith("all images, network 2/2, step 120/120, loss ")


def test_without_networks_folds_are_shown_and_the_logger_is_left_as_it_was():
    lines, logger = [], logging.getLogger("objectives.surrogates")
    before = logger.level, list(logger.handlers)
    with fit_progress(lines.append, folds=4) as on_fold:
        on_fold(1, 4)
        on_fold(4, 4)
    assert lines == [
        "fold 2/4, 20 % of all fits, 0 s left",
        "all images, 80 % of all fits, 0 s left",
    ]
    assert (logger.level, list(logger.handlers)) == before
