"""Which axis of an array is which: said by letters, or read from a shape that leaves no doubt.

The letters are n (images), t (times of one specimen), c (channels), z, y and x.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from generative.data.check import by
from generative.errors import DataError

LETTERS = "ntczyx"
MAX_CHANNELS = 4
_LONGEST = 4  # times as high as wide is the most that a picture is taken for


@dataclass(frozen=True)
class Layout:
    """How an array becomes images (n, c, *space).

    Parameters
    ----------
    shape
        (n, c, *space).
    order
        Axes of the array, in the order of n, t, c, z, y, x.
    images_a_parent
        Images in a row that belong to one specimen: its slices or times.
    """

    shape: tuple[int, ...]
    order: tuple[int, ...]
    images_a_parent: int = 1

    def __call__(self, array: np.ndarray) -> np.ndarray:
        """The array in that shape."""
        return array.transpose(self.order).reshape(self.shape)


def array_layout(
    shape: tuple[int, ...], spatial_dims: int | None, path: Path, axes: str | None = None
) -> Layout:
    """How an array of ``shape`` becomes images (n, c, *space).

    Without ``axes``, two axes are one image (h, w), three are images (n, h, w), five are volumes
    with channels (n, c, d, h, w). Four are images with channels (n, c, h, w) if axis 1 has at most
    4 entries and fewer than both axes after it, else volumes (n, d, h, w). A last axis of one entry
    is that of the channels: (h, w, 1), (n, h, w, 1), (t, z, y, x, 1). With ``spatial_dims``, s axes
    are one image, s + 1 are (n, *space) and s + 2 are (n, c, *space).

    A shape that could as well be read otherwise is refused until ``axes`` or ``spatial_dims`` says
    it: a cube, pictures with their channels last, and stacks with their images last.

    Parameters
    ----------
    shape
        Shape of the saved array.
    spatial_dims
        2, 3, or None for the rule above. 2 takes every z of ``axes`` as an image of its own.
    path
        File, for the message.
    axes
        A letter for each axis, such as ``"zyx"`` or ``"yxc"``.

    Raises
    ------
    DataError
        If no reading fits, or more than one, or the array is empty.

    Examples
    --------
    >>> array_layout((10, 1, 64, 64), None, Path("a.npy")).shape
    (10, 1, 64, 64)
    >>> array_layout((10, 21, 21, 21), None, Path("a.npy")).shape
    (10, 1, 21, 21, 21)
    >>> array_layout((400, 400, 400), 3, Path("a.npy")).shape
    (1, 1, 400, 400, 400)
    >>> array_layout((64, 64, 3), None, Path("a.npy"), "yxc").shape
    (1, 3, 64, 64)
    """
    if 0 in shape:
        raise DataError(f"{path}: holds no images, its array has shape {shape}; save it again.")
    if axes is None:
        axes = _read_axes(shape, spatial_dims, path)
    letters = _checked(axes, shape, path)
    sizes = {letter: size for letter, size in zip(letters, shape, strict=True) if letter != "1"}
    order = tuple(letters.index(letter) for letter in LETTERS if letter in letters)
    order = (*(at for at, letter in enumerate(letters) if letter == "1"), *order)
    depth = sizes.get("z", 1)
    volume = spatial_dims == 3 or (spatial_dims is None and depth > 1)
    if spatial_dims == 3 and "z" not in sizes:
        raise DataError(
            f"{path}: expected a volume for spatial_dims=3, got axes {axes!r} of {by(shape)}; name "
            "an axis z, or leave out spatial_dims."
        )
    n, times = sizes.get("n", 1), sizes.get("t", 1)
    space = (depth, sizes["y"], sizes["x"])[0 if volume else 1 :]
    images_a_parent = times * (1 if volume else depth)
    if not volume:  # z before c: a slice is an image
        order = tuple(sorted(order, key=lambda at: "1ntzcyx".index(letters[at])))
    return Layout((n * images_a_parent, sizes.get("c", 1), *space), order, images_a_parent)


def single_axes(shape: tuple[int, ...], path: Path) -> str | None:
    """Letters of an array that holds one structure: its axes of more than one entry are space.

    None where these are not two or three, so that `array_layout` says what is expected.

    >>> single_axes((1, 10, 32, 32, 1), Path("a.npy"))
    '1zyx1'
    """
    space = [at for at, size in enumerate(shape) if size != 1]
    if len(space) not in (2, 3):
        return None
    if len(space) == 3:
        _check_order(tuple(shape[at] for at in space), 3, path)
    letters = iter("zyx"[-len(space) :])
    return "".join("1" if size == 1 else next(letters) for size in shape)


def _checked(axes: str, shape: tuple[int, ...], path: Path) -> str:
    """The letters, one an axis; ``1`` is an axis of one entry that is left out."""
    letters = axes.lower()
    known = set(letters) <= {*LETTERS, "1"}
    plain = letters.replace("1", "")
    if not known or len(set(plain)) < len(plain) or not {"y", "x"} <= set(plain):
        raise DataError(
            f"{path}: axes should be different letters of {', '.join(LETTERS)}, y and x among "
            f"them, such as zyx or nyxc, got {axes!r}."
        )
    if len(letters) != len(shape):
        raise DataError(
            f"{path}: expected an axis for each of {len(letters)} letters of axes={axes!r}, got "
            f"the shape {by(shape)}; give {len(shape)} letters."
        )
    return letters


def _read_axes(shape: tuple[int, ...], spatial_dims: int | None, path: Path) -> str:
    """Letters by the rule of `array_layout`; a doubt is refused."""
    rank = len(shape)
    if shape and shape[-1] == 1 and rank > (spatial_dims or 2):
        return _without_channels(shape[:-1], spatial_dims, path) + "c"
    _check_order(shape, spatial_dims, path)
    channels_first = rank == 4 and shape[1] <= MAX_CHANNELS and shape[1] < min(shape[2:])
    dims = spatial_dims or (2 if rank <= 3 or channels_first else 3)
    return _of_rank(shape, dims, spatial_dims, path, "nc")


def _without_channels(shape: tuple[int, ...], spatial_dims: int | None, path: Path) -> str:
    """Letters of the axes before a last one of one channel."""
    rank = len(shape)
    if rank > 4 and shape[0] == 1:
        return "1" + _without_channels(shape[1:], spatial_dims, path)
    _check_order(shape, spatial_dims, path)
    dims = spatial_dims or (2 if rank <= 3 or (rank == 4 and shape[1] == 1) else 3)
    return _of_rank(shape, dims, spatial_dims, path, "nz" if dims == 2 else "n")


def _of_rank(shape: tuple[int, ...], dims: int, asked: int | None, path: Path, before: str) -> str:
    """Letters of ``dims`` axes of space and of those before them."""
    more = len(shape) - dims
    if 0 <= more <= len(before):
        return before[:more] + "zyx"[-dims:]
    wanted = "" if asked is None else f" for spatial_dims={asked}"
    remedy = "; say which is which with axes= (--axes), such as tzcyx" if more > 0 else ""
    raise DataError(
        f"{path}: expected an array of shape (n, h, w), (n, c, h, w), (n, d, h, w) or "
        f"(n, c, d, h, w){wanted}, got {len(shape)} axes "
        f"({by(shape) or 'a single number'}){remedy}."
    )


def _check_order(shape: tuple[int, ...], spatial_dims: int | None, path: Path) -> None:
    """Refuse a shape that another order of its axes explains as well."""
    rank, last = len(shape), shape[-1] if shape else 0
    few_last = 2 <= last <= MAX_CHANNELS and rank >= 3 and last < min(shape[-3:-1])
    channels_first = rank == 4 and shape[1] <= MAX_CHANNELS and shape[1] < min(shape[2:])
    said = spatial_dims == 3 and rank != 5
    if few_last and not said and not channels_first and (rank < 5 or shape[1] > MAX_CHANNELS):
        plain = {3: "yxc", 4: "nyxc", 5: "nzyxc"}.get(rank, "nzyxc")
        order = {3: "zyx", 4: "nzyx"}.get(rank)
        volumes = f", or axes={order!r} if these are volumes" if order else ""
        raise DataError(
            f"{path}: shape {shape} seems to have its channels last; save it as "
            f"np.moveaxis(a, -1, {max(rank - 3, 0)}), or pass axes={plain!r} (--axes {plain})"
            f"{volumes}{_or_images(rank)}."
        )
    if rank == 5 and shape[1] > MAX_CHANNELS and shape[2] == 1:
        raise DataError(
            f"{path}: shape {shape} could be {shape[1]} channels of flat volumes or, as Fiji "
            "saves it, slices of one channel; pass axes='nczyx' or axes='tzcyx' (--axes tzcyx)."
        )
    if rank == 3 and spatial_dims != 3:
        _check_three(shape, spatial_dims, path)


def _or_images(rank: int) -> str:
    return ", or axes='nyx' if these are images of that size" if rank == 3 else ""


def _check_three(shape: tuple[int, ...], spatial_dims: int | None, path: Path) -> None:
    first, height, width = shape
    cube = first == height == width
    if cube and spatial_dims is None and first > 1:
        raise DataError(
            f"{path}: shape {shape} could be one volume or {first} images; pass axes='zyx' "
            "(--axes zyx) for the volume, or axes='nyx' (--axes nyx) for images."
        )
    images_last = first == height != width and first > 1
    thin = width < first and _LONGEST * width < height
    if images_last or thin:
        raise DataError(
            f"{path}: shape {shape} could be {first} images of {height}x{width} or {width} of "
            f"{first}x{height}, their number last; pass axes='nyx' or axes='yxn' (--axes yxn), or "
            "axes='zyx' for a volume."
        )
