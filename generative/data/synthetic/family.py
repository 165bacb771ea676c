"""A family of synthetic structures: ranges, the settings drawn from them, one structure of each."""

import dataclasses
import math
from collections.abc import Callable, Iterator
from difflib import get_close_matches
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Float, UInt8

Settings = dict[str, np.ndarray]
MOST_PHASES = 255


def span(
    low: int | float,
    high: int | float,
    *,
    least: int | float = 0.0,
    most: float = math.inf,
    log: bool = False,
    whole: bool = False,
    of_side: bool = False,
    or_zero: bool = False,
) -> Any:
    """A field of `Ranges`: the default ``(low, high)`` that a setting is drawn from.

    Parameters
    ----------
    low, high
        The default; times the shortest side of the structure if ``of_side``.
    least, most
        Limits of any range given in its place.
    log
        Log-uniform; the range must lie above 0.
    whole
        Whole numbers, the high one included.
    of_side
        The default grows with the structure: the field is ``None`` until one is given.
    or_zero
        The range may be 0 alone.
    """
    low, high = float(low), float(high)
    about = {"default": (low, high), "least": least, "most": most}
    about |= {"log": log, "whole": whole, "or_zero": or_zero}
    return dataclasses.field(default=None if of_side else (low, high), metadata=about)


R = TypeVar("R", bound="Ranges")


@dataclasses.dataclass(frozen=True)
class Ranges:
    """Ranges that the settings of each structure are drawn from, each checked.

    Raises
    ------
    ValueError
        For a range out of order or beyond its limits, or phases that are not 2 to 255.
    """

    def __post_init__(self) -> None:
        for field in self.spans():
            value = getattr(self, field.name)
            if value is not None:
                _check_range(field.name, value, field.metadata)
        phases = getattr(self, "phases", 2)
        if not (isinstance(phases, int) and 2 <= phases <= MOST_PHASES):
            raise ValueError(f"phases should be a whole number, 2 to {MOST_PHASES}, got {phases}.")

    @classmethod
    def spans(cls) -> tuple[dataclasses.Field, ...]:
        """The fields that are ranges."""
        return tuple(f for f in dataclasses.fields(cls) if "least" in f.metadata)

    @classmethod
    def checked(cls: type[R], family: str, given: dict[str, Any]) -> R:
        """Ranges by name; a number in place of a range is a range of that number alone.

        Raises
        ------
        ValueError
            For a name that this family does not have, with the nearest one it has.
        """
        known = [field.name for field in dataclasses.fields(cls)]
        for name in given:
            if name not in known:
                close = get_close_matches(name, known, n=1)
                hint = f"did you mean {close[0]}?" if close else f"known: {', '.join(known)}."
                raise ValueError(f"{family} has no setting {name!r}; {hint}")
        ranged = {field.name for field in cls.spans()}
        return cls(**{k: _as_pair(k, v) if k in ranged else v for k, v in given.items()})

    def limits(self, name: str, shape: tuple[int, ...]) -> tuple[float, float]:
        """The range of one setting, for structures of ``shape``.

        Parameters
        ----------
        name
            Field of these ranges.
        shape
            Sides of a structure in voxels, of which the shortest scales what grows with it.

        Returns
        -------
        (low, high), in the unit of the setting: voxels for names that end in ``_px``.
        """
        given = getattr(self, name)
        if given is not None:
            return tuple(given)
        low, high = next(f for f in self.spans() if f.name == name).metadata["default"]
        return low * min(shape), high * min(shape)


def _as_pair(name: str, value: Any) -> tuple[float, float] | None:
    """(low, high) as floats; a single number is both, ``None`` the default."""
    return None if value is None else _as_floats(name, value)


def _as_floats(name: str, value: Any) -> tuple[float, float]:
    try:
        low, high = (value, value) if isinstance(value, int | float) else value
        return float(low), float(high)
    except (TypeError, ValueError):
        raise ValueError(f"{name} should be a number or two, (low, high), got {value!r}.") from None


def _check_range(name: str, value: tuple[float, float], about: Any) -> None:
    least, most = about["least"], about["most"]
    low, high = _as_floats(name, value)
    ordered = least <= low <= high <= most and (high > 0 or about["or_zero"]) and high < math.inf
    if not ordered or (about["log"] and low <= 0):
        above = ", low above 0" if about["log"] else ""
        raise ValueError(
            f"{name} should be (low, high), finite, with high above 0{above} and "
            f"{least:g} <= low <= high <= {most:g}, got {(low, high)}."
        )
    if about["whole"] and (low % 1 or high % 1):
        raise ValueError(f"{name} should be two whole numbers, got {value}.")


@dataclasses.dataclass(frozen=True)
class Family:
    """One kind of synthetic structure, of which any number can be made.

    Structure i depends on the seed, i, the shape and the ranges, whatever the number made.

    Parameters
    ----------
    name
        Key in `FAMILIES`.
    ranges
        The `Ranges` of this family; their fields are the keywords of `make` and `settings`.
    settle
        ``settle(drawn, spare, shape, limits)`` completes the settings drawn, all rows at once;
        ``spare`` (n, 3) are uniform numbers for directions and shifts.
    build
        ``build(row, shape, rng, limits)`` makes the labels of one structure from its settings.
    """

    name: str
    ranges: type[Ranges]
    settle: Callable[[Settings, np.ndarray, tuple[int, ...], Any], Settings]
    build: Callable[[dict[str, Any], tuple[int, ...], np.random.Generator, Any], np.ndarray]

    def settings(
        self, n: int, shape: tuple[int, ...], *, seed: int, **ranges: Any
    ) -> dict[str, np.ndarray]:
        """Settings behind each structure that `make` gives for the same arguments: its labels.

        Returns
        -------
        One array of n rows for each name; vectors are (n, dim) in the order of ``shape``.

        Raises
        ------
        ValueError
            For an unknown name, a range out of order, a shape that is not 2-D or 3-D, or settings
            that no structure can meet, naming the limit.
        """
        return self._settled(n, shape, seed, self.ranges.checked(self.name, ranges))

    def make(
        self, n: int, shape: tuple[int, ...], *, seed: int, **ranges: Any
    ) -> UInt8[np.ndarray, "n *space"]:
        """Structures as phase labels 0, 1, ...; the same errors as `settings`.

        Parameters
        ----------
        n
            Number of structures.
        shape
            ``(height, width)`` or ``(depth, height, width)`` in voxels.
        seed
            The same seed gives the same structures.
        **ranges
            Fields of ``ranges``; a number in place of a range holds that setting fixed.
        """
        structures = self.each(n, shape, seed=seed, **ranges)
        labels = np.empty((n, *shape), np.uint8)
        for i, one in enumerate(structures):
            labels[i] = one
        return labels

    def each(
        self, n: int, shape: tuple[int, ...], *, seed: int, **ranges: Any
    ) -> Iterator[UInt8[np.ndarray, "*space"]]:
        """The structures of `make`, one at a time, each of shape ``(*space)``.

        Errors are those of `settings`, at once and not when the first structure is asked for.
        """
        limits = self.ranges.checked(self.name, ranges)
        settings = self._settled(n, shape, seed, limits)
        return self._built(n, shape, seed, limits, settings)

    def phases(self, **ranges: Any) -> int:
        """Number of phases of the structures made with these ranges, 2 unless they say another.

        Raises
        ------
        ValueError
            For an unknown name, or a range out of order.
        """
        return getattr(self.ranges.checked(self.name, ranges), "phases", 2)

    def _settled(self, n: int, shape: tuple[int, ...], seed: int, limits: Ranges) -> Settings:
        if n < 0 or len(shape) not in (2, 3) or min(shape) < 2:
            raise ValueError(
                f"expected n >= 0 and a shape of 2 or 3 sides of at least 2 voxels, got n={n}, "
                f"shape={tuple(shape)}."
            )
        spans = limits.spans()
        # One row of draws a structure, so that row i is the same for every n.
        rows = np.random.default_rng(seed).random((n, len(spans) + 3))
        drawn = {
            field.name: _draw(rows[:, k], limits.limits(field.name, shape), field.metadata)
            for k, field in enumerate(spans)
        }
        return self.settle(drawn, rows[:, len(spans) :], shape, limits)

    def _built(
        self, n: int, shape: tuple[int, ...], seed: int, limits: Ranges, settings: Settings
    ) -> Iterator[np.ndarray]:
        for i in range(n):
            row = {name: values[i] for name, values in settings.items()}
            yield self.build(row, shape, np.random.default_rng([seed, i]), limits)


def _draw(u: np.ndarray, limits: tuple[float, float], about: Any) -> np.ndarray:
    low, high = limits
    if about["whole"]:
        return np.minimum(np.floor(low + (high - low + 1) * u), high).astype(np.int64)
    if about["log"]:
        return np.exp(math.log(low) + (math.log(high) - math.log(low)) * u)
    return low + (high - low) * u


def unit_vectors(u: Float[np.ndarray, "n k"], dim: int) -> Float[np.ndarray, "n dim"]:
    """Unit vectors of uniform numbers u: uniform over the half circle or the sphere."""
    if dim == 2:
        angle = np.pi * u[:, 0]
        return np.stack([np.sin(angle), np.cos(angle)], axis=1)
    z, angle = 2 * u[:, 0] - 1, 2 * np.pi * u[:, 1]
    r = np.sqrt(1 - z**2)
    return np.stack([z, r * np.sin(angle), r * np.cos(angle)], axis=1)


def voxels_above(fraction: float, voxels: int, phases: int) -> list[int]:
    """Voxels in phase 1 and above, 2 and above, ...: the phases but 0 share ``fraction`` equally.

    >>> voxels_above(0.5, 64, 3)
    [32, 16]
    """
    return [round(fraction * k / (phases - 1) * voxels) for k in range(phases - 1, 0, -1)]


def cut_levels(
    field: Float[np.ndarray, "*space"], fraction: float, phases: int = 2
) -> UInt8[np.ndarray, "*space"]:
    """Labels that rise with the field, with exactly the counts of `voxels_above`."""
    values = field.ravel()
    labels = np.zeros(values.size, np.uint8)
    firsts = [values.size - above for above in voxels_above(fraction, values.size, phases) if above]
    order = np.argpartition(values, firsts) if firsts else values
    for first in firsts:
        labels[order[first:]] += 1
    return labels.reshape(field.shape)
