"""Options of the commands that train latent spaces and look into them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from latentopt.cli.options.shared import (
    MOST_SEED,
    AxesOption,
    GreyOption,
    ImagesArgument,
    LimitOption,
    OverwriteOption,
    SeedOption,
    SpaceArgument,
)

__all__ = [
    "AnalyseOptions",
    "DecodeOptions",
    "EncodeOptions",
    "EvaluateOptions",
    "ExportModelOptions",
    "InterpolateOptions",
    "SampleOptions",
    "TrainOptions",
    "TraverseOptions",
]

PAIRS = 8  # of images, unless said otherwise


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """Train a 64-number latent space on your images."""

    source: Annotated[
        Path | None,
        typer.Argument(help="Folder of PNG or TIFF files, or one NPY, NPZ or HDF5 file."),
    ] = None
    out: Annotated[Path, typer.Option(help="Folder for the space; a killed run goes on in it.")] = (
        Path("space")
    )
    config: Annotated[Path | None, typer.Option(help="YAML file with all settings.")] = None
    model: Annotated[
        str | None,
        typer.Option(
            help="Kind of model, such as vae, pca or ldm; docs/models.md has all of them."
        ),
    ] = None
    patch: Annotated[int | None, typer.Option(help="Cut patches of this side.")] = None
    grey: Annotated[str | None, typer.Option(help="auto, otsu, labels or keep.")] = None
    axes: AxesOption = None
    limit: LimitOption = None
    steps: Annotated[int | None, typer.Option(help="Training steps.")] = None
    seed: Annotated[int | None, typer.Option(help="Fixes every random choice.")] = None
    overwrite: OverwriteOption = False


@dataclass(frozen=True, kw_only=True)
class EncodeOptions:
    """Images to latent points."""

    space: SpaceArgument
    images: ImagesArgument
    out: Annotated[Path, typer.Option(help="NPY or CSV file for the latent points.")] = Path(
        "z.npy"
    )
    grey: GreyOption = "auto"
    axes: AxesOption = None
    limit: LimitOption = None
    overwrite: OverwriteOption = False


@dataclass(frozen=True, kw_only=True)
class AnalyseOptions:
    """What each image shows, and how it is turned and shifted: content and pose, a row each.

    For spaces of a model that keeps the pose apart, such as rvae.
    """

    space: SpaceArgument
    images: ImagesArgument
    out: Annotated[
        Path, typer.Option(help="CSV or HDF5 (.h5) file: points, angles in radians, shifts.")
    ] = Path("analysis.csv")
    grey: GreyOption = "auto"
    axes: AxesOption = None
    limit: LimitOption = None
    overwrite: OverwriteOption = False


@dataclass(frozen=True, kw_only=True)
class DecodeOptions:
    """Latent points to images."""

    space: SpaceArgument
    points: Annotated[Path, typer.Argument(help="NPY or CSV file of latent points.")]
    out: Annotated[Path, typer.Option(help="NPY file for the images.")] = Path("images.npy")
    phases: Annotated[bool, typer.Option(help="Write phases instead of soft images.")] = False
    overwrite: OverwriteOption = False


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions:
    """Compare latent spaces on held-out images: reconstructions, samples, copies."""

    spaces: Annotated[
        list[str],
        typer.Argument(help='Folders of latent spaces, or "default" or "ldm".'),
    ]
    data: Annotated[Path, typer.Option(help="Held-out images: a folder or a file.")]
    training: Annotated[
        Path | None, typer.Option(help="Images of the training, to look for copies of them.")
    ] = None
    out: Annotated[Path, typer.Option(help="Folder for page, pictures and tables.")] = Path(
        "fidelity"
    )
    samples: Annotated[int, typer.Option(min=2, help="Structures drawn from each space.")] = 1000
    classes: Annotated[bool, typer.Option(help="Give figures for each class too.")] = True
    patch: Annotated[bool, typer.Option(help="Cut images into patches of the spaces' size.")] = (
        False
    )
    grey: GreyOption = "auto"
    axes: AxesOption = None
    limit: LimitOption = None
    seed: SeedOption = 0
    inception: Annotated[
        str | None,
        typer.Option(help="module:function of yours, colour images to Inception features: FID."),
    ] = None
    overwrite: OverwriteOption = False


@dataclass(frozen=True, kw_only=True)
class InterpolateOptions:
    """Go from structure to structure, and tell how far what lies between leaves the data.

    A model with a diffusion prior is shown in both its coordinates, noise and code.
    """

    spaces: Annotated[
        list[str],
        typer.Argument(help='Folders of latent spaces, or "default" or "ldm".'),
    ]
    data: Annotated[
        Path, typer.Option(help="Images to compare with and to draw pairs from: folder or file.")
    ]
    pairs: Annotated[
        int | None, typer.Option(help=f"Pairs drawn from the data; {PAIRS} if absent.")
    ] = None
    between: Annotated[
        tuple[Path, Path] | None, typer.Option(help="Two files of one image each, instead.")
    ] = None
    n: Annotated[int, typer.Option(help="Equidistant positions, both ends included.")] = 8
    out: Annotated[Path, typer.Option(help="Folder for pictures and tables.")] = Path(
        "interpolation"
    )
    patch: Annotated[bool, typer.Option(help="Cut the data into patches of the spaces' size.")] = (
        False
    )
    grey: GreyOption = "auto"
    axes: AxesOption = None
    limit: LimitOption = None
    seed: Annotated[int, typer.Option(min=0, max=MOST_SEED, help="Fixes the pairs.")] = 0
    overwrite: OverwriteOption = False


@dataclass(frozen=True, kw_only=True)
class SampleOptions:
    """Draw new structures; their points can start a campaign (start: samples/z.csv)."""

    space: Annotated[str, typer.Argument(help='Folder of a latent space, or "default", or "ldm".')]
    n: Annotated[int, typer.Option("--n", min=1, help="How many structures.")] = 16
    of_class: Annotated[
        str | None, typer.Option("--class", help="Class that they should be of.")
    ] = None
    properties: Annotated[
        list[str] | None,
        typer.Option("--property", help="NAME=VALUE that they should have; may be repeated."),
    ] = None
    guidance: Annotated[
        float, typer.Option(min=0, help="Above 1 holds to the wish more closely, and varies less.")
    ] = 1.0
    truncation: Annotated[
        float,
        typer.Option(help="Below 1 moves points to their mean: fewer are unlikely, and vary less."),
    ] = 1.0
    seed: Annotated[int, typer.Option(min=0, max=MOST_SEED, help="Fixes the structures.")] = 0
    out: Annotated[Path, typer.Option(help="Folder for points, images and a picture.")] = Path(
        "samples"
    )
    overwrite: OverwriteOption = False


@dataclass(frozen=True, kw_only=True)
class TraverseOptions:
    """Show what the control variables of an infogan mean: a picture and a table."""

    space: SpaceArgument
    n: Annotated[int, typer.Option("--n", min=2, help="Structures in a row.")] = 9
    seed: Annotated[int, typer.Option(min=0, max=MOST_SEED, help="Fixes the structure.")] = 0
    out: Annotated[Path, typer.Option(help="PNG file for the picture.")] = Path("controls.png")
    overwrite: OverwriteOption = False


@dataclass(frozen=True, kw_only=True)
class ExportModelOptions:
    """Write decoder and encoder of a space for programs that have no torch, and check them."""

    space: SpaceArgument
    out: Annotated[Path, typer.Option(help="Folder for the files.")] = Path("model")
    format: Annotated[
        # A backslash, or the help would leave the bracket out as markup.
        str, typer.Option(help=r"onnx, which needs pip install 'latentopt\[onnx]'.")
    ] = "onnx"
    overwrite: OverwriteOption = False
