"""Windows as they are cut, gathered into one data set with its provenance."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from generative.data.dataset import NOT_LABELLED, UNLABELLED, Dataset, Places
from generative.data.duplicates import is_constant, turned_digest
from generative.data.formats.voxel_size import VoxelSize
from generative.data.inspection import flat_grey
from generative.data.prepared import Prepared, WholeImages, put_together
from generative.data.windows.frames import QUANTILES, Frame
from generative.data.windows.resample import first_voxels, read_length
from generative.data.windows.windowing import Windowing
from generative.errors import DataError


@dataclass(frozen=True)
class _Part:
    """The windows of one frame."""

    frame: int  # its number in all files together
    images: np.ndarray
    points: np.ndarray  # in the frame of the file
    labels: np.ndarray
    names: list[str]
    records: list[dict[str, Any]]


class WindowSet:
    """Windows of frames, added frame by frame.

    Parameters
    ----------
    how
        How they are cut.
    class_names
        Names of the classes.

    Attributes
    ----------
    facts
        Of each frame its name and the rows cut off, and what is added to it.
    """

    def __init__(self, how: Windowing, class_names: tuple[str, ...]) -> None:
        self.how, self.class_names = how, class_names
        self.facts: list[dict[str, Any]] = []
        self._parts: list[_Part] = []
        self._whole = WholeImages()
        self._firsts: dict[str, np.ndarray] = {}  # picture of the first frame of each class
        self._seen: dict[bytes, int] = {}  # the first frame of each digest
        self._links: list[tuple[int, int]] = []  # frames that share a parent

    def __len__(self) -> int:
        return sum(len(part.labels) for part in self._parts)

    def add(self, frame: Frame, images: np.ndarray, points: np.ndarray, labels: np.ndarray) -> None:
        """The windows (n, c, *window) of a frame; points are in what is left of it."""
        same_as = self._whole.add(frame.name, frame.stored, frame.times[0])
        self.facts.append({"name": frame.name, "thresholds": [], "cropped": list(frame.bars)})
        if len(points):
            self._link(frame)
        known = {**_known(frame, self.how), **({} if same_as is None else {"same_as": same_as})}
        widest = max(self.how.scales)
        corners = np.maximum(first_voxels(points, self.how.side, widest, self.how.kernel), 0)
        corners = corners + frame.corner.astype(np.int64)
        classes = [UNLABELLED if k == NOT_LABELLED else self.class_names[k] for k in labels]
        for name in dict.fromkeys(classes):
            mine = points[np.array(classes) == name]
            self._firsts.setdefault(name, _marked(frame.times[0], mine))
        points = points + frame.corner
        records = [
            {**known, "class": name, "offset": corner, "point": point}
            for name, corner, point in zip(classes, corners.tolist(), points.tolist(), strict=True)
        ]
        names = [f"{frame.name} at ({', '.join(f'{at:.2f}' for at in point)})" for point in points]
        part = _Part(frame.number, images, points, labels, names, records)
        self._parts.append(part)

    def _link(self, frame: Frame) -> None:
        """Frames that share a window, are equal, or are of one movie if that is asked."""
        for number, values in zip(frame.numbers, frame.times, strict=True):
            self._links.append((frame.number, number))
            if not is_constant(values):
                self._links.append((number, self._seen.setdefault(turned_digest(values), number)))
        if self.how.parents == "movie":
            self._links.append((frame.number, frame.first))

    def prepared(self, pixel: VoxelSize | None, without_later: Mapping[str, int]) -> Prepared:
        """The set, with what was found.

        Parameters
        ----------
        pixel
            Edges of a pixel of the windows, in metres.
        without_later
            Points that were left out, since no frame is a lag later: how many, by frame.

        Raises
        ------
        DataError
            If there are no windows.
        """
        if not len(self):
            raise DataError(self._nothing(without_later))
        parts, how = self._parts, self.how
        records = [record for part in parts for record in part.records]
        parents = self._parents()
        rows = np.array([record["row"] for record in records], np.float64)
        times = rows * (1.0 if how.interval_s is None else how.interval_s)
        for record, parent, time in zip(records, parents.tolist(), times.tolist(), strict=True):
            record |= {"parent": parent, "time": time, "voxel_size_m": pixel and list(pixel)}
        windows = Dataset(
            images=np.concatenate([part.images for part in parts]),
            labels=np.concatenate([part.labels for part in parts]).astype(np.int64),
            class_names=self.class_names,
            sources=tuple(name for part in parts for name in part.names),
            parents=parents,
            content="grey",
            voxel_size_m=pixel,
            reading=self._reading(),
            places=self._places(records),
            positions=np.column_stack([rows, np.concatenate([part.points for part in parts])]),
            times=times,
        )
        drop = {"drop_empty": how.drop_empty, "drop_duplicates": how.drop_duplicates}
        put, kept, findings = put_together(windows, records, self._whole, **drop)
        late = [{"name": name, "thresholds": [], "cropped": [0, 0], "points": n, "outside": 0,
                 "without_later": n} for name, n in without_later.items()]  # fmt: skip
        findings = replace(findings, images=(*self.facts, *late))
        return Prepared(put, kept, self._pictures(windows), findings)

    def _parents(self) -> np.ndarray:
        """One number for all frames that are linked, directly or by others."""
        links = np.array(self._links)
        size = int(links.max()) + 1
        graph = coo_array((np.ones(len(links)), links.T), shape=(size, size))
        _, linked = connected_components(graph, directed=False)
        frames = np.repeat(
            [part.frame for part in self._parts], [len(part.labels) for part in self._parts]
        )
        return np.unique(linked[frames], return_inverse=True)[1]

    def _places(self, records: list[dict[str, Any]]) -> Places:
        counts = [len(part.labels) for part in self._parts]
        offsets, sizes = (
            np.array([record[key] for record in records], np.int64) for key in ("offset", "size")
        )
        copies = np.array(["same_as" in record for record in records])
        return Places(np.repeat(np.arange(len(counts)), counts), offsets, copies, sizes)

    def _pictures(self, windows: Dataset) -> tuple[tuple[str, np.ndarray, np.ndarray], ...]:
        """Of each class the first frame with its points, and the mean window, first channel."""
        classes = np.array([windows.class_of(row) for row in range(len(windows))])
        return tuple(
            (name, frame, flat_grey(windows.images[classes == name, :1].mean(axis=0), 0.0, 1.0))
            for name, frame in self._firsts.items()
        )

    def _reading(self) -> str:
        how, (low, high) = self.how, QUANTILES
        around = how.around if isinstance(how.around, str) else how.around.name
        text = (
            f"the quantiles {low:g} and {high:g} of each frame became 0 and 1, windows of "
            f"{how.side} pixels around {around} by {how.kernel} resampling"
        )
        several = how.channels != ("t x1",)
        return f"{text}, channels {', '.join(how.channels)}" if several else text

    def _nothing(self, without_later: Mapping[str, int]) -> str:
        """Why there are no windows."""
        how = self.how
        if not self.facts:
            return (
                f"{how.around}: no frame with points ({', '.join(list(without_later)[:3])}) has "
                f"one {how.lag} later; take a smaller lag."
            )
        frames = f"{self.facts[0]['name']} and {len(self.facts) - 1} more frames"
        frames = frames if len(self.facts) > 1 else self.facts[0]["name"]
        points = sum(fact["points"] for fact in self.facts)
        if points:
            return (
                f"{frames}: all {points} points are nearer to an edge than {how.reach / 2:g} "
                "voxels, so that no window lies inside of its frame; take a smaller window."
            )
        remedy = {
            "peaks": "seek dark ones (--dark), or nearer ones (--spacing)",
            "particles": "seek dark or smaller ones (--dark, --spacing), or tell them otherwise "
            "(--segment)",
        }.get(str(how.around), "give other frames")
        return f"{frames}: no {how.around} found; {remedy}, or give a CSV file of points."


def _known(frame: Frame, how: Windowing) -> dict[str, Any]:
    """What is recorded of all windows of a frame."""
    sides = zip(frame.bars, ("top", "bottom"), strict=True)
    steps = [f"cut {rows} rows off the {side}" for rows, side in sides if rows]
    steps.append(f"scaled by the quantiles {QUANTILES[0]:g} and {QUANTILES[1]:g} of the frame")
    steps.append(f"windows cut by {how.kernel} resampling")
    length = read_length(how.side, max(how.scales), how.kernel)
    return {
        "file": frame.movie.file,
        "row": frame.row,
        "size": [length] * len(frame.corner),
        "levels": frame.levels,
        "channels": how.channels,
        "steps": steps,
        "thresholds": [],
        "cropped": list(frame.bars),
    }


def _marked(frame: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Picture (h, w) of a frame with a cross at each point, of a volume in its middle slice."""
    picture = flat_grey(frame[:1], 0.0, 1.0).copy()
    if frame.ndim == 4:
        points = points[np.abs(points[:, 0] - frame.shape[1] // 2) <= 1][:, 1:]
    for y, x in np.rint(points).astype(int):
        shade = 1.0 if picture[max(y - 2, 0) : y + 3, max(x - 2, 0) : x + 3].mean() < 0.5 else 0.0
        picture[max(y - 2, 0) : y + 3, x] = picture[y, max(x - 2, 0) : x + 3] = shade
    return picture
