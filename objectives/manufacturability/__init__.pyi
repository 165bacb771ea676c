from .design_rule_check import RuleResult, check_design_rules
from .objective import Manufacturability
from .presets import PRESETS
from .robustness import ProcessDrop, process_drop
from .rules import RULES
from .soft_size import soft_thin_share

__all__ = [
    "PRESETS",
    "RULES",
    "Manufacturability",
    "ProcessDrop",
    "RuleResult",
    "check_design_rules",
    "process_drop",
    "soft_thin_share",
]
