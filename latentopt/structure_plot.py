"""A structure on Matplotlib axes in micrometres, and as image data of PyVista."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import UInt8

from latentopt.pictures import PHASE_COLOURS, panels
from latentopt.printable import one_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["image_data", "plot"]

# Axes down and to the right of what is shown: of an image, and of each middle slice of a volume.
_PLANES = {2: ((0, 1),), 3: ((1, 2), (0, 2), (0, 1))}


def plot(
    phases: UInt8[np.ndarray, "*space"],
    voxel_size_m: Sequence[float],
    phase_names: Sequence[str],
    ax: "Axes | None" = None,
) -> "Axes | np.ndarray":
    """A structure in the colours of its phases, with their names, axes in micrometres.

    The parameters are those of a `Microstructure`.

    Parameters
    ----------
    ax
        Axes for an image; without it a new figure of pyplot is made, as for every volume.

    Returns
    -------
    The axes of an image, or an array of three: the middle slices of a volume across z, y and x.

    Raises
    ------
    ValueError
        For axes given for a volume, which takes three.
    """
    dims = phases.ndim
    if ax is not None and dims == 3:
        raise ValueError(
            "a volume is shown on three axes, got one. Leave ax out, or plot one slice: "
            "a Microstructure of phases[k]."
        )
    drawn = [ax] if ax is not None else _new_axes(len(_PLANES[dims]))
    images, titles = panels(phases)
    for one, image, title, plane in zip(drawn, images, titles, _PLANES[dims], strict=True):
        _draw(one, image, [voxel_size_m[axis] * 1e6 for axis in plane])
        down, right = (("zyx" if dims == 3 else "yx")[axis] for axis in plane)
        one.set_xlabel(f"{right} (µm)")
        one.set_ylabel(f"{down} (µm)")
        one.set_title(f"{title} (voxel)" if title else "")
    _name_phases(drawn[-1], phase_names)
    return drawn[0] if dims == 2 else np.array(drawn, dtype=object)


def image_data(
    phases: UInt8[np.ndarray, "*space"],
    voxel_size_m: Sequence[float],
    phase_names: Sequence[str],
) -> Any:
    """``pyvista.ImageData`` with the phase of every voxel, lengths in metres.

    The grid is that of the exporter ``damask``: x is the fastest axis, the origin 0, and an image
    is one voxel thick, as thick as a voxel is wide. The parameters are those of a `Microstructure`.

    Returns
    -------
    Cell data ``phase``, uint8, and field data ``phase_names``.

    Raises
    ------
    ImportError
        Without PyVista, which is not installed with latentopt.
    """
    try:
        from pyvista import ImageData
    except ImportError:
        raise ImportError("to_pyvista needs PyVista: pip install pyvista") from None
    if phases.ndim == 2:
        phases, voxel_size_m = phases[None], (voxel_size_m[-1], *voxel_size_m)
    grid = ImageData(
        dimensions=tuple(n + 1 for n in reversed(phases.shape)),
        spacing=tuple(reversed(voxel_size_m)),
    )
    grid.cell_data["phase"] = np.array(phases).ravel()  # a copy, which PyVista may write to
    grid.field_data["phase_names"] = list(phase_names)
    return grid


def _new_axes(n: int) -> list[Any]:
    from matplotlib import pyplot  # as every plot of a notebook: pyplot.show() shows it

    _, axes = pyplot.subplots(1, n, figsize=(4.5 * n + 2, 4.5), squeeze=False, layout="constrained")
    return list(axes[0])


def _draw(ax: Any, image: UInt8[np.ndarray, "_ _"], edges_um: Sequence[float]) -> None:
    from matplotlib.colors import BoundaryNorm, ListedColormap

    height, width = (n * edge for n, edge in zip(image.shape, edges_um, strict=True))
    ax.imshow(
        image % len(PHASE_COLOURS),
        cmap=ListedColormap(PHASE_COLOURS),
        norm=BoundaryNorm(np.arange(len(PHASE_COLOURS) + 1) - 0.5, len(PHASE_COLOURS)),
        extent=(0.0, width, height, 0.0),  # rows run downwards
        interpolation="nearest",  # anything else would mix phases to a third one
    )


def _name_phases(ax: Any, names: Sequence[str]) -> None:
    from matplotlib.patches import Patch

    keys = [
        Patch(facecolor=PHASE_COLOURS[k % len(PHASE_COLOURS)], edgecolor="grey")
        for k in range(len(names))
    ]
    # Names are set afterwards: a legend leaves out those that begin with an underscore.
    legend = ax.legend(
        keys, [str(k) for k in range(len(names))], loc="upper left", bbox_to_anchor=(1.02, 1)
    )
    for text, name in zip(legend.get_texts(), names, strict=True):
        text.set_parse_math(False)
        text.set_text(one_line(name, 40))
