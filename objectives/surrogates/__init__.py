"""Property predictions with uncertainty, for screening before the solver has the last word."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from objectives.surrogates.pymks_localization import PymksLocalization
    from objectives.surrogates.registry import SURROGATES, load_surrogate
    from objectives.surrogates.screening import Screened, screen_then_solve
    from objectives.surrogates.surrogate import Prediction, Surrogate
    from objectives.surrogates.validation import Accuracy, accuracy, cross_validate

__all__ = [
    "SURROGATES",
    "Accuracy",
    "Prediction",
    "PymksLocalization",
    "Screened",
    "Surrogate",
    "accuracy",
    "cross_validate",
    "load_surrogate",
    "screen_then_solve",
]

# Loaded on first use: importing the package costs no torch.
_HOMES = {
    "SURROGATES": "registry",
    "Accuracy": "validation",
    "Prediction": "surrogate",
    "PymksLocalization": "pymks_localization",
    "Screened": "screening",
    "Surrogate": "surrogate",
    "accuracy": "validation",
    "cross_validate": "validation",
    "load_surrogate": "registry",
    "screen_then_solve": "screening",
}


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(f"objectives.surrogates.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'objectives.surrogates' has no attribute {name!r}")
