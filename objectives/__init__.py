"""Images to scores: spatial statistics, effective properties and targets."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from objectives.registry import OBJECTIVES

__all__ = ["OBJECTIVES"]


def __getattr__(name: str) -> object:
    # Loaded on first use: importing the package costs no torch.
    if name == "OBJECTIVES":
        return import_module("objectives.registry").OBJECTIVES
    if name in ("fidelity", "homogenize", "manufacturability", "surrogates", "two_point"):
        return import_module(f"objectives.{name}")
    raise AttributeError(f"module 'objectives' has no attribute {name!r}")
