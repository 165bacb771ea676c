"""The space that settings name."""

from pathlib import Path

from latentopt.errors import CampaignError, ConfigError
from latentopt.settings.kinds import GIVEN_IN_PYTHON
from latentopt.space.embedded import EMBEDDED
from latentopt.space.latent_space import LatentSpace

__all__ = ["load_space"]


def load_space(name: str) -> LatentSpace:
    """The space that a config names: an embedded one, or a folder."""
    if name == GIVEN_IN_PYTHON:
        raise CampaignError("the campaign's space was given in Python: give space=... again.")
    if name in EMBEDDED and Path(name).is_dir():
        raise ConfigError(
            f"{name}: names a space that comes with latentopt, and a folder here. Give ./{name} "
            "for the folder; for the other, work in another folder."
        )
    return LatentSpace.default(name) if name in EMBEDDED else LatentSpace.load(name)
