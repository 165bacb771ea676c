"""The commands ``latentopt data``: look at images and prepare them, before a space is trained.

Each imports what it needs when it runs, so that ``--help`` answers at once.
"""

import json as encoder
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from latentopt.cli.data_make import MakeCommand, make
from latentopt.cli.data_options import (
    LISTED,
    DatasetOption,
    DimsOption,
    DtypeOption,
    ShapeOption,
    listed,
    numbers,
    plural,
    write_sheet,
)
from latentopt.cli.data_prepare import prepare
from latentopt.cli.output import OverwriteOption, check_has_effect
from latentopt.cli.progress import shown
from latentopt.cli.reading import AxesOption, LimitOption, read_limits
from latentopt.printing import print

if TYPE_CHECKING:
    from generative.data.inspection import Inspection

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Look at images, prepare them, make synthetic ones.")
app.command(cls=MakeCommand)(make)
app.command()(prepare)

BAR = 40


@app.command()
def inspect(
    path: Annotated[Path, typer.Argument(help="Folder or file of images.")],
    held_out: Annotated[
        Path | None, typer.Option(help="Held-out images, to look for duplicates in both.")
    ] = None,
    dims: DimsOption = None,
    dataset: DatasetOption = None,
    shape: ShapeOption = None,
    dtype: DtypeOption = None,
    axes: AxesOption = None,
    limit: LimitOption = None,
    out: Annotated[Path | None, typer.Option(help="PNG file for a contact sheet.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    overwrite: OverwriteOption = False,
) -> None:
    """Print what is understood of images: sizes, classes, values, phases, duplicates, problems."""
    from generative.data.inspection import inspect_images
    from generative.data.outputs import check_outputs

    check_has_effect(overwrite, "--out", out)
    if out is not None:
        images = [path] if held_out is None else [path, held_out]
        check_outputs([out], images=images, overwrite=overwrite)
    found = inspect_images(
        path,
        held_out=held_out,
        watch=partial(shown, title="reading"),
        spatial_dims=dims,
        dataset=dataset,
        shape=numbers(shape, "--shape", int),
        dtype=dtype,
        axes=axes,
        limits=read_limits(limit),
    )
    if out is not None:
        write_sheet(found.pictures, out, overwrite=overwrite)
    print(_as_json(found) if json else "\n".join(_lines(path, found)))


def _as_json(found: "Inspection") -> str:
    facts = {name: value for name, value in vars(found).items() if name != "pictures"}
    return encoder.dumps(facts, allow_nan=False)


def _lines(path: Path, found: "Inspection") -> list[str]:
    low, high = found.values[0], found.values[-1]
    values = ", ".join(f"{v:g}" for v in found.values)
    lines = [
        f"{path}: {plural(found.images, 'image')} in {plural(found.files, 'file')}",
        f"size: {_counts(found.sizes)}",
        f"channels: {_counts(found.channels)}",
        f"type: {_counts(found.types)}",
        f"voxel size in m: {_counts(found.voxel_sizes_m)}",
        f"classes: {_counts(found.classes)}",
        f"values: {values if found.distinct else f'{low:g} to {high:g}'}",
    ]
    voxels, largest = sum(found.histogram), max(found.histogram)
    for row, count in enumerate(found.histogram):
        if found.distinct and not count:
            continue
        start = low + row * (high - low) / len(found.histogram)
        bar = "#" * round(BAR * count / largest)
        lines.append(f"  {start:10.4g} {count / voxels:7.2%} {bar}".rstrip())
    if found.reading:
        lines.append(f"read as: {found.reading}")
    for name, shares in found.phase_fractions.items():
        lines.append(f"phase fractions, {name}: {', '.join(f'{share:.4f}' for share in shares)}")
    groups = []
    for group in found.duplicates:
        kind = "exact" if group["exact"] else "mirrored or rotated"
        across = [word for word in ("classes", "split") if group[f"across_{word}"]]
        where = f", across {' and '.join(across)}" if across else ""
        groups.append(f"{' = '.join(group['images'][:LISTED])} ({kind}{where})")
    lines += listed("duplicates", groups)
    lines += listed("near-empty", found.near_empty)
    lines += listed("left out", found.left_out)
    return lines + listed("problems", found.problems)


def _counts(counts: dict) -> str:
    if len(counts) == 1:
        return str(next(iter(counts)))
    shown = [f"{name} ({count})" for name, count in list(counts.items())[:LISTED]]
    more = [f"{len(counts) - LISTED} more"] if len(counts) > LISTED else []
    return ", ".join(shown + more)
