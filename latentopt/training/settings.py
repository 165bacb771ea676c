"""What `latentopt train` is asked for: data, model and training, from YAML or Python."""

import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from generative.data.check import Limits
from generative.data.synthetic.random_field import FieldRanges
from generative.registry import FORMER_NAMES, MODELS, present_names
from generative.training.train import TrainConfig
from latentopt.errors import ConfigError
from latentopt.settings.explain import explain
from latentopt.settings.yaml_files import read_yaml
from latentopt.space.embedded import EMBEDDED
from latentopt.training.conditions import ConditionSettings
from latentopt.wording import nearest
from objectives.settings import Settings

__all__ = ["FieldData", "FileData", "TrainingSettings"]

FORMER_SETTINGS = {"autoencoder_from": "begin_from", "backbone_weights": "begin_from"}


class LimitSettings(Settings):
    """Sizes above which images are refused, for files that promise more than they hold."""

    image_voxels: int = Field(
        Limits.image_voxels, ge=1, description="Largest number of voxels of one image."
    )
    total_bytes: int = Field(
        Limits.total_bytes,
        ge=1,
        description="Largest size of all images together, in bytes as float32.",
    )
    ratio: float = Field(
        Limits.ratio,
        gt=0,
        description="Largest ratio of the bytes of the images to the bytes of their file, where "
        "the images take more than 64 MiB. It guards against files that unpack to far more "
        "than their size.",
    )


class FileData(Settings):
    """Images in a folder or an array file."""

    kind: Literal["files"] = "files"
    path: str = Field(
        description="Folder or file of images, such as PNG, TIFF, NPY, NPZ or HDF5. Subfolders "
        "are classes."
    )
    grey: Literal["auto", "otsu", "labels", "keep"] = Field(
        "auto",
        description="Meaning of grey levels: otsu segments them into two phases, labels takes "
        "each value as a phase, and keep leaves them. auto takes a few whole values as labels "
        "and segments the rest; it refuses what may be either.",
    )
    channels: int | None = Field(
        None,
        ge=1,
        description="Number of channels to read: 1 for two phases or grey, 3 to keep colour, k "
        "to read labels 0 to k - 1 as k phases. null takes what the values say, and colour as "
        "grey.",
    )
    spatial_dims: Literal[2, 3] | None = Field(
        None,
        description="Number of axes of an image, where the shape of a file leaves it open. null "
        "takes what the shape says.",
    )
    axes: str | None = Field(
        None,
        description="Meaning of each axis of an array, by one letter of n, t, c, z, y, x each, "
        "such as zyx. null takes what the shape says.",
    )
    limits: LimitSettings = Field(
        LimitSettings(), description="Sizes above which images are refused."
    )
    patch: int | None = Field(
        None,
        ge=16,
        description="Side of the patches that are cut from each image, in voxels. null takes "
        "images whole.",
    )
    stride: int | None = Field(
        None,
        ge=1,
        description="Distance from one patch to the next, in voxels. null takes the side of a "
        "patch, so that patches do not overlap.",
    )
    fractions: tuple[float, float, float] = Field(
        (0.8, 0.1, 0.1),
        description="Shares of training, validation and test images; their sum is 1. What comes "
        "from one image or volume stays together; if there are fewer than 10 of these, each is "
        "divided into regions.",
    )

    @model_validator(mode="after")
    def _stride_has_an_effect(self) -> "FileData":
        if self.stride is not None and self.patch is None:
            raise ValueError("stride is from patch to patch: set patch, or leave stride out.")
        return self

    @field_validator("fractions")
    @classmethod
    def _fractions_are_shares(cls, shares: tuple[float, ...]) -> tuple[float, ...]:
        if min(shares) <= 0 or abs(sum(shares) - 1) > 1e-6:
            raise ValueError(f"should be three positive numbers with sum 1, got {shares}.")
        return shares


class FieldData(Settings):
    """Synthetic Gaussian random fields."""

    kind: Literal["gaussian_random_field"]
    n: int = Field(10000, ge=2, description="Number of training structures to generate.")
    held_out: int = Field(
        1000,
        ge=1,
        description="Number of structures that the model card is measured on. They are generated "
        "with seed + 1.",
    )
    shape: tuple[int, ...] = Field(
        (64, 64), min_length=2, max_length=3, description="Number of voxels along each axis."
    )
    seed: int = Field(
        0,
        ge=0,
        lt=2**63,
        description="Seed of the training structures. As many others as there are, or 512, are "
        "generated with seed + 2; by them the best moment of the training is chosen.",
    )
    ranges: dict[str, Any] = Field(
        default_factory=dict,
        description="Range [low, high] of each parameter of the random fields, by the names in "
        "FieldRanges.",
    )

    @field_validator("ranges")
    @classmethod
    def _ranges_are_ranges(cls, ranges: dict[str, Any]) -> dict[str, Any]:
        known = [field.name for field in fields(FieldRanges)]
        for name in ranges:
            if name not in known:
                raise ValueError(f"{name}: unknown key; {nearest(name, known)}")
        try:
            # YAML and JSON have lists; null leaves a default.
            pairs: dict[str, Any] = {
                k: None if v is None else tuple(map(float, v)) for k, v in ranges.items()
            }
            FieldRanges(**pairs)
        except (TypeError, IndexError) as error:
            raise ValueError(f"each should be two numbers (low, high), got {ranges}.") from error
        return pairs


class SpaceSettings(Settings):
    """How the trained space answers."""

    inversion_steps: int = Field(
        0,
        ge=0,
        description="Number of steps of descent by which a structure's point is improved after "
        "the encoder's estimate. Each costs a decoding with its gradient. 0 leaves the encoder "
        "alone.",
    )


class TrainingSettings(Settings):
    """What `latentopt train` does, as data."""

    data: Annotated[FileData | FieldData, Field(discriminator="kind")] = Field(
        description="Images to train on: files, or synthetic structures, by their kind."
    )
    model: str = Field(
        "vae", description="Kind of generative model, by its name in generative.MODELS."
    )
    options: dict[str, Any] = Field(
        default_factory=dict, description="Options of the chosen model, by name."
    )
    conditions: ConditionSettings | None = Field(
        None,
        description="Classes and properties that samples can be asked for, which needs an ldm "
        "or a gan. null trains without conditions.",
    )
    begin_from: str | None = Field(
        None,
        description="What the model takes its first weights from: for ldm the folder of a vae's "
        'space, or "default", whose autoencoder it keeps; for resnet_vae a safetensors file with '
        "the weights of its backbone. Without it all weights are random at first.",
    )
    training: TrainConfig = Field(
        TrainConfig(), description="Settings of the training of a network. pca uses only the seed."
    )

    space: SpaceSettings = Field(
        SpaceSettings(), description="Settings of the space that the trained model becomes."
    )

    @model_validator(mode="before")
    @classmethod
    def _former_names_are_refused(cls, settings: Any) -> Any:
        for former, name in FORMER_SETTINGS.items():
            if isinstance(settings, dict) and former in settings:
                raise ValueError(f"{former} is now called {name}.")
        return settings

    @field_validator("options")
    @classmethod
    def _conditions_stand_beside_them(cls, options: dict[str, Any]) -> dict[str, Any]:
        if "conditions" in options:
            raise ValueError("conditions stand beside options, not among them. Move them up.")
        return options

    @field_validator("model")
    @classmethod
    def _model_is_known(cls, name: str) -> str:
        if name in FORMER_NAMES:
            raise ValueError(f"{name!r} is now called {FORMER_NAMES[name]}.")
        if name not in MODELS:
            raise ValueError(f"{name!r} is unknown; {nearest(name, MODELS)}")
        return name

    @classmethod
    def recorded(cls, document: bytes) -> "TrainingSettings":
        """Settings that a finished space keeps of its training; former names are replaced.

        Raises
        ------
        ConfigError
            If they are not those of a training, as of a space that was made in Python.
        """
        found = json.loads(document)
        if isinstance(found, dict):
            kept = ("model", "options")
            present = present_names(*map(found.get, kept))
            found |= {k: v for k, v in zip(kept, present, strict=True) if k in found}
            former = [found.pop(name, None) for name in FORMER_SETTINGS]
            found.setdefault("begin_from", next(filter(None, former), None))
        return cls.checked(found)

    @classmethod
    def checked(cls, settings: dict[str, Any]) -> "TrainingSettings":
        """Settings from plain data; one `ConfigError` lists everything wrong with them."""
        try:
            return cls.model_validate(settings)
        except ValidationError as error:
            raise ConfigError(explain(error, cls, "train")) from None

    @classmethod
    def read(cls, path: Path | str, changes: Mapping[str, Any] | None = None) -> "TrainingSettings":
        """Settings of a YAML file, with changes to some of them.

        A relative path in it starts at the folder of the file. Changes replace single keys of
        ``data`` and ``training``; data of another kind replace those of the file.

        Raises
        ------
        ConfigError
            The file cannot be read, or something in it is wrong: one line a problem.
        """
        path = Path(path)
        settings = read_yaml(path, keys="data and training")
        data = settings.get("data")
        if isinstance(data, dict) and isinstance(data.get("path"), str):
            settings["data"] = data | {"path": str(path.parent / data["path"])}
        if isinstance(named := settings.get("begin_from"), str) and named not in EMBEDDED:
            settings["begin_from"] = str(path.parent / named)
        try:
            return cls.checked(_merged(settings, changes or {}))
        except ConfigError as error:
            raise ConfigError(error.problems, file=path) from None


def _merged(settings: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(settings)
    for name, change in changes.items():
        old = settings.get(name)
        if isinstance(old, dict) and isinstance(change, dict):
            kinds = [part["kind"] for part in (old, change) if "kind" in part]
            if len(kinds) < 2 or kinds[0] == kinds[1]:
                change = old | change
        merged[name] = change
    return merged
