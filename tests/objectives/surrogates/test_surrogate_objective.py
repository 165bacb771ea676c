"""A saved surrogate as an objective."""

import json
import shutil

import pytest
import torch
from pydantic import ValidationError

from objectives import OBJECTIVES
from objectives.errors import EvaluationError
from objectives.surrogates import SURROGATES
from objectives.surrogates.objective import SurrogateObjective


@pytest.fixture(scope="module")
def images():
    return (torch.rand(24, 1, 6, 6, generator=torch.Generator().manual_seed(0)) > 0.5).float()


@pytest.fixture(scope="module")
def surrogate(images):
    fraction = images.double().flatten(1).mean(1)
    y = {"k_xx": 1 + fraction, "k_yy": 2 - fraction}
    return SURROGATES["two_point_gp"](components=2).fit(images, y)


@pytest.fixture
def folder(surrogate, tmp_path):
    return surrogate.save(tmp_path / "fast")


def test_its_values_are_the_predictions_by_name(surrogate, folder, images):
    values = SurrogateObjective(folder=folder, prefix="gp_")(images)
    mean, std = surrogate.predict(images)
    assert list(values) == ["gp_k_xx", "gp_k_xx_std", "gp_k_yy", "gp_k_yy_std"]
    assert torch.equal(values["gp_k_yy"], mean[:, 1])
    assert torch.equal(values["gp_k_xx_std"], std[:, 0])


def test_units_are_those_that_are_known(folder):
    objective = SurrogateObjective(folder=folder, unit={"k_xx": "W/(m K)"})
    assert objective.units == {
        "k_xx": "W/(m K)",
        "k_xx_std": "W/(m K)",
        "k_yy": "",
        "k_yy_std": "",
    }


def test_a_spec_says_which_surrogate_it_is(folder, surrogate, images):
    settings = json.loads(json.dumps(SurrogateObjective(folder=folder).model_dump(mode="json")))
    assert OBJECTIVES["surrogate"].model_validate(settings) == SurrogateObjective(folder=folder)
    shutil.rmtree(folder)
    y = images.double().flatten(1).mean(1)
    SURROGATES["two_point_gp"](components=3).fit(images, {"k_xx": y, "k_yy": y}).save(folder)
    with pytest.raises(ValidationError, match=r"holds version .* not"):
        OBJECTIVES["surrogate"].model_validate(settings)


def test_a_folder_without_surrogate_is_refused_at_once(tmp_path):
    with pytest.raises(ValidationError, match="this is no saved surrogate"):
        SurrogateObjective(folder=tmp_path)


def test_a_unit_of_no_output_is_refused(folder):
    with pytest.raises(ValidationError, match="unit names 'kxx', the surrogate predicts k_xx"):
        SurrogateObjective(folder=folder, unit={"kxx": "1"})


def test_images_of_another_size_fail_as_an_evaluation(folder):
    with pytest.raises(EvaluationError, match="fast: images should have shape"):
        SurrogateObjective(folder=folder)(torch.zeros(1, 1, 8, 8))
