"""The command ``latentopt evaluate``: how faithful latent spaces are to held-out structures."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from latentopt.cli_grey import GreyOption, check_grey

if TYPE_CHECKING:
    from generative.data.dataset import Dataset
    from latentopt.space import LatentSpace
    from latentopt.space_fidelity import SpaceFidelity

__all__ = ["evaluate"]

PRINTED = ("mse", "ssim", "two_point_mae", "p_reconstructed")
PRINTED_OF_SAMPLES = ("frechet_two_point", "recall_two_point", "p_samples")


def evaluate(
    spaces: Annotated[
        list[str],
        typer.Argument(help='Folders of latent spaces, or "default".'),
    ],
    data: Annotated[Path, typer.Option(help="Held-out images: a folder or a file.")],
    training: Annotated[
        Path | None, typer.Option(help="Images of the training, to look for copies of them.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for page, pictures and tables.")] = Path(
        "fidelity"
    ),
    samples: Annotated[int, typer.Option(min=2, help="Structures drawn from each space.")] = 1000,
    classes: Annotated[bool, typer.Option(help="Give figures for each class too.")] = True,
    patch: Annotated[bool, typer.Option(help="Cut images into patches of the spaces' size.")] = (
        False
    ),
    grey: GreyOption = "auto",
    seed: Annotated[int, typer.Option(min=0, help="Fixes every random choice.")] = 0,
    inception: Annotated[
        str | None,
        typer.Option(help="module:function of yours, colour images to Inception features: FID."),
    ] = None,
) -> None:
    """Compare latent spaces on held-out images: reconstructions, samples, copies."""
    from latentopt.export.whole_file import make_folder
    from latentopt.parts import import_target
    from latentopt.space_fidelity import evaluate_spaces, feature_spaces, steps_of
    from latentopt.space_fidelity_page import write_fidelity

    features = None if inception is None else import_target(inception, "--inception")
    loaded = _load(spaces)
    shape = _common_shape(loaded)
    held_out = _read(data, shape, patch, grey)
    known = None if training is None else _read(training, shape, patch, grey)
    if not classes:
        held_out = replace(held_out, labels=held_out.labels * 0, class_names=(data.stem,))
    make_folder(out)  # refused now, not after the work
    with _progress(steps_of(len(loaded), held_out)) as show:
        found = evaluate_spaces(
            loaded,
            held_out,
            training=known,
            samples=samples,
            seed=seed,
            inception=features,
            progress=show,
        )
    facts = {
        "held-out images": f"{data}: {len(held_out)}",
        "training images": "not given" if known is None else f"{training}: {len(known)}",
        "content": held_out.content,
        "samples of each space": samples,
        "seed": seed,
        **{f"feature space {k}": text for k, text in feature_spaces(held_out).items()},
    }
    page = write_fidelity(found, out, facts)
    _print_table(found)
    print(page)


def _load(names: list[str]) -> dict[str, "LatentSpace"]:
    from latentopt.errors import ConfigError
    from latentopt.parts import load_space

    if len(set(names)) != len(names):
        raise ConfigError(f"each space should be named once, got {' '.join(names)}.")
    return {name: load_space(name) for name in names}


def _common_shape(spaces: dict[str, "LatentSpace"]) -> tuple[int, ...]:
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


def _read(path: Path, shape: tuple[int, ...], patch: bool, grey: str) -> "Dataset":
    from generative.data.patches import extract_patches
    from generative.data.read import read_dataset
    from latentopt.errors import DataError

    check_grey(grey)
    data = read_dataset(path, grey=grey, channels=shape[0], spatial_dims=len(shape) - 1)
    if patch:
        return extract_patches(data, shape[1:])
    if data.image_shape != shape:
        larger = all(a >= b for a, b in zip(data.image_shape[1:], shape[1:], strict=True))
        remedy = "Cut patches with --patch." if larger else "Train a space on images of this size."
        raise DataError(
            f"{path}: expected images of shape {shape} as the spaces have, got "
            f"{data.image_shape}. {remedy}"
        )
    return data


@contextmanager
def _progress(steps: int) -> Iterator[Callable[[str], None]]:
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
                bar.update(task, completed=begun - 1, description=step)
            else:
                print(f"{begun}/{steps} {step}", file=sys.stderr, flush=True)

        yield show
        bar.update(task, completed=steps, description="")


def _print_table(found: tuple["SpaceFidelity", ...]) -> None:
    names = (*PRINTED, *PRINTED_OF_SAMPLES)
    rows = [("space", "group", "images", *names)]
    for space in found:
        for group in space.groups:
            figures = [
                f"{group.figures[name]:.3g}" if name in group.figures else "" for name in names
            ]
            rows.append((space.name, group.name, str(group.images), *figures))
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip())
