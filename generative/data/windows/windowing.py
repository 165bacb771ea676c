"""How windows are cut around points of large frames."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from generative.data.grey.segmentation import Segmentation
from generative.data.windows.resample import Kernel

Around = Literal["peaks", "particles", "walls", "grid"]
Parents = Literal["frame", "movie"]

LEAST_SIDE = 4


@dataclass(frozen=True)
class Windowing:
    """Which points windows are cut around, and how.

    Parameters
    ----------
    side
        Pixels of a window along each axis.
    around
        ``"peaks"`` (`find_peaks`), ``"particles"`` (`find_particles`), ``"walls"`` (`find_walls`),
        ``"grid"`` (`grid_points`), or a CSV file of points (`read_points`).
    spacing
        In pixels. Grid: from a point to the next, ``side`` by default. Peaks and walls: least
        distance between two points, ``side / 8`` and ``side / 2`` by default. Particles: least
        diameter, 3 by default. Not for a CSV file.
    dark
        Peaks or particles are darker than their surroundings.
    segmentation
        How particles are told from the rest: they are its last phase, the first if ``dark``.
    every
        Take every n-th frame of a movie. Not for a CSV file, which names its frames.
    lag
        Frames from a window to a second one of the same place, whose channels follow the first.
    scales
        Pixels of the frame that a pixel of the window covers along each axis: 2 shows a field twice
        as wide. Each scale has channels of its own.
    kernel
        ``"linear"`` or ``"cubic"`` resampling, see `cut_windows`.
    parents
        ``"frame"``: the windows of one frame share a parent; ``"movie"``: those of one movie do.
    interval_s
        Seconds from a frame to the next, for the times of the windows; frames are counted if None.
    info_bar
        Rows cut off the bottom of each frame: a number, or ``"auto"`` for bars at bottom and top.
    drop_empty, drop_duplicates
        As of `Preparation`.

    Raises
    ------
    ValueError
        For settings that make no sense, or would have no effect.
    """

    side: int
    around: str | Path
    spacing: float | int | None = None
    dark: bool = False
    segmentation: Segmentation | None = None
    every: int = 1
    lag: int | None = None
    scales: tuple[float | int, ...] = (1.0,)
    kernel: str = "cubic"
    parents: str = "frame"
    interval_s: float | int | None = None
    info_bar: int | Literal["auto"] = 0
    drop_empty: bool = False
    drop_duplicates: bool = False

    def __post_init__(self) -> None:
        if self.side < LEAST_SIDE:
            raise ValueError(f"window should be {LEAST_SIDE} pixels or more, got {self.side}.")
        if not isinstance(self.around, Path) and self.around not in get_args(Around):
            raise ValueError(
                f"around should be one of {', '.join(get_args(Around))} or the Path of a CSV file "
                f"of points, got {self.around!r}."
            )
        for name, known in (("kernel", get_args(Kernel)), ("parents", get_args(Parents))):
            if getattr(self, name) not in known:
                raise ValueError(
                    f"{name} should be {' or '.join(known)}, got {getattr(self, name)!r}."
                )
        self._check_numbers()
        self._check_use()

    def _check_numbers(self) -> None:
        if not self.scales or not all(math.isfinite(m) and m > 0 for m in self.scales):
            raise ValueError(f"scales should be numbers above 0, got {self.scales}.")
        if len(set(self.scales)) < len(self.scales):
            raise ValueError(f"scales should differ, got {self.scales}.")
        for name in ("spacing", "interval_s"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value > 0):
                raise ValueError(f"{name} should be a number above 0, got {value}.")
        for name in ("every", "lag"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} should be 1 frame or more, got {value}.")

    def _check_use(self) -> None:
        """Refuse settings that nothing would be done with."""
        table = isinstance(self.around, Path)
        for name, given, users, used in (
            ("spacing", self.spacing is not None, "points that are sought or a grid", not table),
            ("every", self.every != 1, "points that are sought or a grid", not table),
            ("dark", self.dark, "peaks and particles", self.around in ("peaks", "particles")),
            ("segmentation", self.segmentation, "particles", self.around == "particles"),
        ):
            if given and not used:
                raise ValueError(f"{name} is for {users}, not for {self.around}; leave it out.")

    @property
    def channels(self) -> tuple[str, ...]:
        """What the channels of a window show, scale by scale, for each channel of the frame."""
        times = ("t",) if self.lag is None else ("t", f"t+{self.lag}")
        return tuple(f"{time} x{scale:g}" for scale in self.scales for time in times)

    @property
    def reach(self) -> float:
        """Pixels of the frame that the widest window covers along an axis."""
        return self.side * max(self.scales)
