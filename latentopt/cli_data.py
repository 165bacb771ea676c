"""The commands ``latentopt data``: look at images and prepare them, before a space is trained.

Each imports what it needs when it runs, so that ``--help`` answers at once.
"""

import json as encoder
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from latentopt.cli_data_make import MakeCommand, make
from latentopt.cli_output import OverwriteOption, check_has_effect
from latentopt.cli_reading import AxesOption, LimitOption, read_limits
from latentopt.cli_shown import shown

if TYPE_CHECKING:
    from generative.data.inspection import Inspection
    from generative.data.segmentation import Segmentation

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Look at images, prepare them, make synthetic ones.")
app.command(cls=MakeCommand)(make)

LISTED = 10  # lines of one kind; the rest are counted
BAR = 40

DimsOption = Annotated[
    int | None, typer.Option("--dims", min=2, max=3, help="2 or 3, where the shape is no answer.")
]
DatasetOption = Annotated[
    str | None, typer.Option(help="Which array of a file that holds several, by name or path.")
]
ShapeOption = Annotated[str | None, typer.Option(help="Of RAW files: z,y,x or y,x, as 64,200,256.")]
DtypeOption = Annotated[str | None, typer.Option(help="Of RAW files: uint8, >u2, float32, ...")]


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
    from generative.own_files import check_outputs

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
        _write_sheet(found.pictures, out, overwrite=overwrite)
    print(_as_json(found) if json else "\n".join(_lines(path, found)))


def numbers(text: str | None, option: str, kind: type) -> tuple | None:
    """Numbers of an option such as ``64,200,256``; `ConfigError` if they are none."""
    from latentopt.errors import ConfigError

    if text is None:
        return None
    try:
        return tuple(kind(number) for number in text.replace("x", ",").split(","))
    except ValueError:
        example = "whole numbers such as 64,200,256" if kind is int else "lengths such as 1e-6"
        raise ConfigError(f"{option} should be {example}, got {text!r}.") from None


def _write_sheet(pictures: tuple, out: Path, columns: int = 4, *, overwrite: bool) -> None:
    from latentopt.disk import output_file
    from latentopt.figures import image_grid_png

    with output_file(out, overwrite=overwrite) as file:
        titles = [title[-34:] for title, _ in pictures]
        file.write(image_grid_png([image for _, image in pictures], titles, columns))


def _as_json(found: "Inspection") -> str:
    facts = {name: value for name, value in vars(found).items() if name != "pictures"}
    return encoder.dumps(facts, allow_nan=False)


def _lines(path: Path, found: "Inspection") -> list[str]:
    low, high = found.values[0], found.values[-1]
    values = ", ".join(f"{v:g}" for v in found.values)
    lines = [
        f"{path}: {_plural(found.images, 'image')} in {_plural(found.files, 'file')}",
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
    lines += _listed("duplicates", groups)
    lines += _listed("near-empty", found.near_empty)
    return lines + _listed("problems", found.problems)


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _counts(counts: dict) -> str:
    if len(counts) == 1:
        return str(next(iter(counts)))
    shown = [f"{name} ({count})" for name, count in list(counts.items())[:LISTED]]
    more = [f"{len(counts) - LISTED} more"] if len(counts) > LISTED else []
    return ", ".join(shown + more)


def _listed(kind: str, lines: tuple[str, ...] | list[str]) -> list[str]:
    if not lines:
        return [f"{kind}: none"]
    more = [f"  {len(lines) - LISTED} more"] if len(lines) > LISTED else []
    return [f"{kind}: {len(lines)}", *(f"  {line}" for line in lines[:LISTED]), *more]


@app.command()
def prepare(
    path: Annotated[Path, typer.Argument(help="Folder or file of images.")],
    out: Annotated[Path, typer.Option(help="HDF5 file for the set; a PNG of it lies beside.")] = (
        Path("set.h5")
    ),
    segment: Annotated[
        str | None,
        typer.Option(
            help="otsu, multi_otsu, k_means, thresholds, labels or keep; otsu if absent, where it "
            "parts two populations."
        ),
    ] = None,
    phases: Annotated[int | None, typer.Option(help="Of multi_otsu and k_means.")] = None,
    threshold: Annotated[
        list[float] | None, typer.Option(help="Grey level between two phases; may be repeated.")
    ] = None,
    denoise: Annotated[bool, typer.Option("--denoise", help="Non-local means first.")] = False,
    info_bar: Annotated[
        str, typer.Option(help="Rows to cut off the bottom, or auto to find them.")
    ] = "0",
    colour: Annotated[
        bool, typer.Option("--colour", help="Keep colours; with keep and k_means.")
    ] = False,
    patch: Annotated[int | None, typer.Option(min=1, help="Cut patches of this side.")] = None,
    stride: Annotated[
        int | None, typer.Option(min=1, help="From a patch to the next; its side if absent.")
    ] = None,
    voxel_size: Annotated[
        str | None, typer.Option(help="In metres: one length, or z,y,x or y,x.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Fixes k_means.")] = 0,
    dims: DimsOption = None,
    dataset: DatasetOption = None,
    shape: ShapeOption = None,
    dtype: DtypeOption = None,
    axes: AxesOption = None,
    limit: LimitOption = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Crop, denoise, segment and cut images into one HDF5 file, which train reads."""
    from generative.data.phases import MAX_AUTO_PHASES
    from generative.data.prepare import Preparation, prepare_images
    from generative.data.stored_set import encode_set
    from generative.own_files import check_outputs
    from latentopt.disk import output_file
    from latentopt.errors import ConfigError

    if out.suffix.lower() not in (".h5", ".hdf5"):
        raise ConfigError(f"--out should end in .h5, got {out.name}.")
    picture = out.with_suffix(".png")
    check_outputs([out, picture], images=[path], overwrite=overwrite)
    how = Preparation(
        info_bar="auto" if info_bar == "auto" else numbers(info_bar, "--info-bar", int)[0],
        denoised=denoise,
        segmentation=_segmentation(segment or "otsu", phases, threshold, seed),
        colour=colour,
        patch=patch,
        stride=stride,
        ask=segment is None,
    )
    prepared = prepare_images(
        path,
        how,
        watch=partial(shown, title="preparing"),
        voxel_size_m=numbers(voxel_size, "--voxel-size", float),
        spatial_dims=dims,
        dataset=dataset,
        shape=numbers(shape, "--shape", int),
        dtype=dtype,
        axes=axes,
        limits=read_limits(limit),
    )
    data = prepared.dataset
    encoded = encode_set(data, prepared.provenance)
    with output_file(out, overwrite=overwrite) as file:
        file.write(encoded)
    pictures = [
        (f"{name}: {when}", image)
        for name, before, after in prepared.pictures
        for when, image in (("before", before), ("after", after))
    ]
    _write_sheet(tuple(pictures), picture, columns=2, overwrite=overwrite)
    size = "x".join(map(str, data.image_shape))
    parents = _plural(len(set(data.parents)), "parent")
    print(f"{out}: {_plural(len(data), 'image')} of {size} from {parents}")
    print(f"read as: {data.reading}")
    for row, name in enumerate(data.class_names):
        print(f"class {name}: {_plural(int((data.labels == row).sum()), 'image')}")
    if data.voxel_size_m is None:
        print("voxel size: not known; say it with --voxel-size")
    else:
        print(f"voxel size: {' x '.join(f'{edge:g}' for edge in data.voxel_size_m)} m")
    if segment in ("labels", "keep"):
        return
    for name, before, _ in prepared.pictures:
        values = len(set(before.ravel().tolist()))
        if 3 <= values <= MAX_AUTO_PHASES:
            print(
                f"note: {name}: the first image has {values} values only; if they are labels of "
                "phases, take --segment labels",
                file=sys.stderr,
            )


def _segmentation(
    method: str, phases: int | None, thresholds: list[float] | None, seed: int
) -> "Segmentation | str":
    from generative.data.segmentation import Method, Segmentation
    from latentopt.errors import ConfigError

    methods = (*get_args(Method), "labels", "keep")
    if method not in methods:
        raise ConfigError(f"--segment should be one of {', '.join(methods)}, got {method!r}.")
    if method in ("labels", "keep"):
        return method
    levels = tuple(thresholds or ())
    default = len(levels) + 1 if method == "thresholds" else 2
    try:
        return Segmentation(method, phases or default, levels, seed)
    except ValueError as error:
        raise ConfigError(f"--segment: {error}") from error
