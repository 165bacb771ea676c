"""A surrogate ranks; the values of what it keeps are the solver's."""

import numpy as np
import pytest
import torch

from objectives import OBJECTIVES
from objectives.surrogates import SURROGATES, screen_then_solve


@pytest.fixture(scope="module")
def images():
    generator = torch.Generator().manual_seed(0)
    fractions = torch.linspace(0.1, 0.9, 30).reshape(-1, 1, 1, 1)
    return (torch.rand(30, 1, 6, 6, generator=generator) < fractions).float()


@pytest.fixture(scope="module")
def surrogate(images):
    fraction = images.double().mean((1, 2, 3))
    model = SURROGATES["latent_gp"](encode=lambda x: x.double().flatten(1).mean(1)[:, None])
    return model.fit(images, fraction)


def test_the_solver_sees_the_kept_images_alone_and_its_values_are_returned(images, surrogate):
    asked = []

    def solver(x):
        asked.append(x)
        return {"k": torch.full((len(x),), -7.0)}

    found = screen_then_solve(images, surrogate, solver, 4)
    (chosen,) = asked
    assert torch.equal(chosen, images[found.rows])
    assert found.values["k"].tolist() == [-7.0] * 4
    fraction = images.mean((1, 2, 3))
    assert fraction[found.rows].min() >= fraction.sort().values[-4] - 1e-6
    assert (found.scores[found.rows].diff() <= 0).all()


def test_an_objective_of_the_table_is_a_solver(images, surrogate):
    solver = OBJECTIVES["volume_fraction"]()
    found = screen_then_solve(images, surrogate, solver, 2, score=lambda p: -p.mean)
    expected = images[found.rows].double().mean((1, 2, 3))
    torch.testing.assert_close(found.values["volume_fraction"], expected)
    assert expected.max() < 0.2


def test_numpy_images_reach_the_solver_as_numpy(images, surrogate):
    found = screen_then_solve(images.numpy(), surrogate, lambda x: {"kind": x}, 3)
    assert isinstance(found.values["kind"], np.ndarray)


def test_bad_questions_are_refused(images, surrogate):
    for keep in (0, 31):
        with pytest.raises(ValueError, match="from 1 to the 30 images"):
            screen_then_solve(images, surrogate, dict, keep)
    for score in (lambda p: p.mean[1:], lambda p: p.mean * torch.nan):
        with pytest.raises(ValueError, match="one finite number"):
            screen_then_solve(images, surrogate, dict, 3, score=score)
