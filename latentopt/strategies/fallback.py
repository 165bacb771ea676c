"""Run a model with random numbers of its own; where it fails numerically, draw from the prior."""

import logging
import warnings
from collections.abc import Callable

import torch
from jaxtyping import Float64
from torch import Tensor

from latentopt.history import History
from latentopt.strategies.prior import draw

_log = logging.getLogger(__name__)


def modelled_or_drawn(
    history: History, q: int, kind: str, modelled: Callable[[], Float64[Tensor, "q d"]]
) -> Float64[Tensor, "q d"]:
    """What `modelled` returns, or, if the fit of strategy `kind` fails, a logged word and draws.

    Torch's global generator is seeded by the history while it runs and restored after it.
    """
    from botorch.exceptions import BotorchWarning, ModelFittingError
    from linear_operator.utils.errors import NanError, NotPSDError
    from linear_operator.utils.warnings import NumericalWarning

    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore", BotorchWarning)
        warnings.simplefilter("ignore", NumericalWarning)
        torch.manual_seed(history.seed_of(history.next_index))
        try:
            return modelled()
        except (ModelFittingError, NotPSDError, NanError, torch.linalg.LinAlgError) as error:
            _log.warning("%s could not fit (%s) and draws from the prior.", kind, error)
            return draw(history, q)
