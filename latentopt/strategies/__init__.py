"""How a campaign chooses its next points: `propose(history, q)` of one entry of `STRATEGIES`."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from latentopt.strategies.registry import STRATEGIES

__all__ = ["STRATEGIES"]


def __getattr__(name: str) -> object:
    # Loaded on first use: importing the package costs no torch.
    if name == "STRATEGIES":
        return import_module("latentopt.strategies.registry").STRATEGIES
    raise AttributeError(f"module 'latentopt.strategies' has no attribute {name!r}")
