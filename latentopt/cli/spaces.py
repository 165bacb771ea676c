"""What commands that compare spaces on one set of images share."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from generative.data.dataset import Dataset
from generative.data.read import read_dataset
from generative.data.sizes import read_patches
from latentopt.errors import ConfigError, DataError
from latentopt.printing import print
from latentopt.space.latent_space import LatentSpace
from latentopt.space.named import load_space

__all__ = ["common_shape", "load_spaces", "print_table", "read_images"]


def load_spaces(names: list[str]) -> dict[str, LatentSpace]:
    """Spaces by the names or folders they were given as."""
    if len(set(names)) != len(names):
        raise ConfigError(f"each space should be named once, got {' '.join(names)}.")
    return {name: load_space(name) for name in names}


def common_shape(spaces: dict[str, LatentSpace]) -> tuple[int, ...]:
    """The image shape that all of these spaces have; a `ConfigError` where they differ."""
    first, *others = spaces
    shape = spaces[first].image_shape
    for name in others:
        if spaces[name].image_shape != shape:
            raise ConfigError(
                f"{name}: is for images of {spaces[name].image_shape}, {first} for {shape}; "
                "evaluate them one by one."
            )
    return shape


def read_images(
    path: Path, shape: tuple[int, ...], patch: bool, reading: dict[str, Any]
) -> Dataset:
    """Images of a shape, or patches of it of images of any size; a `DataError` for another."""
    asked: dict[str, Any] = {"channels": shape[0], "spatial_dims": len(shape) - 1, **reading}
    if patch:
        return read_patches(path, shape[1:], **asked)
    data = read_dataset(path, **asked)
    if data.image_shape != shape:
        larger = all(a >= b for a, b in zip(data.image_shape[1:], shape[1:], strict=True))
        remedy = "Cut patches with --patch." if larger else "Train a space on images of this size."
        raise DataError(
            f"{path}: expected images of shape {shape} as the spaces have, got "
            f"{data.image_shape}. {remedy}"
        )
    return data


def print_table(rows: Sequence[Sequence[str]]) -> None:
    """Print rows of cells in columns, the heads first."""
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip())
