"""A woven-like textile: sinusoidal tows of lens-shaped section, in plain weave."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from generative.data.synthetic.family import Family, Ranges, Settings, span


@dataclass(frozen=True)
class WovenRanges(Ranges):
    """Ranges the settings of each weave are drawn from.

    Parameters
    ----------
    tows
        Tows of each direction across the structure, rounded down to an even number, so that
        opposite sides join.
    width
        Width of a tow over the distance of two neighbours, at most 1: tows never overlap.
    thickness
        Thickness of a tow over the height of the structure; the weave is twice as thick.
    phases
        3: matrix, warp (along x) and weft (along y); 2: matrix and tows.
    """

    tows: tuple[float, float] = span(2, 4, least=2, whole=True)
    width: tuple[float, float] = span(0.6, 1.0, most=1.0)
    thickness: tuple[float, float] = span(0.25, 0.5, most=0.5)
    phases: int = 3

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.phases not in (2, 3):
            raise ValueError(f"phases of a weave should be 2 or 3, got {self.phases}.")


def _settle(
    drawn: Settings, spare: np.ndarray, shape: tuple[int, ...], limits: WovenRanges
) -> Settings:
    """Even numbers of tows, shifts along y and x, and the fraction of tows in closed form."""
    tows = drawn["tows"] // 2 * 2
    warp = weft = 2 / math.pi * drawn["width"] * drawn["thickness"]
    if len(shape) == 2:  # a section along x, at a height of the lens of the warp
        offset = (spare[:, 0] * tows) % 1 - 0.5
        warp = drawn["thickness"] * _lens(offset, drawn["width"])
    return drawn | {"tows": tows, "volume_fraction": warp + weft, "shift": spare[:, :2]}


def _build(
    row: dict[str, Any], shape: tuple[int, ...], rng: np.random.Generator, limits: WovenRanges
) -> UInt8[np.ndarray, "*space"]:
    tows, width, thickness = int(row["tows"]), float(row["width"]), float(row["thickness"])
    height = (np.arange(shape[0]) + 0.5) / shape[0] - 0.5
    # Along y and x one unit is the distance of two tows; a section has one y.
    y, x = (
        np.mod(((np.arange(size) + 0.5) / size + shift) * tows, tows)
        for size, shift in zip((1, *shape)[-2:], row["shift"], strict=True)
    )
    if len(shape) == 2:
        y = np.mod(np.array([row["shift"][0] * tows]), tows)
    z, y, x = np.meshgrid(height, y, x, indexing="ij")
    warp = _in_tows(z, across=y, along=x, width=width, thickness=thickness, side=1)
    weft = _in_tows(z, across=x, along=y, width=width, thickness=thickness, side=-1)
    labels = np.where(warp, 1, np.where(weft, limits.phases - 1, 0))
    return labels.astype(np.uint8).reshape(shape)


def _in_tows(
    z: np.ndarray,
    *,
    across: np.ndarray,
    along: np.ndarray,
    width: float,
    thickness: float,
    side: int,
) -> np.ndarray:
    """Whether points lie in the tows of one direction.

    Tow j crosses the others at ``along`` = 1/2, 3/2, ... above and below in turn, its centre
    half a thickness from the middle there: thick and thin places of the two directions meet, and
    cos(pi u / (2 width)) <= cos(pi u / 2) keeps them apart elsewhere.
    """
    up = np.where(np.floor(across) % 2 == 0, 1, -1)
    centre = side * thickness / 2 * up * np.sin(np.pi * along)
    return np.abs(z - centre) < thickness / 2 * _lens(across % 1 - 0.5, width)


def _lens(
    offset: Float[np.ndarray, "*points"], width: Float[np.ndarray, "*points"] | float
) -> Float[np.ndarray, "*points"]:
    """Height of the section of a tow over its greatest, at an offset from its middle."""
    return np.where(np.abs(offset) < width / 2, np.cos(np.pi * offset / width), 0.0)


WOVEN = Family("woven", WovenRanges, _settle, _build)
