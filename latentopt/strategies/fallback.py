"""Run a model with random numbers of its own; where it fails, draw from the prior."""

import importlib
import logging
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Float64
from torch import Tensor

from latentopt.errors import (
    CampaignError,
    ConfigError,
    DataError,
    EvaluationError,
    ModelFileError,
)
from latentopt.history import History
from latentopt.strategies.prior import draw

__all__ = ["fit_failures", "modelled_or_drawn", "never_compile", "undisturbed"]

_log = logging.getLogger(__name__)

# BoTorch's hypervolume: it compiles C++ when the first acquisition function is made.
_COMPILES = "botorch.acquisition.multi_objective.logei"
_OURS = (CampaignError, ConfigError, DataError, EvaluationError, ModelFileError)


def modelled_or_drawn(
    history: History, q: int, kind: str, modelled: Callable[[], Float64[Tensor, "q d"]]
) -> Float64[Tensor, "q d"]:
    """What `modelled` returns, or, if the model of strategy `kind` fails, one warning and draws.

    A fit or an ascent that breaks down, or that ends at points which are none, costs the proposal
    its quality and never ends a campaign. Errors of ours, which tell the user what to do, pass.
    """
    try:
        with undisturbed(history):
            points = modelled()
            if torch.isfinite(points).all():
                return points
            problem = "it proposed points that are not finite"
    except _OURS:
        raise
    except fit_failures() as error:
        problem = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
    _log.warning("%s could not fit (%s) and draws from the prior.", kind, problem)
    return draw(history, q)


def fit_failures() -> tuple[type[Exception], ...]:
    """What a fit, or the ascent of an acquisition function, raises on data it cannot model.

    PyTorch, GPyTorch and SciPy raise ``RuntimeError`` and ``ValueError``, some of them by names of
    their own; BoTorch and Ax have errors of their own beside these.
    """
    from botorch.exceptions import BotorchError

    kinds = (ArithmeticError, RuntimeError, ValueError, MemoryError, BotorchError)
    if "ax" in sys.modules:
        from ax.exceptions.core import AxError

        return (*kinds, AxError)
    return kinds


@contextmanager
def undisturbed(history: History) -> Iterator[None]:
    """Torch's global generator is seeded by the history and then restored; no harmless warnings.

    Nothing is compiled meanwhile, see `never_compile`.
    """
    from botorch.exceptions import BotorchWarning
    from linear_operator.utils.warnings import NumericalWarning

    with torch.random.fork_rng(devices=[]), warnings.catch_warnings(), _in_python():
        warnings.simplefilter("ignore", BotorchWarning)
        warnings.simplefilter("ignore", NumericalWarning)
        # An ascent that ends early ends somewhere good: it never falls below its start.
        warnings.filterwarnings("ignore", "Optimization failed", RuntimeWarning)
        torch.manual_seed(history.seed_of(history.next_index))
        yield


@contextmanager
def _in_python() -> Iterator[None]:
    """BoTorch's own Python computes hypervolumes, whatever was compiled before."""
    module = importlib.import_module(_COMPILES)
    names = ("_load_attempted", "_C")
    before = {name: getattr(module, name) for name in names if hasattr(module, name)}
    module._load_attempted, module._C = True, None
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(module, name, value)


def never_compile() -> None:
    """Keep BoTorch in this process from compiling C++ for the hypervolume, for good.

    It would do so in silence when the first search of several objectives begins: for minutes on a
    busy machine, for ever where a killed process has left its lock in the cache, and with another
    last digit of each value where it succeeds than where there is no compiler. The Python that it
    has besides takes part of a second more for a proposal.
    """
    importlib.import_module(_COMPILES)._load_attempted = True
