from .campaign.campaign import Campaign
from .goal import Goal
from .history import History
from .microstructure import Candidate, Microstructure
from .runs.run import Run
from .runs.trial import Trial
from .space.latent_space import LatentSpace
from .version import __version__

__all__ = [
    "Campaign",
    "Candidate",
    "Goal",
    "History",
    "LatentSpace",
    "Microstructure",
    "Run",
    "Trial",
    "__version__",
]
