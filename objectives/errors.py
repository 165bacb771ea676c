"""Errors a caller of `objectives` may want to catch."""

from typing import Literal

FailedState = Literal["infeasible", "invalid", "timeout", "crashed", "lost"]


class ConvergenceError(RuntimeError):
    """A solver did not converge: the message names sample, contrast, iterations and the remedy."""


class EvaluationError(ValueError):
    """An objective cannot be evaluated on these images; their trial is marked failed.

    Parameters
    ----------
    message
        What is wrong, and the remedy.
    state
        How the trial ended: ``infeasible``, ``invalid``, ``timeout``, ``crashed`` or ``lost``.
    """

    state: FailedState = "crashed"  # also of a subclass whose constructor does not call this one

    def __init__(self, message: str = "", state: FailedState = "crashed") -> None:
        super().__init__(message)
        self.state = state


class SurrogateFileError(ValueError):
    """A saved surrogate is missing, damaged or not what was saved: the message names the file."""
