from .objective import Manufacturability
from .presets import PRESETS
from .robustness import ProcessDrop, process_drop
from .rules import RULES
from .screening import RuleResult, screen
from .soft_size import soft_thin_share

__all__ = [
    "PRESETS",
    "RULES",
    "Manufacturability",
    "ProcessDrop",
    "RuleResult",
    "process_drop",
    "screen",
    "soft_thin_share",
]
