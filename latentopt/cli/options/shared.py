"""Options and arguments that several commands have."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "MOST_SEED",
    "AxesOption",
    "CampaignArgument",
    "GreyOption",
    "ImagesArgument",
    "LimitOption",
    "OverwriteOption",
    "RunArgument",
    "SeedOption",
    "SpaceArgument",
]

MOST_SEED = 2**63 - 1

CampaignArgument = Annotated[Path, typer.Argument(help="YAML file of the campaign.")]
ImagesArgument = Annotated[Path, typer.Argument(help="Folder or file of images.")]
RunArgument = Annotated[Path, typer.Argument(help="Folder of a campaign.")]
SpaceArgument = Annotated[
    str, typer.Argument(help='Folder of a latent space, or "default" or "ldm".')
]

AxesOption = Annotated[
    str | None,
    typer.Option(help="A letter of n, t, c, z, y, x for each axis of an array: zyx, nyxc, ..."),
]
GreyOption = Annotated[str, typer.Option(help="auto, otsu, labels or keep.")]
LimitOption = Annotated[
    list[str] | None,
    typer.Option(
        help="Read more than is allowed: image_voxels=2e9, total_bytes=2e10 or ratio=2000; may be "
        "repeated."
    ),
]
OverwriteOption = Annotated[
    bool,
    typer.Option(
        "--overwrite", help="Replace files that latentopt did not write; never one that it reads."
    ),
]
SeedOption = Annotated[int, typer.Option(min=0, max=MOST_SEED, help="Fixes every random choice.")]
