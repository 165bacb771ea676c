"""Run a model with random numbers of its own; where it fails numerically, draw from the prior."""

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Float64
from torch import Tensor

from latentopt.history import History
from latentopt.strategies.prior import draw

_log = logging.getLogger(__name__)


def modelled_or_drawn(
    history: History, q: int, kind: str, modelled: Callable[[], Float64[Tensor, "q d"]]
) -> Float64[Tensor, "q d"]:
    """What `modelled` returns, or, if the fit of strategy `kind` fails, a logged word and draws."""
    try:
        with undisturbed(history):
            return modelled()
    except fit_failures() as error:
        _log.warning("%s could not fit (%s) and draws from the prior.", kind, error)
        return draw(history, q)


def fit_failures() -> tuple[type[Exception], ...]:
    """What a fit raises on data that it cannot model."""
    from botorch.exceptions import ModelFittingError
    from linear_operator.utils.errors import NanError, NotPSDError

    return ModelFittingError, NotPSDError, NanError, torch.linalg.LinAlgError


@contextmanager
def undisturbed(history: History) -> Iterator[None]:
    """Torch's global generator is seeded by the history and then restored; no harmless warnings."""
    from botorch.exceptions import BotorchWarning
    from linear_operator.utils.warnings import NumericalWarning

    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore", BotorchWarning)
        warnings.simplefilter("ignore", NumericalWarning)
        # An ascent that ends early ends somewhere good: it never falls below its start.
        warnings.filterwarnings("ignore", "Optimization failed", RuntimeWarning)
        torch.manual_seed(history.seed_of(history.next_index))
        yield
