"""Pictures of structures as PNG bytes, every voxel a whole number of pixels.

Drawn on Matplotlib figures that no window or global state knows of, so any thread may draw.
"""

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Shaped, UInt8

from generative.data.phase_colours import PHASE_COLOURS
from latentopt.printable import one_line, printable

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from PIL import Image

__all__ = ["PHASE_COLOURS", "contact_sheet", "image_grid_png", "structure_png", "thumbnail_png"]

_LONG_SIDE = 240  # pixels of a drawn image, about
_THUMBNAIL = 128  # pixels of a thumbnail, at most
_GAP = 10
_TITLE = 20


@runtime_checkable
class Structure(Protocol):
    """What is drawn of a `Microstructure`."""

    @property
    def phases(self) -> UInt8[np.ndarray, "*space"]:
        """Phase labels ``(h, w)`` or ``(d, h, w)``."""
        ...


def structure_png(phases: UInt8[np.ndarray, "*space"]) -> bytes:
    """Picture of one structure: itself in 2-D, its three middle slices in 3-D.

    Parameters
    ----------
    phases
        Phase labels ``(h, w)`` or ``(d, h, w)``.

    Returns
    -------
    PNG file. Rows run downwards along y (along z in slices across y and x).
    """
    images, titles = panels(phases)
    return image_grid_png(images, titles, columns=3)


def thumbnail_png(phases: UInt8[np.ndarray, "*space"]) -> bytes:
    """Small picture of one structure, its middle slice along z in 3-D: under a kilobyte, quickly.

    A pixel a voxel, thinned to 128 pixels; a page enlarges it.
    """
    plane = phases if phases.ndim == 2 else phases[len(phases) // 2]
    thin = -(-max(plane.shape) // _THUMBNAIL)
    buffer = io.BytesIO()
    paletted_picture(plane[::thin, ::thin]).save(buffer, format="png", optimize=True)
    return buffer.getvalue()


def paletted_picture(plane: UInt8[np.ndarray, "h w"]) -> "Image.Image":
    """Picture of one byte a voxel, which is saved in the colours of the phases."""
    from PIL import Image

    picture = Image.fromarray(plane % len(PHASE_COLOURS), mode="P")
    picture.putpalette(bytes.fromhex("".join(colour[1:] for colour in PHASE_COLOURS)))
    return picture


def contact_sheet(
    structures: Sequence[Structure], titles: Sequence[str] = (), columns: int = 4
) -> bytes:
    """Many structures on one picture: `columns` to a row in 2-D, one to a row in 3-D."""
    images, names = [], []
    for index, structure in enumerate(structures):
        drawn, slices = panels(structure.phases)
        title = titles[index] if titles else ""
        images += drawn
        names += [f"{title}  {slice_name}".strip() for slice_name in slices]
    three_dimensional = any(structure.phases.ndim == 3 for structure in structures)
    return image_grid_png(images, names, columns=3 if three_dimensional else columns)


def image_grid_png(
    images: Sequence[Shaped[np.ndarray, "_ _"]], titles: Sequence[str] = (), columns: int = 4
) -> bytes:
    """Images in rows of `columns`, each under its title.

    Parameters
    ----------
    images
        Phase labels if uint8, otherwise grey levels in [0, 1]; sizes may differ.
    titles
        One for each image, or none.
    columns
        Images in a row.

    Returns
    -------
    PNG file. Images under half of 240 pixels are enlarged by whole numbers, those above 480
    thinned to every second, third, ... voxel.

    Raises
    ------
    ValueError
        If there is no image, or the titles do not match.
    """
    if not images or (titles and len(titles) != len(images)):
        raise ValueError(
            f"image_grid_png needs one or more images and a title for each or none, "
            f"got {len(images)} images and {len(titles)} titles."
        )
    tiles = [_enlarged(_colours(np.asarray(image))) for image in images]
    columns = min(columns, len(tiles))
    head = _TITLE if any(titles) else 0
    width = max(tile.shape[1] for tile in tiles) + _GAP
    height = max(tile.shape[0] for tile in tiles) + head + _GAP
    rows = -(-len(tiles) // columns)
    page = np.full((rows * height - _GAP, columns * width - _GAP, 3), 255, dtype=np.uint8)
    texts = []
    for index, tile in enumerate(tiles):
        top, left = index // columns * height, index % columns * width
        page[top + head : top + head + tile.shape[0], left : left + tile.shape[1]] = tile
        texts.append((left, top, titles[index] if titles else ""))
    return _png(page, texts)


def panels(phases: UInt8[np.ndarray, "*space"]) -> tuple[list[np.ndarray], list[str]]:
    """Planes by which a structure is shown, and their titles: itself, or three middle slices."""
    if phases.ndim == 2:
        return [phases], [""]
    middle = [n // 2 for n in phases.shape]
    slices = [phases.take(index, axis) for axis, index in enumerate(middle)]
    return slices, [f"{name} = {index}" for name, index in zip("zyx", middle, strict=True)]


def _colours(image: np.ndarray) -> np.ndarray:
    """RGB bytes of labels or grey levels."""
    if image.dtype != np.uint8:
        grey = np.rint(255 * np.clip(image, 0, 1)).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=-1)
    table = np.array([tuple(bytes.fromhex(colour[1:])) for colour in PHASE_COLOURS], dtype=np.uint8)
    return table[image % len(table)]


def _enlarged(tile: np.ndarray) -> np.ndarray:
    longest = max(tile.shape[:2])
    thin = -(-longest // (2 * _LONG_SIDE))
    scale = max(1, round(_LONG_SIDE / longest))
    return tile[::thin, ::thin].repeat(scale, axis=0).repeat(scale, axis=1)


def _png(page: np.ndarray, texts: list[tuple[int, int, str]]) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    dpi = 100
    height, width = page.shape[:2]
    # A hundredth of a pixel more: the canvas rounds down, and 57 / 100 * 100 is 56.99999.
    figure = Figure(figsize=((width + 0.01) / dpi, (height + 0.01) / dpi), dpi=dpi)
    FigureCanvasAgg(figure)
    figure.figimage(page, 0, 0)
    for left, top, text in texts:
        figure.text(
            left / width, 1 - (top + _TITLE / 2) / height, one_line(text), fontsize=8, va="center",
            parse_math=False,
        )  # fmt: skip
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi)
    return buffer.getvalue()


def grey_picture(image: Float[np.ndarray, "c *space"]) -> Float[np.ndarray, "h w"]:
    """One grey picture: the middle slice of a volume, phases of several channels as levels."""
    levels = np.linspace(0, 1, len(image)) if len(image) > 1 else np.ones(1)
    picture = np.tensordot(levels, image, 1)
    return picture if picture.ndim == 2 else picture[len(picture) // 2]


def plain_text(text: str) -> str:
    """Printable text in which Matplotlib finds no formula: it reads those between dollars."""
    return printable(text).replace("$", r"\$")


def png_of(figure: "Figure") -> bytes:
    """A figure as a PNG file."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=90)
    return buffer.getvalue()
