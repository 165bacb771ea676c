"""A saved surrogate as an objective."""

import hashlib
import json
import shutil

import pytest
import torch
from pydantic import ValidationError

from objectives import OBJECTIVES
from objectives.errors import EvaluationError
from objectives.grid import Grid
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


def fitted_on(images, tmp_path, grid, name="k_xx", **settings):
    y = {name: images.double().flatten(1).mean(1)}
    surrogate = SURROGATES["two_point_gp"](components=2, grid=grid, **settings).fit(images, y)
    return SurrogateObjective(folder=surrogate.save(tmp_path / "fast"))


@pytest.mark.parametrize("grid", [Grid(2.0), Grid((2.0, 0.5)), Grid((2.0, 0.5), periodic=False)])
def test_the_grid_it_was_fitted_on_is_kept_and_another_refused(images, tmp_path, grid):
    objective = fitted_on(images, tmp_path, grid)
    assert objective.surrogate.grid == grid
    assert objective.surrogate.images_repeat == grid.periodic
    assert objective(images, grid)["k_xx"].shape == (24,)
    others = [Grid(), Grid((0.5, 2.0)), Grid(grid.voxel_size_um, not grid.periodic)]
    for other in others:
        with pytest.raises(
            EvaluationError, match=r"was fitted to images of voxels of .*2\.0"
        ) as no:
            objective(images, other)
        assert str(other.voxel_size_um) in str(no.value)


def test_without_a_grid_cubes_of_any_size_will_do_unless_it_predicts_lengths(images, tmp_path):
    objective = fitted_on(images, tmp_path, None)
    for fine in (Grid(), Grid(7.0), Grid((7.0, 7.0))):
        assert objective(images, fine)["k_xx"].shape == (24,)
    for other in (Grid((2.0, 1.0)), Grid(periodic=False)):
        with pytest.raises(EvaluationError, match="images of cubes that repeat"):
            objective(images, other)
    margins = fitted_on(images, tmp_path / "margins", None, name="min_solid_margin")
    assert margins(images, Grid())["min_solid_margin"].shape == (24,)
    with pytest.raises(EvaluationError, match=r"1 um \(for min_solid_margin\) that repeat, got"):
        margins(images, Grid(7.0))
    told = SurrogateObjective(folder=objective.folder, unit={"k_xx": "um"})
    with pytest.raises(EvaluationError, match=r"1 um \(for k_xx\)"):
        told(images, Grid(7.0))


def test_a_folder_from_before_there_were_grids_is_one_without(images, tmp_path):
    folder = fitted_on(images, tmp_path, None).folder
    config = json.loads((folder / "config.json").read_text())
    del config["settings"]["grid"]
    config["settings"]["periodic"] = True
    (folder / "config.json").write_text(json.dumps(config))
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["config.json"] = hashlib.sha256((folder / "config.json").read_bytes()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest))
    objective = SurrogateObjective(folder=folder)
    assert objective.surrogate.grid is None
    assert objective(images, Grid(3.0))["k_xx"].shape == (24,)


def test_images_repeat_for_the_model_as_they_do_on_the_grid(images, tmp_path):
    y = images.double().flatten(1).mean(1)
    on_grid = SURROGATES["two_point_gp"](components=2, grid=Grid(periodic=False)).fit(images, y)
    by_setting = SURROGATES["two_point_gp"](components=2, periodic=False).fit(images, y)
    assert torch.equal(on_grid.predict(images).mean, by_setting.predict(images).mean)
    with pytest.raises(ValidationError, match="leave periodic out"):
        SURROGATES["cnn"](periodic=True, grid=Grid(periodic=False))
    with pytest.raises(EvaluationError, match="2 for images of 2 axes"):
        SURROGATES["two_point_gp"](components=2, grid=Grid((1, 2, 3))).fit(images, y)


def test_images_of_another_shape_are_refused_before_any_is_seen(folder):
    objective = SurrogateObjective(folder=folder)
    assert objective.for_images((1, 6, 6)) is objective
    with pytest.raises(EvaluationError, match=r"shape \(1, 6, 6\), got \(1, 8, 8\)"):
        objective.for_images((1, 8, 8))
