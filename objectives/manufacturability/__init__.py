"""Whether a structure can be made: rules with signed margins, presets, and a soft minimum size."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from objectives.manufacturability.objective import Manufacturability
    from objectives.manufacturability.presets import PRESETS
    from objectives.manufacturability.robustness import ProcessDrop, process_drop
    from objectives.manufacturability.rules import RULES
    from objectives.manufacturability.screening import RuleResult, screen
    from objectives.manufacturability.soft_size import soft_thin_share

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

_HOMES = {
    "Manufacturability": "objective",
    "PRESETS": "presets",
    "ProcessDrop": "robustness",
    "process_drop": "robustness",
    "RULES": "rules",
    "RuleResult": "screening",
    "screen": "screening",
    "soft_thin_share": "soft_size",
}


def __getattr__(name: str) -> object:
    # Loaded on first use: importing the package costs no torch.
    if name in _HOMES:
        return getattr(import_module(f"objectives.manufacturability.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'objectives.manufacturability' has no attribute {name!r}")
