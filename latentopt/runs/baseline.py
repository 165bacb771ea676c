"""What a campaign is compared with: the points that it did not have to search for."""

from dataclasses import dataclass, replace
from pathlib import Path

from latentopt.errors import CampaignError
from latentopt.runs.run import IMPORTED, Run

__all__ = ["Baseline", "baseline_from", "baseline_of"]


@dataclass(frozen=True, eq=False)
class Baseline:
    """Trials that a search should surpass.

    Parameters
    ----------
    name
        What they are, such as "12 initial points".
    run
        The run of these trials alone.
    """

    name: str
    run: Run

    @property
    def value(self) -> float | None:
        """Best feasible value of them; None if none is feasible."""
        best = self.run.best(1)
        return float(self.run.posterior(best[0])) if best else None


def baseline_of(run: Run) -> Baseline | None:
    """Imported data, else the points before the first model; None where there are neither.

    A campaign of draws alone has no search to compare: it is the baseline of another.
    """
    imported = tuple(trial for trial in run.trials if trial.strategy == IMPORTED)
    if imported:
        return Baseline(f"{len(imported)} imported structures", replace(run, trials=imported))
    initial = run.config.strategy.get("initial")
    if not isinstance(initial, int) or len(run.trials) <= initial:
        return None
    return Baseline(f"{initial} initial points", replace(run, trials=run.trials[:initial]))


def baseline_from(folder: Path | str, run: Run) -> Baseline:
    """Another campaign towards the same goal, such as one with strategy ``prior``.

    Raises
    ------
    CampaignError
        The folder holds no campaign, or one whose values mean something else.
    """
    other = Run.read(folder)
    for name in ("objective", "constraints"):
        theirs, ours = getattr(other.config, name), getattr(run.config, name)
        if theirs != ours:
            raise CampaignError(
                f"{folder}: has {name} {theirs}, not {ours}: its values cannot be compared; give "
                "the folder of a campaign towards the same goal."
            )
    return Baseline(f"{other.config.name} ({other.config.strategy.get('kind')})", other)
