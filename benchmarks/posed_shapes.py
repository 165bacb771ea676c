"""Images whose pose, kind and factors are known, for `structured.py`: cards, walls, rods."""

from dataclasses import dataclass

import numpy as np

SUITS = ("diamond", "heart", "spade", "club")


@dataclass(frozen=True, eq=False)
class Posed:
    """Images and their truth.

    Angles in radians, counter-clockwise as shown; shifts in half sides along y and x; the fold is
    the rotational symmetry of each, by which angles are known.
    """

    images: np.ndarray  # (n, c, side, side)
    angle: np.ndarray  # (n,)
    shift: np.ndarray  # (n, 2)
    kind: np.ndarray  # (n,)
    factors: dict[str, np.ndarray]
    fold: np.ndarray  # (n,)


def _plane(side: int) -> tuple[np.ndarray, np.ndarray]:
    axis = (np.arange(side) + 0.5) / side * 2 - 1
    x, y = np.meshgrid(axis, axis)
    return x, y


def _upright(x, y, angle: float, shift: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates in the frame of a structure that is turned and shifted."""
    u, v = x - shift[1], y - shift[0]
    cos, sin = np.cos(angle), np.sin(angle)  # y points down: counter-clockwise is y to x
    return cos * u - sin * v, sin * u + cos * v


def _soft(distance: np.ndarray, width: float) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(distance / width, -40, 40)))


def _noisy(images: np.ndarray, noise: float, rng: np.random.Generator) -> np.ndarray:
    noisy = images + noise * rng.standard_normal(images.shape)
    return np.clip(noisy, 0, 1).astype(np.float32)


def _disc(x, y, cx: float, cy: float, r: float) -> np.ndarray:
    return r - np.hypot(x - cx, y - cy)


def _triangle(x, y, tip: float, base: float, half: float) -> np.ndarray:
    part = (y - tip) / (base - tip)
    height = np.minimum(part, 1 - part) * abs(base - tip)
    return np.minimum(height, 0.7 * (part * half - np.abs(x)))


def _suit(kind: int, x, y) -> np.ndarray:
    """Signed distance, roughly: positive inside."""
    if kind == 0:
        return 0.35 * (1 - np.abs(x) / 0.42 - np.abs(y) / 0.65)
    if kind == 1:
        lobes = np.maximum(_disc(x, y, -0.27, -0.22, 0.31), _disc(x, y, 0.27, -0.22, 0.31))
        return np.maximum(lobes, _triangle(x, y, 0.62, -0.12, 0.55))
    stem = _triangle(x, y, 0.05, 0.65, 0.26)
    if kind == 2:
        lobes = np.maximum(_disc(x, y, -0.25, 0.12, 0.27), _disc(x, y, 0.25, 0.12, 0.27))
        return np.maximum(np.maximum(lobes, _triangle(x, y, -0.65, 0.08, 0.48)), stem)
    stem = _triangle(x, y, -0.1, 0.65, 0.26)
    lobes = np.maximum(_disc(x, y, -0.3, 0.1, 0.25), _disc(x, y, 0.3, 0.1, 0.25))
    return np.maximum(np.maximum(lobes, _disc(x, y, 0, -0.36, 0.25)), stem)


def cards(n: int, seed: int, side: int = 24) -> Posed:
    """Four suits at any angle, shifted by up to .15 half sides, sheared by up to .3."""
    rng = np.random.default_rng(seed)
    x, y = _plane(side)
    kind, angle = rng.integers(4, size=n), rng.uniform(-np.pi, np.pi, n)
    shift, shear = rng.uniform(-0.15, 0.15, (n, 2)), rng.uniform(-0.3, 0.3, n)
    images = np.empty((n, 1, side, side))
    for i in range(n):
        u, v = _upright(x, y, angle[i], shift[i])
        images[i, 0] = _soft(_suit(kind[i], u - shear[i] * v, v), 0.03)
    fold = np.where(kind == 0, 2, 1)
    return Posed(_noisy(images, 0.05, rng), angle, shift, kind, {"shear": shear}, fold)


def walls(n: int, seed: int, side: int = 24) -> Posed:
    """A wall between two domains at two times, which are two channels."""
    rng = np.random.default_rng(seed)
    x, y = _plane(side)
    angle, shift = rng.uniform(-np.pi, np.pi, n), rng.uniform(-0.1, 0.1, (n, 2))
    curvature, displacement = rng.uniform(-0.8, 0.8, n), rng.uniform(-0.35, 0.35, n)
    images = np.empty((n, 2, side, side))
    for i in range(n):
        u, v = _upright(x, y, angle[i], shift[i])
        for time in range(2):
            images[i, time] = _soft(u - curvature[i] * v**2 / 2 - time * displacement[i], 0.05)
    factors = {"curvature": curvature, "displacement": displacement}
    kind = np.zeros(n, int)
    return Posed(_noisy(images, 0.08, rng), angle, shift, kind, factors, np.ones(n, int))


SETS = {"cards": cards, "walls": walls}
