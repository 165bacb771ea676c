from .pymks_localization import PymksLocalization
from .registry import SURROGATES, load_surrogate
from .screening import Screened, screen_then_solve
from .surrogate import Prediction, Surrogate
from .validation import Accuracy, accuracy, cross_validate

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
