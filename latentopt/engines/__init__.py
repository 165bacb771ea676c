"""Where evaluations run: each entry of `ENGINES` opens a `concurrent.futures.Executor`."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from latentopt.engines.registry import ENGINES

__all__ = ["ENGINES"]


def __getattr__(name: str) -> object:
    # Loaded on first use: importing the package costs no torch.
    if name == "ENGINES":
        return import_module("latentopt.engines.registry").ENGINES
    raise AttributeError(f"module 'latentopt.engines' has no attribute {name!r}")
