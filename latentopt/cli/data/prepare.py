"""The command ``latentopt data prepare``: micrographs as they come become one set of patches."""

import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from generative.data.dataset import NOT_LABELLED, Dataset
from generative.data.find import find
from generative.data.grey.meaning import MAX_AUTO_PHASES
from generative.data.outputs import check_outputs
from generative.data.preparation import Preparation
from generative.data.prepare import prepare_images
from generative.data.prepared import Prepared
from generative.data.stored_set import encode_set
from generative.data.windows.cut import prepare_windows
from generative.data.windows.windowing import Windowing
from latentopt.cli.data.listing import listed, plural, write_sheet
from latentopt.cli.data.segmentation import segmentation_of
from latentopt.cli.data.windows import (
    about_windows,
    refuse_options_of_windows,
    table_of,
    windowing,
)
from latentopt.cli.options.data import PrepareOptions
from latentopt.cli.progress import shown
from latentopt.cli.reading import numbers, numbers_if_given, read_limits
from latentopt.errors import ConfigError
from latentopt.files import output_file
from latentopt.printing import print

__all__ = ["prepare"]

NAMED = 3  # files in one line


def prepare(options: PrepareOptions) -> None:
    """Write a set of images and a picture of it; print what was done and what was found."""
    path, out, overwrite = options.path, options.out, options.overwrite
    if out.suffix.lower() not in (".h5", ".hdf5"):
        raise ConfigError(f"--out should end in .h5, got {out.name}.")
    picture = out.with_suffix(".png")
    check_outputs([out, picture], inputs=_inputs(options), images=[path], overwrite=overwrite)
    reading: dict[str, Any] = {
        "watch": partial(shown, title="preparing"),
        "voxel_size_m": numbers_if_given(options.voxel_size, "--voxel-size", float),
        "spatial_dims": options.dims,
        "dataset": options.dataset,
        "shape": numbers_if_given(options.shape, "--shape", int),
        "dtype": options.dtype,
        "axes": options.axes,
        "limits": read_limits(options.limit),
    }
    how = _preparation(options) if options.window is None else windowing(options)
    if isinstance(how, Windowing):
        prepared = prepare_windows(path, how, **reading)
    else:
        prepared = prepare_images(path, how, **reading)
    encoded = encode_set(prepared.dataset, prepared.provenance)
    with output_file(out, overwrite=overwrite) as file:
        file.write(encoded)
    titles = ("before", "after") if options.window is None else ("points", "mean window")
    pictures = [
        (f"{name}: {title}", image)
        for name, *images in prepared.pictures
        for title, image in zip(titles, images, strict=True)
    ]
    write_sheet(pictures, picture, columns=2, overwrite=overwrite)
    lines = _about_set(out, prepared.dataset)
    if isinstance(how, Windowing):
        lines += about_windows(prepared, how)
    lines += _about_work(prepared, how)
    print("\n".join([*lines, *listed("left out", find(path).left_out)]))
    if options.window is None and options.segment not in ("auto", "labels", "keep"):
        _warn_of_labels(prepared)


def _inputs(options: PrepareOptions) -> list[Path]:
    """Files that are read beside the images."""
    table = table_of(options.around)
    return [] if table is None else [table]


def _preparation(options: PrepareOptions) -> Preparation:
    refuse_options_of_windows(options)
    segmentation = segmentation_of(options.segment, options.phases, options.threshold, options.seed)
    bar = options.info_bar
    info_bar = "auto" if bar == "auto" else numbers(bar, "--info-bar", int)[0]
    try:
        return Preparation(
            segmentation=segmentation,
            info_bar=info_bar,
            denoised=options.denoise,
            colour=options.colour,
            patch=options.patch,
            stride=options.stride,
            drop_empty=options.drop_empty,
            drop_duplicates=options.drop_duplicates,
        )
    except ValueError as error:
        raise ConfigError(f"data prepare: {error}") from error


# -- what is printed ------------------------------------------------------------------------------


def _about_set(out: Path, data: Dataset) -> list[str]:
    size = "x".join(map(str, data.image_shape))
    parents = plural(len(set(data.parents.tolist())), "parent")
    lines = [
        f"{out}: {plural(len(data), 'image')} of {size} from {parents}",
        f"read as: {data.reading}",
    ]
    for row, name in enumerate(data.class_names):
        lines.append(_about_class(f"class {name}", data.images[data.labels == row], data))
    if (data.labels == NOT_LABELLED).any():
        lines.append(_about_class("not labelled", data.images[data.labels == NOT_LABELLED], data))
    if data.voxel_size_m is None:
        return [*lines, "voxel size: not known; say it with --voxel-size"]
    return [*lines, f"voxel size: {' x '.join(f'{edge:g}' for edge in data.voxel_size_m)} m"]


def _about_class(name: str, images: Any, data: Dataset) -> str:
    shown = data.content == "phases" and len(images)
    shares = f", phase fractions {_shares(images)}" if shown else ""
    return f"{name}: {plural(len(images), 'image')}{shares}"


def _shares(images: Any) -> str:
    """Mean share of each phase, phase 0 first."""
    shares = images.mean(axis=(0, *range(2, images.ndim)), dtype=float).tolist()
    shares = shares if len(shares) > 1 else [1 - shares[0], *shares]
    return ", ".join(f"{share:.4f}" for share in shares)


def _about_work(prepared: Prepared, how: Preparation | Windowing) -> list[str]:
    found, lines = prepared.findings, []
    levels = [image["thresholds"] for image in found.images]
    if any(levels):
        ranges = (_range(column) for column in zip(*levels, strict=True))
        lines.append(f"thresholds: {', '.join(ranges)}")
    if how.info_bar:
        lines += _about_bars(found.images, how.info_bar == "auto")
    groups = [
        f"{' = '.join(names[:NAMED])}{_more(names)} ({'exact' if exact else 'mirrored or turned'})"
        for names, exact in found.duplicates
    ]
    fate = "left out but for the first"
    if not how.drop_duplicates:
        fate = "they share a parent; --drop-duplicates leaves them out"
    lines += listed("duplicates", groups, note=fate)
    kept = "left out" if how.drop_empty else "kept; --drop-empty leaves them out"
    return [*lines, *listed("near-empty", found.near_empty, note=kept)]


def _about_bars(images: Sequence[Mapping[str, Any]], sought: bool) -> list[str]:
    """Rows that were cut off, and where no bar was found."""
    lines = []
    for side, name in enumerate(("top", "bottom")):
        cut: dict[int, list[str]] = {}
        for image in images:
            if image["cropped"][side]:
                cut.setdefault(image["cropped"][side], []).append(image["name"])
        lines += [
            f"info bar: {rows} rows cut off the {name} of {_these(names, images)}"
            for rows, names in sorted(cut.items())
        ]
    without = [image["name"] for image in images if not any(image["cropped"])]
    if sought and without:
        lines.append(
            f"info bar: none found in {_these(without, images)}; where there is one, give its "
            "rows with --info-bar"
        )
    return lines


def _these(names: Sequence[str], of: Sequence[object]) -> str:
    if len(names) == len(of) > NAMED:
        return f"all {len(of)} images"
    return ", ".join(names[:NAMED]) + _more(names)


def _more(names: Sequence[str]) -> str:
    return f" and {len(names) - NAMED} more" if len(names) > NAMED else ""


def _range(values: Sequence[float]) -> str:
    low, high = min(values), max(values)
    return f"{low:.6g}" if low == high else f"{low:.6g} to {high:.6g}"


def _warn_of_labels(prepared: Prepared) -> None:
    for name, before, _ in prepared.pictures:
        values = len(set(before.ravel().tolist()))
        if 3 <= values <= MAX_AUTO_PHASES:
            print(
                f"note: {name}: the first image has {values} values only; if they are labels of "
                "phases, take --segment labels",
                file=sys.stderr,
            )
