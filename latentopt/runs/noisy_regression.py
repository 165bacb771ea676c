"""True values behind noisy ones: a Gaussian process over structures, without torch.

Each value is that of its structure and an error. What structures have in common is smooth in their
features; what a structure has for itself shows where it was evaluated more than once, or where the
errors are known [1]_.

.. [1] Rasmussen, Williams (2006), Gaussian Processes for Machine Learning, sections 2.7 and 5.4.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Integer

__all__ = ["Smoothed", "smoothed"]

_FEW = 3  # structures: of fewer nothing is learned from one for another
_MOST_FITTED = 300  # structures
_LEAST = 1e-4  # of the spread of the values, of any error
_SMOOTH = (0.02, 0.15, 0.3, 0.5, 0.75, 1.0, 1.5, 2.5)  # deviations tried for the smooth part
_START = (0.0, 0.0, -2.3, -0.7)
_BOUNDS = ((-1.5, 2.5), (-4.0, 2.0), (-7.0, 1.0), (-7.0, 1.0))


@dataclass(frozen=True)
class Smoothed:
    """What is believed of the true value of each structure.

    Parameters
    ----------
    mean, error
        Posterior mean and standard deviation, ``(g,)``.
    noise
        Standard deviation of one value whose standard error was not given; nan where all were.
    share
        Part of the variance of such values that is noise, between 0 and 1.
    """

    mean: Float[np.ndarray, " g"]
    error: Float[np.ndarray, " g"]
    noise: float
    share: float


def smoothed(
    features: Float[np.ndarray, "g k"],
    structure: Integer[np.ndarray, " n"],
    values: Float[np.ndarray, " n"],
    sem: Float[np.ndarray, " n"],
) -> Smoothed:
    """True values of structures from noisy ones.

    Parameters
    ----------
    features
        Of each structure; in each column alike in size. Above 300 structures the parameters of the
        process are fitted to some of them, spread evenly over the rows.
    structure
        Which row of `features` each value belongs to.
    values
        Measured, finite; each structure has at least one.
    sem
        Standard error of each value; nan where it is not known: these share one that is inferred.
    """
    known = np.isfinite(sem)
    sizes = (np.std(values), sem[known].max(initial=0.0), np.abs(values).max())
    unit = next((float(size) for size in sizes if size > 0), 1.0)
    y = values / unit
    problem = _Problem.of(features, structure, y, np.where(known, sem / unit, np.nan))
    mean, error, noise = problem.averaged()
    noise = noise if not known.all() else float("nan")
    share = min(1.0, noise**2) if np.isfinite(noise) else 0.0
    return Smoothed(unit * mean, unit * error, unit * noise, share)


@dataclass(frozen=True)
class _Problem:
    """Values of variance 1. Parameters are logarithms: of the length, in typical distances of the
    structures, and of the deviations of what is smooth, of what is each structure's own, and of
    unknown errors."""

    distance: Float[np.ndarray, "g g"]
    structure: Integer[np.ndarray, " n"]
    y: Float[np.ndarray, " n"]
    sem: Float[np.ndarray, " n"]
    own: bool  # whether structures' own parts can be told from errors

    @classmethod
    def of(
        cls, features: np.ndarray, structure: np.ndarray, y: np.ndarray, sem: np.ndarray
    ) -> "_Problem":
        """Values of variance 1 or so, and the structures that they belong to."""
        squares = ((features[:, None] - features[None]) ** 2).sum(-1)
        typical = np.median(squares[squares > 0]) if (squares > 0).any() else 1.0
        own = len(structure) > len(features) or bool(np.isfinite(sem).any())
        return cls(np.sqrt(squares / typical), structure, y, sem, own)

    @property
    def unknown(self) -> bool:
        return bool(np.isnan(self.sem).any())

    def covariances(self, parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of the structures' values, and of all that was measured."""
        length, smooth, own, noise = np.exp(parameters)
        r = np.sqrt(5.0) * self.distance / length
        values = smooth**2 * (1 + r + r**2 / 3) * np.exp(-r)
        if self.own:
            values = values + own**2 * np.eye(len(values))
        errors = np.where(np.isnan(self.sem), noise, np.nan_to_num(self.sem))
        measured = values[np.ix_(self.structure, self.structure)]
        return values, measured + np.diag(np.maximum(errors, _LEAST) ** 2)

    def cost(self, parameters: np.ndarray) -> float:
        """Minus the logarithm of the evidence, with the mean integrated out, and of the prior."""
        from scipy.linalg import cho_factor, cho_solve

        try:
            factor = cho_factor(self.covariances(parameters)[1], lower=True)
        except np.linalg.LinAlgError:
            return 1e10
        ones = np.ones_like(self.y)
        solved = cho_solve(factor, np.stack([self.y, ones], 1))
        weight = ones @ solved[:, 1]
        mean = ones @ solved[:, 0] / weight
        fit = (self.y - mean) @ (solved[:, 0] - mean * solved[:, 1])
        evidence = 0.5 * fit + np.log(np.diag(factor[0])).sum() + 0.5 * np.log(weight)
        return float(evidence + self._prior(parameters))

    def _prior(self, parameters: np.ndarray) -> float:
        length, smooth, own, noise = parameters
        prior = 0.5 * length**2 / 0.7**2
        prior += np.exp(smooth)
        if self.own:
            prior += np.exp(own) / 0.3
        if self.unknown:
            prior += 0.5 * (noise / 0.7) ** 2
        return prior

    def averaged(self) -> tuple[np.ndarray, np.ndarray, float]:
        """Mean and error of each structure's value, and unknown noise, over likely parameters.

        How much is smooth is averaged over, as few noisy values never tell: the rest is fitted for
        each amount of it.
        """
        part = self.part()
        amounts = np.array(_SMOOTH if len(self.distance) >= _FEW else _SMOOTH[-1:])
        fits, start = [], np.array(_START)
        for amount in amounts:
            start, cost = part._fitted(start, np.log(amount))
            fits.append((cost, start, *self.posterior(start)))
        costs = np.array([fit[0] for fit in fits])
        weights = np.exp(costs.min() - costs)
        weights /= weights.sum()
        means, errors = (np.stack([fit[k] for fit in fits]) for k in (2, 3))
        mean = weights @ means
        variance = weights @ (errors**2 + (means - mean) ** 2)
        noise = float(weights @ np.exp([fit[1][3] for fit in fits]))
        return mean, np.sqrt(variance), noise

    def part(self) -> "_Problem":
        """So few structures, with all of their values, that a fit to them takes a second."""
        g = len(self.distance)
        if g <= _MOST_FITTED:
            return self
        chosen = np.linspace(0, g - 1, _MOST_FITTED).round().astype(int)
        rows = np.isin(self.structure, chosen)
        return _Problem(
            self.distance[np.ix_(chosen, chosen)],
            np.searchsorted(chosen, self.structure[rows]),
            self.y[rows],
            self.sem[rows],
            self.own,
        )

    def _fitted(self, start: np.ndarray, smooth: float) -> tuple[np.ndarray, float]:
        """The most likely parameters where so much is smooth, and their cost."""
        from scipy.optimize import minimize

        start = np.array([start[0], smooth, *start[2:]])
        free = [0, *([2] if self.own else []), *([3] if self.unknown else [])]

        def cost(theta: np.ndarray) -> float:
            start[free] = theta
            return self.cost(start)

        bounds = [_BOUNDS[i] for i in free]
        found = minimize(cost, start[free], method="L-BFGS-B", bounds=bounds)
        start[free] = found.x
        return start, float(found.fun)

    def posterior(self, parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of each structure's value, the mean being unknown."""
        from scipy.linalg import cho_factor, cho_solve

        values, measured = self.covariances(parameters)
        factor = cho_factor(measured, lower=True)
        cross = values[:, self.structure]
        ones = np.ones_like(self.y)
        solved = cho_solve(factor, np.stack([self.y, ones], 1))
        weight = ones @ solved[:, 1]
        mean = ones @ solved[:, 0] / weight
        predicted = mean + cross @ (solved[:, 0] - mean * solved[:, 1])
        left = 1 - cross @ solved[:, 1]
        variance = np.diag(values) - (cross * cho_solve(factor, cross.T).T).sum(1)
        variance = variance + left**2 / weight
        return predicted, np.sqrt(np.maximum(variance, _LEAST**2))
