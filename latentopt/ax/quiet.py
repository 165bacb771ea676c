"""Ax without its lines about every trial."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from ax.utils.common.logger import ROOT_STREAM_HANDLER

__all__ = ["quiet_ax"]


@contextmanager
def quiet_ax() -> Iterator[None]:
    """Ax's warnings are let through, but not its lines with all 64 parameters of every trial.

    It logs each trial, and warns of each outside the parameters' bounds, where a few in a hundred
    draws of the prior are; it uses those all the same.
    """
    level = ROOT_STREAM_HANDLER.level
    ROOT_STREAM_HANDLER.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*out-of-design", RuntimeWarning)
            yield
    finally:
        ROOT_STREAM_HANDLER.setLevel(level)
