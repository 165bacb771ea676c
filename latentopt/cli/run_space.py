"""The space of a campaign that has run, for pages that show its data."""

import sys

from latentopt.errors import CampaignError, ModelFileError
from latentopt.printing import print
from latentopt.runs.run import Run
from latentopt.space.latent_space import LatentSpace
from latentopt.space.named import load_space

__all__ = ["place_of_space", "space_of"]


def place_of_space(run: Run) -> str:
    """Folder or name of the space that a campaign searches now."""
    return str(run.retrained[-1][1]) if run.retrained else run.config.space


def space_of(run: Run) -> LatentSpace | None:
    """The space of a run, whose data the page draws; None if it cannot be had any more."""
    wanted = run.retrained[-1][0] if run.retrained else run.space_id
    try:
        space, problem = load_space(place_of_space(run)), "is another one now"
        if space.id == wanted:
            return space
    except (CampaignError, ModelFileError, OSError) as error:
        problem = f"cannot be loaded ({error})"
    print(
        f"latentopt: space {run.space_id} {problem}; the page leaves its data out.",
        file=sys.stderr,
    )
    return None
