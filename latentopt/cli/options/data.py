"""Options of ``latentopt data``."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from latentopt.cli.options.shared import (
    MOST_SEED,
    AxesOption,
    ImagesArgument,
    LimitOption,
    OverwriteOption,
)

__all__ = ["SHAPE", "ZOO_SHAPE", "InspectOptions", "MakeOptions", "PrepareOptions"]

ZOO_SHAPE, SHAPE = "256 256", "64 64"  # of what is made, unless said otherwise

DatasetOption = Annotated[
    str | None, typer.Option(help="Which array of a file that holds several, by name or path.")
]
DimsOption = Annotated[
    int | None, typer.Option("--dims", min=2, max=3, help="2 or 3, where the shape is no answer.")
]
DtypeOption = Annotated[str | None, typer.Option(help="Of RAW files: uint8, >u2, float32, ...")]
ShapeOption = Annotated[str | None, typer.Option(help="Of RAW files: z,y,x or y,x, as 64,200,256.")]


@dataclass(frozen=True, kw_only=True)
class InspectOptions:
    """Print what is understood of images: sizes, classes, values, phases, duplicates, problems."""

    path: ImagesArgument
    held_out: Annotated[
        Path | None, typer.Option(help="Held-out images, to look for duplicates in both.")
    ] = None
    dims: DimsOption = None
    dataset: DatasetOption = None
    shape: ShapeOption = None
    dtype: DtypeOption = None
    axes: AxesOption = None
    limit: LimitOption = None
    out: Annotated[Path | None, typer.Option(help="PNG file for a contact sheet.")] = None
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False
    overwrite: OverwriteOption = False


@dataclass(frozen=True, kw_only=True)
class MakeOptions:
    """Make synthetic structures: images, a table of their settings, and a picture of some."""

    family: Annotated[
        str, typer.Argument(help='A synthetic family, as fibres; or "zoo", ten classes at once.')
    ]
    n: Annotated[int, typer.Option("--n", min=1, help="How many; of each class of the zoo.")] = 100
    shape: Annotated[
        str | None,
        typer.Option(
            metavar="Y X | Z Y X", help=f"Voxels a side; {SHAPE}, and {ZOO_SHAPE} for the zoo."
        ),
    ] = None
    seed: Annotated[int, typer.Option(min=0, max=MOST_SEED, help="Fixes the structures.")] = 0
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="NAME=VALUE or NAME=LOW,HIGH of a setting; may be repeated."),
    ] = None
    out: Annotated[
        Path | None, typer.Option(help="HDF5 or NPZ file; for the zoo a new folder.")
    ] = None
    overwrite: OverwriteOption = False


@dataclass(frozen=True, kw_only=True)
class PrepareOptions:
    """Crop, denoise, segment and cut images into one HDF5 file, which train reads.

    With --window it cuts windows around points of large frames and movies, in grey levels.
    """

    path: ImagesArgument
    out: Annotated[Path, typer.Option(help="HDF5 file for the set; a PNG of it lies beside.")] = (
        Path("set.h5")
    )
    segment: Annotated[
        str,
        typer.Option(
            help="auto, otsu, multi_otsu, k_means, thresholds, labels or keep. auto reads labels "
            "as train does, and cuts grey levels of two populations by Otsu's threshold."
        ),
    ] = "auto"
    phases: Annotated[int | None, typer.Option(help="Of multi_otsu and k_means.")] = None
    threshold: Annotated[
        list[float] | None, typer.Option(help="Grey level between two phases; may be repeated.")
    ] = None
    denoise: Annotated[bool, typer.Option("--denoise", help="Non-local means first.")] = False
    info_bar: Annotated[
        str, typer.Option(help="Rows to cut off the bottom, or auto to find them, at the top too.")
    ] = "0"
    colour: Annotated[
        bool, typer.Option("--colour", help="Keep colours; with keep and k_means.")
    ] = False
    patch: Annotated[int | None, typer.Option(min=1, help="Cut patches of this side.")] = None
    stride: Annotated[
        int | None, typer.Option(min=1, help="From a patch to the next; its side if absent.")
    ] = None
    window: Annotated[
        int | None, typer.Option(min=1, help="Cut windows of this side around points.")
    ] = None
    around: Annotated[
        str | None,
        typer.Option(
            help="peaks, particles, walls, grid, or a CSV file with the columns file, frame, x, y, "
            "of volumes z, and perhaps class."
        ),
    ] = None
    spacing: Annotated[
        float | None,
        typer.Option(
            help="In pixels. Of grid: from a point to the next. Of peaks and walls: least distance "
            "between two. Of particles: least diameter."
        ),
    ] = None
    dark: Annotated[
        bool, typer.Option("--dark", help="Peaks or particles are darker than the rest.")
    ] = False
    every: Annotated[
        int | None, typer.Option(min=1, help="Every n-th frame of a movie; all if absent.")
    ] = None
    lag: Annotated[
        int | None,
        typer.Option(min=1, help="More channels: the same place so many frames later."),
    ] = None
    scales: Annotated[
        str | None,
        typer.Option(
            help="Pixels of the frame that a pixel of a window covers, channels for each, as 1,2; "
            "1 if absent."
        ),
    ] = None
    resampling: Annotated[str | None, typer.Option(help="cubic, if absent, or linear.")] = None
    parents: Annotated[
        str | None,
        typer.Option(help="Windows that are not split: of a frame, if absent, or of a movie."),
    ] = None
    interval: Annotated[
        float | None, typer.Option(help="Seconds from a frame to the next, for the times.")
    ] = None
    drop_empty: Annotated[
        bool, typer.Option("--drop-empty", help="Leave out patches of which 99 % is one phase.")
    ] = False
    drop_duplicates: Annotated[
        bool,
        typer.Option(
            "--drop-duplicates", help="Leave out what equals an earlier image, or is it turned."
        ),
    ] = False
    voxel_size: Annotated[
        str | None, typer.Option(help="In metres: one length, or z,y,x or y,x.")
    ] = None
    seed: Annotated[
        int | None, typer.Option(min=0, max=2**32 - 1, help="Fixes k_means; 0 if absent.")
    ] = None
    dims: DimsOption = None
    dataset: DatasetOption = None
    shape: ShapeOption = None
    dtype: DtypeOption = None
    axes: AxesOption = None
    limit: LimitOption = None
    overwrite: OverwriteOption = False
