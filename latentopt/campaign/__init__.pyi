from .campaign import Campaign
from .imports import Imported
from .load import CampaignConfig, load_config
from .repair import Repaired, repair

__all__ = [
    "Campaign",
    "CampaignConfig",
    "Imported",
    "Repaired",
    "load_config",
    "repair",
]
