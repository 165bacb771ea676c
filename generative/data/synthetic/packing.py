"""Equal discs and spheres that keep a distance, in a periodic box: addition, then relaxation."""

import math

import numpy as np
import scipy.optimize
from jaxtyping import Float
from scipy.spatial import KDTree

# Fraction of the box in discs or spheres as wide as the distance kept, by dimension, at which
# random addition jams (Torquato 2002, section 3.4).
JAMMED_BY_ADDITION = {2: 0.547, 3: 0.384}
# Relaxation from random points jams near .84 and .64 (O'Hern et al. 2003), slowly just below.
MOST_PACKED = {2: 0.80, 3: 0.60}
_TRIES_EACH = 5000
_TRIES_EACH_BEYOND = 100  # where addition jams whatever is tried
_STARTS = 10
_BATCH = 512
# Relaxation stretches the distance by this, or it would only be approached.
_MARGIN = 2e-3


def pack(
    count: int, distance: float, sides: tuple[int, ...], rng: np.random.Generator
) -> Float[np.ndarray, "count dim"]:
    """Points in a periodic box, no two of them, or of their images, nearer than ``distance``.

    Random sequential addition [1]_ places as many as fit; if it jams, the others are put in at
    random and the overlaps of all are relaxed by minimising their energy [2]_.

    Parameters
    ----------
    count
        Number of points.
    distance
        Least distance of any two, at most the shortest side.
    sides
        Sides of the box, in the unit of ``distance``.
    rng
        Draws the points.

    Raises
    ------
    ValueError
        If they cannot be placed, with the number, the distance and the limit.

    References
    ----------
    .. [1] Torquato (2002), Random Heterogeneous Materials, section 3.4.
    .. [2] O'Hern et al. (2003), Physical Review E 68, 011306 (harmonic repulsion).
    """
    box = np.asarray(sides, float)
    packed = packed_fraction(count, distance, sides)
    if packed <= MOST_PACKED[len(sides)] and distance <= box.min():
        for _ in range(_STARTS):
            points = _add(count, distance, box, rng)
            if len(points) < count:
                missing = rng.random((count - len(points), len(box))) * box
                points = _relax(np.concatenate([points, missing]), distance, box)
            if nearest_distance(points, sides) >= distance:
                return points
    raise ValueError(
        f"{count} points {distance:.3g} px apart do not fit into {'x'.join(map(str, sides))} px "
        f"(they pack {packed:.2f} of it; the limit is {MOST_PACKED[len(sides)]:.2f}, less for a "
        "few large ones); lower volume_fraction or gap_px."
    )


def packed_fraction(count: int, distance: float, sides: tuple[int | float, ...]) -> float:
    """Share of the box in ``count`` discs or spheres of diameter ``distance``.

    >>> round(packed_fraction(1, 1.0, (1, 1)), 4)
    0.7854
    """
    return float(count * ball_volume(len(sides)) * (distance / 2) ** len(sides) / math.prod(sides))


def ball_volume(dim: int) -> float:
    """Volume of the ball of radius 1: pi in 2-D, 4/3 pi in 3-D."""
    return math.pi if dim == 2 else 4 / 3 * math.pi


def nearest_distance(
    points: Float[np.ndarray, "count dim"], sides: tuple[int | float, ...]
) -> float:
    """Least distance of any two points or of their periodic images; of one point, its own image."""
    least = float(min(sides))
    if len(points) < 2:
        return least
    found, _ = KDTree(points, boxsize=sides).query(points, k=2)
    return min(least, float(found[:, 1].min()))


def wrapped(points: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Points moved into [0, box); the remainder of a tiny negative number rounds to box itself."""
    inside = points % box
    return np.where(inside >= box, 0.0, inside)


def _add(count: int, distance: float, box: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Points added one by one where there is room, until the tries are used up."""
    points = np.empty((0, len(box)))
    jams = packed_fraction(count, distance, tuple(box)) > JAMMED_BY_ADDITION[len(box)]
    tries = count * (_TRIES_EACH_BEYOND if jams else _TRIES_EACH)
    for _ in range(-(-tries // _BATCH)):
        candidates = rng.random((_BATCH, len(box))) * box
        if len(points):
            nearest, _ = KDTree(points, boxsize=box).query(candidates)
            candidates = candidates[nearest >= distance]
        new: list[np.ndarray] = []
        for candidate in candidates:
            apart = np.abs(np.reshape(new, (-1, len(box))) - candidate)
            apart = np.minimum(apart, box - apart)
            if ((apart**2).sum(axis=1) >= distance**2).all():
                new.append(candidate)
        points = np.concatenate([points, np.reshape(new, (-1, len(box)))])[:count]
        if len(points) == count:
            break
    return points


def _relax(points: np.ndarray, least: float, box: np.ndarray) -> np.ndarray:
    """Points moved downhill in the energy sum (1 - r / distance)^2 over the pairs too near."""
    distance, sides = least * (1 + _MARGIN), tuple(box)

    def energy(flat: np.ndarray) -> tuple[float, np.ndarray]:
        now = wrapped(flat.reshape(points.shape), box)
        i, j = KDTree(now, boxsize=box).query_pairs(distance, output_type="ndarray").T
        apart = now[i] - now[j]
        apart -= box * np.round(apart / box)
        r = np.maximum(np.sqrt((apart**2).sum(axis=1)), 1e-9 * distance)
        overlap = 1 - r / distance
        pull = (2 * overlap / (r * distance))[:, None] * apart
        slope = np.zeros_like(now)
        for axis in range(now.shape[1]):
            slope[:, axis] -= np.bincount(i, pull[:, axis], len(now))
            slope[:, axis] += np.bincount(j, pull[:, axis], len(now))
        return float((overlap**2).sum()), slope.ravel()

    def stop_when_apart(flat: np.ndarray) -> None:
        if nearest_distance(wrapped(flat.reshape(points.shape), box), sides) >= least:
            raise StopIteration

    found = scipy.optimize.minimize(
        energy,
        points.ravel(),
        jac=True,
        method="L-BFGS-B",
        callback=stop_when_apart,
        options={"maxiter": 1000, "maxfun": 1500, "ftol": 0.0, "gtol": 1e-10, "maxcor": 20},
    )
    return wrapped(found.x.reshape(points.shape), box)
