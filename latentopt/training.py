"""From images to a latent space on disk: read, split, train, whiten, report."""

from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from generative.checkpoint import MANIFEST, json_bytes, save_model
from generative.data.dataset import Dataset
from generative.data.patches import extract_patches, split_by_parent, split_regions
from generative.data.read import read_dataset
from generative.data.synthetic import gaussian_random_field
from generative.errors import DataError
from generative.model_card import CARD, PICTURE, write_model_card
from generative.registry import MODELS
from generative.train import TrainConfig, to_tensor, train
from generative.training_state import STATE
from generative.vae import ConvVAEConfig
from latentopt.config import explain
from latentopt.errors import ConfigError
from latentopt.space import LatentSpace
from latentopt.space_files import SETTINGS, SPACE


class FileData(BaseModel):
    """Images in a folder or an array file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["files"] = "files"
    path: str = Field(description="Folder of PNG or TIFF files, or one NPY, NPZ or HDF5 file.")
    grey: Literal["auto", "otsu", "labels", "keep"] = Field(
        "auto", description="What grey levels become: two phases by Otsu, labels, or kept."
    )
    channels: int | None = Field(None, ge=1, description="3 keeps colour; k reads k phases.")
    spatial_dims: Literal[2, 3] | None = Field(None, description="Where the shape leaves it open.")
    patch: int | None = Field(None, ge=16, description="Side of the patches cut from each image.")
    stride: int | None = Field(None, ge=1, description="From patch to patch; their side if null.")
    fractions: tuple[float, float, float] = Field(
        (0.8, 0.1, 0.1), description="Training, validation and test, split by parent image."
    )


class FieldData(BaseModel):
    """Synthetic Gaussian random fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["gaussian_random_field"]
    n: int = Field(10000, ge=2, description="Training structures.")
    held_out: int = Field(1000, ge=1, description="Structures for the model card, of seed + 1.")
    shape: tuple[int, ...] = Field((64, 64), description="Voxels a side.")
    seed: int = Field(0, ge=0, description="Fixes the structures.")
    ranges: dict[str, Any] = Field(default_factory=dict, description="Fields of FieldRanges.")


class TrainingSettings(BaseModel):
    """What `latentopt train` does, as data."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    data: Annotated[FileData | FieldData, Field(discriminator="kind")]
    model: Literal["vae", "pca"] = Field("vae", description="A model of generative.MODELS.")
    options: dict[str, Any] = Field(default_factory=dict, description="Of that model.")
    training: TrainConfig = Field(TrainConfig(), description="How a network is trained.")

    @classmethod
    def checked(cls, settings: dict[str, Any]) -> "TrainingSettings":
        """Settings from plain data; one `ConfigError` lists everything wrong with them."""
        try:
            return cls.model_validate(settings)
        except ValidationError as error:
            raise ConfigError("\n".join(explain(error, cls, "train"))) from None

    @classmethod
    def read(cls, path: Path | str) -> "TrainingSettings":
        """Settings of a YAML file."""
        try:
            settings = yaml.safe_load(Path(path).read_text())
        except OSError as error:
            raise ConfigError(f"{path}: cannot be read ({error.strerror}).") from error
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path}: is not YAML ({' '.join(str(error).split())}).") from error
        if not isinstance(settings, dict):
            raise ConfigError(f"{path}: should hold keys such as data and training.")
        return cls.checked(settings)


def train_space(settings: TrainingSettings, folder: Path | str) -> LatentSpace:
    """Train a model and save its latent space, with a model card.

    The same call after a kill goes on from the last kept state; after the end it loads the space.

    Parameters
    ----------
    settings
        Data, model and training.
    folder
        Where the space is written, and the state of the run until then.

    Raises
    ------
    ConfigError
        If the folder holds the space of another training.
    DataError
        If the images cannot be used.
    """
    folder = Path(folder)
    record = settings.model_dump(mode="json", exclude={"training": {"progress"}})
    if (folder / SPACE).exists():
        return _load_finished(folder, record)
    training, held_out = read_split(settings.data)
    model = _build(settings, training.image_shape)
    facts = {
        "Data": training.class_names if len(training.class_names) > 1 else _name(settings.data)
    }
    facts["Split"] = _describe_split(settings.data, training, held_out)
    if hasattr(model, "loss"):
        train(
            model,
            training.images,
            config=settings.training,
            folder=folder,
            held_out=held_out.images,
            facts=facts,
        )
    else:
        images = to_tensor(training.images)
        model.fit(images, seed=settings.training.seed)
        card = write_model_card(model, images, to_tensor(held_out.images), facts=facts)
        save_model(model, folder, files=card)
    space = LatentSpace.fit(model, training.images)
    card = {name: (folder / name).read_bytes() for name in (CARD, PICTURE)}
    space.documents = {**card, SETTINGS: json_bytes(record)}
    space.save(folder)
    (folder / STATE).unlink(missing_ok=True)
    return space


def read_split(data: FileData | FieldData) -> tuple[Dataset, Dataset]:
    """Training and held-out images that share no parent, or at least no voxel."""
    if isinstance(data, FieldData):
        draw = [
            gaussian_random_field(n, data.shape, seed=seed, **data.ranges)
            for n, seed in ((data.n, data.seed), (data.held_out, data.seed + 1))
        ]
        return tuple(Dataset.from_images(images, name="field") for images in draw)
    whole = read_dataset(
        data.path, grey=data.grey, channels=data.channels, spatial_dims=data.spatial_dims
    )
    parents = len(set(whole.parents.tolist()))
    # Too few parents to keep some for the test: cut each into regions instead.
    split = (
        split_by_parent(whole, fractions=data.fractions)
        if parents >= 10
        else split_regions(whole, fractions=data.fractions)
    )
    if data.patch is None and parents < 10:
        raise DataError(
            f"{data.path}: {parents} images are too few to hold some out. Set patch (--patch) to "
            "cut each into disjoint regions and patches."
        )
    if data.patch is None:
        return split.train, split.test
    return tuple(
        extract_patches(part, data.patch, stride=data.stride) for part in (split.train, split.test)
    )


def _build(settings: TrainingSettings, image_shape: tuple[int, ...]) -> Any:
    try:
        return MODELS[settings.model](image_shape, **settings.options)
    except ValidationError as error:
        raise ConfigError("\n".join(explain(error, ConvVAEConfig, "train.options"))) from None
    except TypeError as error:
        raise ConfigError(f"train.options: {error}") from error
    except ValueError as error:
        raise DataError(f"{_name(settings.data)}: {error}") from error


def _load_finished(folder: Path, record: dict[str, Any]) -> LatentSpace:
    space = LatentSpace.load(folder)
    if space.documents.get(SETTINGS) != json_bytes(record):
        raise ConfigError(
            f"{folder}: already holds the space of another training. Choose another --out, or "
            f"delete {folder / MANIFEST} to train here again."
        )
    return space


def _name(data: FileData | FieldData) -> str:
    return Path(data.path).name if isinstance(data, FileData) else data.kind


def _describe_split(data: FileData | FieldData, training: Dataset, held_out: Dataset) -> str:
    shared = set(training.parents.tolist()) & set(held_out.parents.tolist())
    how = "by region of each parent image" if shared else "by parent image"
    if isinstance(data, FieldData):
        how = f"drawn independently (seeds {data.seed} and {data.seed + 1})"
    return f"{len(training)} training and {len(held_out)} held-out images, {how}"
