"""How far the cross-validation and the fit of a surrogate are, and what time is left for all."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from latentopt.durations import duration

__all__ = ["fit_progress"]


@contextmanager
def fit_progress(show: Callable[[str], None], folds: int) -> Iterator[Callable[[int, int], None]]:
    """Show the progress of a fit for each fold and one for all images; answers an ``on_fold``.

    Parameters
    ----------
    show
        Takes one line. Networks say by the log of ``objectives.surrogates`` what share of a fit is
        done; other surrogates are shown fit by fit.
    folds
        Of the cross-validation.
    """
    started, done = time.monotonic(), 0

    def tell(share: float, what: str) -> None:
        part = (done + share) / (folds + 1)
        left = (time.monotonic() - started) * (1 - part) / part
        where = f"fold {done + 1}/{folds}" if done < folds else "all images"
        show(f"{where}, {what}{100 * part:.0f} % of all fits, {duration(left)} left")

    def on_fold(fold: int, of: int) -> None:
        nonlocal done
        done = fold
        tell(0.0, "")

    def on_log(record: logging.LogRecord) -> None:
        if (share := getattr(record, "share", None)) is not None:
            tell(share, f"{record.getMessage()}, ")

    handler = logging.Handler()
    handler.emit = on_log
    logger = logging.getLogger("objectives.surrogates")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield on_fold
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
