"""Latent points that a campaign evaluates before its strategy proposes any."""

import numpy as np
from jaxtyping import Float

from latentopt.errors import ConfigError, DataError
from latentopt.settings.campaign import CampaignConfig
from latentopt.settings.kinds import ROOT
from latentopt.space.latent_space import LatentSpace
from latentopt.space.point_files import read_points


def start_points(config: CampaignConfig, space: LatentSpace) -> Float[np.ndarray, "s d"] | None:
    """Points of the config's ``start`` file inside the space's radius; None without a file.

    Raises
    ------
    ConfigError
        The file cannot be read, or its points are not of this space's width.
    """
    if config.start is None:
        return None
    try:
        return space.project(read_points(config.start))
    except (DataError, ValueError) as error:
        named = str(error) if config.start in str(error) else f"{config.start}: {error}"
        raise ConfigError(named, at=f"{ROOT}.start") from None
