"""Options of ``latentopt surrogate``."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from latentopt.cli.options.shared import (
    AxesOption,
    GreyOption,
    ImagesArgument,
    LimitOption,
    OverwriteOption,
)

__all__ = ["FitOptions", "MeasureOptions"]

ObjectiveOption = Annotated[
    str | None, typer.Option(help="Compute the values: an objective, or a YAML file of one.")
]
SpaceOption = Annotated[
    str | None, typer.Option(help='Latent space of a latent_gp: a folder, or "default".')
]
TableOption = Annotated[
    Path | None, typer.Option("--y", help="CSV or NPY file of values, a row an image.")
]


@dataclass(frozen=True, kw_only=True)
class FitOptions:
    """Cross-validate a surrogate, fit it to all images and save it with its figures."""

    images: ImagesArgument
    y: TableOption = None
    objective: ObjectiveOption = None
    output: Annotated[
        list[str] | None, typer.Option(help="Learn this output alone; may be repeated.")
    ] = None
    kind: Annotated[
        str | None,
        typer.Option(
            help="two_point_gp, cnn, pymks_pipeline, latent_gp; pymks_localization by --config."
        ),
    ] = None
    config: Annotated[Path | None, typer.Option(help="YAML file: kind and its settings.")] = None
    log_target: Annotated[
        bool | None, typer.Option(help="Model the logarithm of values above 0.")
    ] = None
    seed: Annotated[int | None, typer.Option(help="Fixes every random choice.")] = None
    folds: Annotated[int, typer.Option(min=2, help="Parts of the cross-validation.")] = 5
    space: SpaceOption = None
    voxel_size_um: Annotated[
        str | None,
        typer.Option(help="Edge of a voxel, or z,y,x or y,x; by default as the images' file says."),
    ] = None
    not_periodic: Annotated[
        bool, typer.Option("--not-periodic", help="The images do not repeat.")
    ] = False
    out: Annotated[Path, typer.Option(help="Folder for the surrogate.")] = Path("surrogate")
    grey: GreyOption = "auto"
    axes: AxesOption = None
    limit: LimitOption = None
    overwrite: OverwriteOption = False


@dataclass(frozen=True, kw_only=True)
class MeasureOptions:
    """Compare a surrogate's predictions with the values of images it was not fitted to."""

    surrogate: Annotated[Path, typer.Argument(help="Folder of a surrogate.")]
    images: ImagesArgument
    y: TableOption = None
    objective: ObjectiveOption = None
    space: SpaceOption = None
    grey: GreyOption = "auto"
    axes: AxesOption = None
    limit: LimitOption = None
