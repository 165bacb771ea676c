from .campaign import Campaign, CampaignConfig, load_config
from .imports import Imported
from .repair import Repaired, repair

__all__ = [
    "Campaign",
    "CampaignConfig",
    "Imported",
    "Repaired",
    "load_config",
    "repair",
]
