"""The command ``latentopt repair``: a campaign's folder put in order."""

from pathlib import Path
from typing import Annotated

import typer

from latentopt.printing import print

__all__ = ["repair"]


def repair(
    run: Annotated[Path, typer.Argument(help="Folder of a campaign that no process runs.")],
    accept_shorter_past: Annotated[
        bool,
        typer.Option(
            "--accept-shorter-past",
            help="Give up lines of the journal that are missing or damaged, and what follows them.",
        ),
    ] = False,
    space: Annotated[
        str | None,
        typer.Option(help="Folder of the space it began in, if that was given in Python."),
    ] = None,
) -> None:
    """Decode structures again that are missing or wrong; accept a journal that lacks its end.

    Nothing is deleted: lines that are given up go to journal.torn, and files that are not the
    structure of their trial keep another name.
    """
    from latentopt.campaign.repair import repair as put_in_order
    from latentopt.errors import CampaignError
    from latentopt.space.named import load_space

    done = put_in_order(
        run,
        space=None if space is None else load_space(space),
        accept_shorter_past=accept_shorter_past,
    )
    if done.given_up is not None:
        print(f"{run}: accepted as it is; before: {done.given_up}")
    if done.torn_bytes:
        print(f"{run}: {done.torn_bytes} bytes of the journal's end are in journal.torn")
    if done.decoded:
        print(f"{run}: decoded again: trials {', '.join(map(str, done.decoded))}")
    if done.lost:
        raise CampaignError("\n".join(done.lost))
    print(f"{run}: the journal is whole, and every structure is that of its trial")
