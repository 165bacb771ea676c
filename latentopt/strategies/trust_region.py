"""The box around the best point in which `turbo` searches: how it grows and shrinks."""

from dataclasses import dataclass, replace
from math import ceil

from latentopt.strategies.replay import Replay

__all__ = ["LENGTH", "LONGEST", "SHORTEST", "Region"]

LENGTH, SHORTEST, LONGEST = 0.8, 0.5**7, 1.6  # section 4 of Eriksson et al. 2019
_SUCCESSES = 3  # batches in a row that improve before the region doubles


_IMPROVES = 1e-3  # in units of the objective's spread


@dataclass(frozen=True)
class Region:
    """State of a trust region.

    Parameters
    ----------
    length
        Side of the box in standard deviations of the data (in 64 dimensions, the unit cube of the
        paper would be all of the data: -3 to 3 along each axis).
    successes, failures
        Batches in a row that did, or did not, improve on the best.
    begin
        First row of the history that belongs to it; earlier ones belong to regions given up.
    restarts
        Regions given up before it.
    """

    length: float = LENGTH
    successes: int = 0
    failures: int = 0
    begin: int = 0
    restarts: int = 0

    @classmethod
    def of(cls, told: Replay, q: int, initial: int) -> "Region":
        """Region after all told batches of `q`; each begins with `initial` points of its own."""
        tolerance = ceil(max(4, told.z.shape[1]) / q)
        region, row = cls(), initial
        while row + q <= len(told.z):
            best = told.merit[region.begin : row].max()
            improved = bool(told.merit[row : row + q].max() > best + _IMPROVES)
            region, row = region.after(improved, tolerance), row + q
            if region.length < SHORTEST:
                region, row = cls(begin=row, restarts=region.restarts + 1), row + initial
        return region

    def after(self, improved: bool, tolerance: int) -> "Region":
        """State after one more batch: twice as long after 3 successes, half after `tolerance`."""
        if improved:
            region = replace(self, successes=self.successes + 1, failures=0)
        else:
            region = replace(self, successes=0, failures=self.failures + 1)
        if region.successes == _SUCCESSES:
            return replace(region, length=min(2 * self.length, LONGEST), successes=0)
        if region.failures == tolerance:
            return replace(region, length=self.length / 2, failures=0)
        return region
