"""The commands ``latentopt data``: look at images before a space is trained on them.

Each imports what it needs when it runs, so that ``--help`` answers at once.
"""

from pathlib import Path
from typing import Annotated

import typer

from latentopt.cli_grey import GreyOption, check_grey

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Look at images, prepare them, make synthetic ones.")


@app.command()
def inspect(
    path: Annotated[Path, typer.Argument(help="Folder or file of images.")],
    grey: GreyOption = "auto",
) -> None:
    """Print what is understood of images."""
    from generative.data import read_dataset

    check_grey(grey)
    data = read_dataset(path, grey=grey)
    size = "x".join(map(str, data.image_shape[1:]))
    print(f"{path}: {len(data)} images of {size} voxels, {data.image_shape[0]} channels")
    for row, name in enumerate(data.class_names):
        print(f"class {name}: {(data.labels == row).sum()} images")


@app.callback()
def _commands() -> None:
    """Keeps ``inspect`` a command of its own while it is the only one."""
