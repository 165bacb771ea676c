"""Commands that compare spaces on one set of images: how both are read, and how progress shows."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latentopt.printable import printable
from latentopt.printing import print

if TYPE_CHECKING:
    from generative.data.dataset import Dataset
    from latentopt.space.latent_space import LatentSpace


def load_spaces(names: list[str]) -> dict[str, "LatentSpace"]:
    """Spaces by the names or folders they were given as."""
    from latentopt.errors import ConfigError
    from latentopt.space.named import load_space

    if len(set(names)) != len(names):
        raise ConfigError(f"each space should be named once, got {' '.join(names)}.")
    return {name: load_space(name) for name in names}


def common_shape(spaces: dict[str, "LatentSpace"]) -> tuple[int, ...]:
    """The image shape that all of these spaces have; a `ConfigError` where they differ."""
    from latentopt.errors import ConfigError

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
) -> "Dataset":
    """Images of a shape, or patches of it of images of any size; a `DataError` for another."""
    from generative.data.read import read_dataset
    from generative.data.sizes import read_patches
    from latentopt.errors import DataError

    asked = {"channels": shape[0], "spatial_dims": len(shape) - 1, **reading}
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


@contextmanager
def shown_progress(steps: int) -> Iterator[Callable[[str], None]]:
    """A bar in a terminal, a line for each step elsewhere; both on standard error."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    terminal = sys.stderr.isatty()
    columns: tuple[Any, ...] = (
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.description}", markup=False),
    )
    with Progress(*columns, console=Console(stderr=True), disable=not terminal) as bar:
        task = bar.add_task("", total=steps, completed=-1)
        begun = 0

        def show(step: str) -> None:
            nonlocal begun
            begun += 1
            if terminal:
                bar.update(task, completed=begun - 1, description=printable(step))
            else:
                print(f"{begun}/{steps} {step}", file=sys.stderr, flush=True)

        yield show
        bar.update(task, completed=steps, description="")
