"""The command ``latentopt data inspect``: what is understood of images."""

import json as encoder
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from generative.data.inspection import Inspection, inspect_images
from generative.data.outputs import check_outputs
from latentopt.cli.data.listing import LISTED, listed, plural, write_sheet
from latentopt.cli.options.data import InspectOptions
from latentopt.cli.progress import shown
from latentopt.cli.reading import numbers_if_given, read_limits
from latentopt.errors import ConfigError
from latentopt.printing import print

__all__ = ["inspect"]

BAR = 40


def inspect(options: InspectOptions) -> None:
    """Print what is understood of images, and draw a contact sheet of them."""
    path, held_out, out = options.path, options.held_out, options.out
    if options.overwrite and out is None:
        raise ConfigError("--overwrite goes with --out, which names the file to write.")
    if out is not None:
        images = [path] if held_out is None else [path, held_out]
        check_outputs([out], images=images, overwrite=options.overwrite)
    found = inspect_images(
        path,
        held_out=held_out,
        watch=partial(shown, title="reading"),
        spatial_dims=options.dims,
        dataset=options.dataset,
        shape=numbers_if_given(options.shape, "--shape", int),
        dtype=options.dtype,
        axes=options.axes,
        limits=read_limits(options.limit),
    )
    if out is not None:
        write_sheet(found.pictures, out, overwrite=options.overwrite)
    print(_as_json(found) if options.json else "\n".join(_lines(path, found)))


def _as_json(found: Inspection) -> str:
    facts = {name: value for name, value in vars(found).items() if name != "pictures"}
    return encoder.dumps(facts, allow_nan=False)


def _lines(path: Path, found: Inspection) -> list[str]:
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
        images: Any = group["images"]
        groups.append(f"{' = '.join(images[:LISTED])} ({kind}{where})")
    lines += listed("duplicates", groups)
    lines += listed("near-empty", found.near_empty)
    lines += listed("left out", found.left_out)
    return lines + listed("problems", found.problems)


def _counts(counts: Mapping[Any, int]) -> str:
    if len(counts) == 1:
        return str(next(iter(counts)))
    shown = [f"{name} ({count})" for name, count in list(counts.items())[:LISTED]]
    more = [f"{len(counts) - LISTED} more"] if len(counts) > LISTED else []
    return ", ".join(shown + more)
