"""Go on with the campaign of a folder: ``python -m latentopt.serve.go_on FOLDER TRIALS``."""

import sys
from pathlib import Path

from latentopt.campaign.campaign import Campaign
from latentopt.errors import CampaignError, ConfigError, DataError, ModelFileError
from latentopt.printing import print
from latentopt.runs.run import Run
from latentopt.settings.campaign import CampaignConfig

__all__ = ["go_on"]


def go_on(folder: Path, trials: int) -> None:
    """Evaluate until the campaign has so many trials.

    Raises
    ------
    CampaignError, ConfigError
        It cannot go on from its folder alone: parts of it were given in Python.
    """
    settings = Run.read(folder).config.model_dump() | {"trials": trials}
    Campaign(CampaignConfig.checked(settings), folder=folder).run(progress=False)


if __name__ == "__main__":
    try:
        go_on(Path(sys.argv[1]), int(sys.argv[2]))
    except (CampaignError, ConfigError, DataError, ModelFileError, OSError) as error:
        print(error, file=sys.stderr)
        sys.exit(1)
