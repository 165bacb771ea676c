"""Search a 64-number latent space of microstructures with Bayesian optimization."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from latentopt.campaign.campaign import Campaign
    from latentopt.microstructure import Candidate, Microstructure
    from latentopt.space.latent_space import LatentSpace

__version__ = "0.1.0"
__all__ = ["Campaign", "Candidate", "LatentSpace", "Microstructure"]

# Loaded on first use: importing the package costs no torch.
_HOME = {
    "Campaign": "latentopt.campaign.campaign",
    "Candidate": "latentopt.microstructure",
    "LatentSpace": "latentopt.space.latent_space",
    "Microstructure": "latentopt.microstructure",
}


def __getattr__(name: str) -> object:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'latentopt' has no attribute {name!r}")
