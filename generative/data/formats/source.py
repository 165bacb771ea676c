"""What a file says of its images before they are decoded."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from generative.data.check import Limits, by
from generative.data.formats.palette import Indices
from generative.data.formats.voxel_size import VoxelSize, check_voxel_size
from generative.errors import DataError


@dataclass(frozen=True)
class Asked:
    """What the caller says of a file, where the file does not or is not to be believed.

    Parameters
    ----------
    spatial_dims
        2, 3, or None where the shape says it.
    dataset
        Which array of a file that holds several.
    shape, dtype
        Of RAW files.
    axes
        A letter for each axis of an array, as `array_layout`.
    limits
        Largest sizes accepted.
    indices
        What the indices of a palette are taken for.
    single
        The file holds one structure: three axes of an array are a volume.
    """

    spatial_dims: int | None = None
    dataset: str | None = None
    shape: Sequence[int] | None = None
    dtype: str | np.dtype | None = None
    axes: str | None = None
    limits: Limits = field(default_factory=Limits)
    indices: Indices = "auto"
    single: bool = False


@dataclass(frozen=True)
class Source:
    """Images in one file: the shape its header declares, and how to decode them.

    Parameters
    ----------
    path
        The file.
    shape
        (n, c, *space), known without decoding.
    dtype
        Boolean, integer or floating type of the values in the file.
    decode
        Returns the array of that shape and type.
    colour
        The file says that its three channels are red, green and blue.
    images_a_parent
        Images in a row that are cut from one specimen; None if all are, as the pages of a stack.
    indexed
        The values are indices of a palette: labels, however few or many.
    lossy
        The values were rounded by a compression that does not keep them, as JPEG.
    held_bytes
        Bytes of the file that hold the values; None if nearly all do.
    voxel_size_m
        Edges of a voxel along each axis of space in metres, None where the file does not say.

    Raises
    ------
    DataError
        If an edge is not a finite length above 0.
    """

    path: Path
    shape: tuple[int, ...]
    dtype: np.dtype
    decode: Callable[[], np.ndarray]
    colour: bool = False
    images_a_parent: int | None = None
    indexed: bool = False
    lossy: bool = False
    held_bytes: int | None = None
    voxel_size_m: VoxelSize | None = None

    def __post_init__(self) -> None:
        check_voxel_size(self.voxel_size_m, len(self.shape) - 2, str(self.path))

    @property
    def decoded_bytes(self) -> int:
        """Bytes of the values as the file types them."""
        return math.prod(self.shape) * self.dtype.itemsize


def check_real(dtype: np.dtype, path: Path) -> None:
    """Refuse values that are not real numbers: objects, records, text, complex.

    Raises
    ------
    DataError
        Naming the file and the type.
    """
    if dtype.kind not in "biuf":
        raise DataError(
            f"{path}: expected an array of real numbers, got type {dtype}; save a plain numeric "
            "array (pickled objects are never loaded)."
        )


def volume_layout(shape: tuple[int, ...], spatial_dims: int | None, path: Path) -> tuple[int, ...]:
    """Shape (n, c, *space) of one grid (z, y, x): a picture if one voxel thick, else a volume.

    Parameters
    ----------
    shape
        Voxels along (z, y, x) or (y, x).
    spatial_dims
        2 takes every slice of a volume as an image of its own; 3 or None keeps it whole.
    path
        File, for the message.

    Raises
    ------
    DataError
        If the grid holds no voxel.

    Examples
    --------
    >>> volume_layout((1, 8, 9), None, Path("a.vti")), volume_layout((4, 8, 9), 2, Path("a.vti"))
    ((1, 1, 8, 9), (4, 1, 8, 9))
    """
    if len(shape) not in (2, 3) or min(shape) < 1:
        raise DataError(
            f"{path}: expected a grid of two or three axes, got {by(shape) or 'none'} voxels; "
            "save it again."
        )
    shape = (1,) * (3 - len(shape)) + tuple(shape)
    flat = spatial_dims is None and shape[0] == 1
    return (shape[0], 1, *shape[1:]) if flat or spatial_dims == 2 else (1, 1, *shape)
