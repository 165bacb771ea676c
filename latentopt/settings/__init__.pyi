from .campaign import CampaignConfig, RetrainConfig

__all__ = [
    "CampaignConfig",
    "RetrainConfig",
]
