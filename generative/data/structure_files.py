"""One two-phase structure in one file, by the same rule as images for training."""

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from generative.data.check import by
from generative.data.formats.readers import open_source
from generative.data.grey.phases import read_phases
from generative.data.read import decode
from generative.errors import DataError

log = logging.getLogger("generative.data")


@dataclass(frozen=True)
class StructureFiles:
    """Reader of the targets of `objectives.two_point_target.TwoPointTarget`."""

    def read(self, path: Path) -> Float64[np.ndarray, "*space"]:
        """What `read_structure` reads."""
        return read_structure(path)

    def voxel_size_um(self, path: Path) -> tuple[float, ...] | None:
        """What `voxel_size_um` says."""
        return voxel_size_um(path)


def voxel_size_um(path: Path) -> tuple[float, ...] | None:
    """Edges of a voxel along (z,) y, x as the file or its sidecar says them; None if neither does.

    Raises
    ------
    DataError
        If the file cannot be read.
    """
    size = open_source(Path(path), single=True).voxel_size_m
    return size and tuple(float(f"{edge * 1e6:.12g}") for edge in size)


def read_structure(path: Path) -> Float64[np.ndarray, "*space"]:
    """The share of phase 1 in every voxel of a picture or volume, (h, w) or (d, h, w).

    Two distinct values are phases 0 and 1, as `read_phases` reads them; floats in [0, 1] are
    shares. Three axes of an array are one volume. What became of the values is logged.

    Raises
    ------
    DataError
        If the file cannot be read, holds several structures, or is not of two phases.
    """
    path = Path(path)
    source = open_source(path, single=True)
    if source.shape[0] != 1:
        raise DataError(f"{path}: holds {source.shape[0]} structures of {by(source.shape[2:])}; "
                        "give a file with one.")  # fmt: skip
    raw = decode(source, [path.name])
    values = np.unique(raw)
    shares = raw.dtype.kind == "f" and len(values) > 2
    read = read_phases(
        raw,
        grey="keep" if shares else "labels",
        names=[path.name],
        indexed=source.indexed,
        lossy=source.lossy,
    )
    if read.images.shape[1] != 1:
        if source.colour:
            raise DataError(f"{path}: colours; segment it into two phases first.")
        raise DataError(
            f"{path}: expected 0 and one other value, got {len(values)} from {values[0]:g} to "
            f"{values[-1]:g}. Segment it first."
        )
    log.info("%s: %s", path, read.reading)
    # Shares keep the precision they were given with.
    structure = np.clip(raw, 0, 1) if shares and read.images.max() <= 1 else read.images
    return structure[0, 0].astype(np.float64)
