"""Which constraint is missed, and by how much, where no trial meets all of them."""

import numpy as np

from latentopt.runs.run import Run
from latentopt.runs.trial import Trial

__all__ = ["nearest_first", "none_best", "shortfall_lines"]


def shortfall_lines(run: Run) -> list[str]:
    """A line for each constraint and one for the trial that comes nearest to meeting all.

    Empty where a trial is feasible, or none has completed.
    """
    completed = [trial for trial in run.trials if trial.status == "completed"]
    if not completed or run.feasible:
        return []
    margins = [run.margins(trial) for trial in completed]
    lines = []
    for text in run.config.constraints:
        values = np.array([row[text] for row in margins])
        met, best = int((values >= 0).sum()), int(values.argmax())
        if met:
            lines.append(f"{text}: met by {met} of {len(completed)} trials")
        else:
            lines.append(
                f"{text}: missed by all {len(completed)} trials, by {-values[best]:.4g} at least "
                f"(trial {completed[best].index})"
            )
    nearest = nearest_first(run, completed)[0]
    missed = [
        f"{text} by {-margin:.4g}" for text, margin in run.margins(nearest).items() if margin < 0
    ]
    return [*lines, f"trial {nearest.index} comes nearest: it misses {' and '.join(missed)}"]


def none_best(run: Run) -> str:
    """Why there is no best trial, in a few words."""
    if any(trial.status == "completed" for trial in run.trials):
        return "no trial meets the constraints yet"
    return "no trial has completed yet"


def nearest_first(run: Run, trials: list[Trial]) -> list[Trial]:
    """Trials by how little they miss the constraints in all.

    What a constraint is missed by counts in units of what these trials miss it by at most, so that
    margins in different units compare.
    """
    margins = np.array([list(run.margins(trial).values()) for trial in trials])
    missed = np.maximum(-margins.reshape(len(trials), -1), 0.0)
    largest = missed.max(axis=0, initial=0.0)
    total = (missed / np.where(largest > 0, largest, 1.0)).sum(axis=1)
    return [trials[i] for i in np.argsort(total, kind="stable")]
