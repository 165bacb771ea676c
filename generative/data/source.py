"""What a file says of its images before they are decoded."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from generative.data.check import by
from generative.data.voxel_size import VoxelSize, check_voxel_size
from generative.errors import DataError

MAX_CHANNELS = 4


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
    one_parent
        Its images are cut from one specimen, as the pages of a stack are.
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
    one_parent: bool = True
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


def array_layout(shape: tuple[int, ...], spatial_dims: int | None, path: Path) -> tuple[int, ...]:
    """Shape (n, c, *space) of an array saved with or without an axis of channels.

    Without ``spatial_dims``, two axes are one image (h, w), three are images (n, h, w), five are
    volumes with channels (n, c, d, h, w). Four are images with channels (n, c, h, w) if axis 1 has
    at most 4 entries and fewer than both axes after it, else volumes (n, d, h, w). With
    ``spatial_dims``, s axes are one image, s + 1 are (n, *space) and s + 2 are (n, c, *space).

    Parameters
    ----------
    shape
        Shape of the saved array.
    spatial_dims
        2, 3, or None for the rule above.
    path
        File, for the message.

    Raises
    ------
    DataError
        If no reading fits, the array is empty, or the channels seem to come last.

    Examples
    --------
    >>> array_layout((10, 1, 64, 64), None, Path("a.npy"))
    (10, 1, 64, 64)
    >>> array_layout((10, 21, 21, 21), None, Path("a.npy"))
    (10, 1, 21, 21, 21)
    >>> array_layout((400, 400, 400), 3, Path("a.npy"))
    (1, 1, 400, 400, 400)
    """
    if 0 in shape:
        raise DataError(f"{path}: holds no images, its array has shape {shape}; save it again.")
    rank = len(shape)
    guess = spatial_dims
    if guess is None:
        channels_first = rank == 4 and shape[1] <= MAX_CHANNELS and shape[1] < min(shape[2:])
        guess = 2 if rank <= 3 or channels_first else 3
        if rank == 4 and guess == 3 and shape[3] <= MAX_CHANNELS and shape[3] < min(shape[1:3]):
            raise DataError(
                f"{path}: shape {shape} seems to have its channels last; save it as "
                "np.moveaxis(a, -1, 1), or pass spatial_dims=3 if these are volumes."
            )
    match rank - guess:
        case 0:
            return (1, 1, *shape)
        case 1:
            return (shape[0], 1, *shape[1:])
        case 2:
            return shape
    asked = "" if spatial_dims is None else f" for spatial_dims={spatial_dims}"
    raise DataError(
        f"{path}: expected an array of shape (n, h, w), (n, c, h, w), (n, d, h, w) or "
        f"(n, c, d, h, w){asked}, got {rank} axes ({by(shape) or 'a single number'})."
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
