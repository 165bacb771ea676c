"""Property predictions with uncertainty, for screening before the solver has the last word."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from objectives.surrogates.folder import load_surrogate
    from objectives.surrogates.registry import SURROGATES
    from objectives.surrogates.surrogate import Prediction, Surrogate

__all__ = ["SURROGATES", "Prediction", "Surrogate", "load_surrogate"]

# Loaded on first use: importing the package costs no torch.
_HOMES = {
    "SURROGATES": "registry",
    "Prediction": "surrogate",
    "Surrogate": "surrogate",
    "load_surrogate": "folder",
}


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(f"objectives.surrogates.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'objectives.surrogates' has no attribute {name!r}")
