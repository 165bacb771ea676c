"""A mistake is named by the path that the user typed, whatever pydantic calls the place."""

from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from latentopt.errors import ConfigError
from latentopt.settings.campaign import CampaignConfig
from latentopt.settings.explain import explain
from latentopt.training.train_space import TrainingSettings

FIELDS = {"kind": "gaussian_random_field"}


class Disc(BaseModel):
    model_config = ConfigDict(extra="forbid")
    kind: Literal["disc"]
    radius: float = 1.0


class Box(BaseModel):
    model_config = ConfigDict(extra="forbid")
    kind: Literal["box"]
    edges: tuple[float, ...] = (1.0,)


class Scene(BaseModel):
    model_config = ConfigDict(extra="forbid")
    box: Disc | None = None  # a field of the name of a tag
    shapes: list[Annotated[Disc | Box, Field(discriminator="kind")]] = []
    named: dict[str, Annotated[Disc | Box, Field(discriminator="kind")]] = {}
    size: float | list[float] = 1.0


def problems(**settings):
    with pytest.raises(ValidationError) as caught:
        Scene.model_validate(settings)
    return [str(problem) for problem in explain(caught.value, Scene, "scene")]


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        (
            {"shapes": [{"kind": "disc", "raduis": 2}]},
            "scene.shapes[0].raduis: unknown key; did you mean radius?",
        ),
        (
            {"named": {"a": {"kind": "box", "edges": [1, "b"]}}},
            "scene.named.a.edges[1]: should be a valid number, unable to parse string as a number, "
            "got 'b'.",
        ),
        (
            {"shapes": [{"kind": "disk"}]},
            "scene.shapes[0].kind: 'disk' is unknown; did you mean disc?",
        ),
        (
            {"shapes": [{"radius": 2}]},
            "scene.shapes[0].kind: required, and missing; known: box, disc.",
        ),
        (
            {"box": {"kind": "disc", "box": 1}},
            "scene.box.box: unknown key; known: kind, radius.",
        ),
        (
            {"shapes": [{"kind": "disc", "box": 1}]},
            "scene.shapes[0].box: unknown key; known: kind, radius.",
        ),
        (
            {"size": "big"},
            "scene.size: should be a valid number, unable to parse string as a number, got 'big'; "
            "or should be a valid list, got 'big'.",
        ),
    ],
)
def test_the_path_is_what_was_typed(settings, line):
    assert problems(**settings) == [line]


def test_the_nearest_key_is_one_of_the_chosen_kind():
    (line,) = problems(shapes=[{"kind": "box", "radiu": 2}])
    assert "radius" not in line


@pytest.mark.parametrize(
    ("data", "line"),
    [
        ({**FIELDS, "shap": [8, 8]}, "train.data.shap: unknown key; did you mean shape?"),
        (
            {**FIELDS, "shape": [8, "b"]},
            "train.data.shape[1]: should be a valid integer, unable to parse string as an integer, "
            "got 'b'.",
        ),
        ({"kind": "files"}, "train.data.path: required, and missing."),
        (
            {"kind": "file", "path": "x"},
            "train.data.kind: 'file' is unknown; did you mean files?",
        ),
        (
            {"path": "x"},
            "train.data.kind: required, and missing; known: files, gaussian_random_field.",
        ),
    ],
)
def test_data_of_a_training_are_named_without_their_kind(data, line):
    with pytest.raises(ConfigError) as caught:
        TrainingSettings.checked({"data": data})
    assert line in str(caught.value).splitlines()


@pytest.mark.parametrize(
    ("settings", "path"),
    [
        ({"voxel_size_um": [1.0, "b"]}, "campaign.voxel_size_um[1]"),
        ({"voxel_size_um": -1.0}, "campaign.voxel_size_um"),
        ({"evaluate": ["volume_fraction", 3]}, "campaign.evaluate[1]"),
        ({"phase_names": [1]}, "campaign.phase_names[0]"),
    ],
)
def test_settings_of_a_campaign_are_named_without_types(settings, path):
    with pytest.raises(ConfigError) as caught:
        CampaignConfig.checked({"objective": "a", "evaluate": ["volume_fraction"], **settings})
    assert f"{path}: " in str(caught.value)
    assert "tuple[" not in str(caught.value)
    assert "constrained" not in str(caught.value)
