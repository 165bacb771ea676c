"""Options of the commands that serve spaces and campaigns."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from latentopt.cli.options.shared import OverwriteOption

__all__ = ["ExploreOptions", "ServeOptions"]


@dataclass(frozen=True, kw_only=True)
class ServeOptions:
    """Serve latent spaces and campaigns over HTTP, for programs and for the page.

    It prints one address with its token, and answers until it is stopped. Nothing is changed.
    """

    spaces: Annotated[
        list[str] | None,
        typer.Argument(help='Folders of latent spaces, or "default" or "ldm".'),
    ] = field(default=None)
    runs: Annotated[
        Path | None, typer.Option(help="Folder of one campaign, or of several, to be watched.")
    ] = None
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 0
    host: Annotated[
        str, typer.Option(help="Address of another network interface; whoever reaches it may ask.")
    ] = "127.0.0.1"
    evaluate: Annotated[
        Path | None,
        typer.Option(help="YAML file whose evaluate lists the objectives of jobs, as a campaign."),
    ] = None


@dataclass(frozen=True, kw_only=True)
class ExploreOptions:
    """Look at a latent space, or at a campaign as it runs, in a browser.

    It opens a page that is served on this machine only, and answers until it is stopped.
    """

    target: Annotated[
        str,
        typer.Argument(
            metavar="SPACE|RUN",
            help='Folder of a latent space or of a campaign, or "default" or "ldm".',
        ),
    ]
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 0
    browser: Annotated[
        bool, typer.Option(help="Whether to open the page; its address is printed anyway.")
    ] = True
    static: Annotated[
        Path | None,
        typer.Option(help="Write one HTML file of a space, which decodes without a server."),
    ] = None
    overwrite: OverwriteOption = False
