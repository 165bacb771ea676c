"""Interpolations as files: a table, the same as JSON, the paths as pictures, charts of figures."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from generative.data.phase_colours import picture_of
from generative.training.model_card import add_phase_legend
from latentopt.csv_tables import csv_table
from latentopt.export.whole_file import make_folder, write_whole
from latentopt.fidelity.interpolation import FIGURES, InterpolationFigures
from latentopt.pictures import plain_text, png_of
from latentopt.space.arguments import AnyArray
from latentopt.version import __version__
from objectives.arrays import as_tensor
from objectives.phases import are_phases

__all__ = ["FILES", "write_interpolation"]

FILES = ("paths.png", "distances.png", "table.csv", "interpolation.json")

FORMAT_VERSION = 1
SHOWN = 10  # positions of a path in the picture, at most
CHARTS = {
    "distance": "distance from the data",
    "greyness": "greyness",
    "interface": "interface kept",
    "step": "step over mean step",
}
_COLOURS = ("#26364a", "#c8553d", "#6fa58f", "#f2a541", "#7d5a86", "#8cc1cf", "#5d6b2f", "#d98cb3")
_COLOUR_OF_CONTROL = "#9a9a9a"


def write_interpolation(
    found: Sequence[InterpolationFigures],
    pairs: AnyArray,
    folder: Path | str,
    facts: Mapping[str, object],
    *,
    overwrite: bool = False,
) -> Path:
    """Write ``paths.png``, ``distances.png``, ``table.csv`` and ``interpolation.json``.

    Parameters
    ----------
    found
        As `interpolation_figures` gives them.
    pairs
        The images it was given, ``(p, 2, c, *space)``; the picture is of the first pair.
    folder
        Made if need be; older files of ours are replaced.
    facts
        What the reader should know by title: data, pairs, seed.
    overwrite
        Replace files that are not ours, too.

    Returns
    -------
    Path of the picture of the paths. The table has a row for each path and position: 5 %, median
    and 95 % over pairs of each of `FIGURES`, empty where there is none.

    Raises
    ------
    OutputError
        A file that is not ours has one of the names.
    ExportError
        If a file cannot be written.
    """
    folder = Path(folder)
    ends = as_tensor(pairs)
    phases = bool(are_phases(ends.flatten(0, 1)))
    pictures = _paths_png(found, ends[0].numpy(), phases=phases), _charts_png(found)
    contents = (*pictures, _csv(found).encode(), _json(found, facts).encode())
    make_folder(folder)
    files = {folder / name: data for name, data in zip(FILES, contents, strict=True)}
    write_whole(files, overwrite=overwrite)
    return folder / "paths.png"


# -- tables ---------------------------------------------------------------------------------------


def _csv(found: Sequence[InterpolationFigures]) -> str:
    heads = [f"{name}_{level}" for name in FIGURES for level in ("5", "median", "95")]
    rows: list[list[object]] = [["space", "way", "position", "t", *heads]]
    for path in found:
        values = torch.cat([path.quantiles(name) for name in FIGURES]).T.tolist()
        for k, (t, row) in enumerate(zip(path.positions.tolist(), values, strict=True)):
            rows.append([path.name, path.how, k, t, *("" if v != v else v for v in row)])
    return csv_table(rows)


def _json(found: Sequence[InterpolationFigures], facts: Mapping[str, object]) -> str:
    """Figures of every pair; null where there is none."""
    paths = [
        {
            "space": path.name,
            "way": path.how,
            "reconstructed": path.reconstructed,
            "largest_step": _or_null(path.largest_step),
            "figures": {
                name: [[_or_null(value) for value in row] for row in values.tolist()]
                for name, values in path.figures.items()
            },
        }
        for path in found
    ]
    document = {
        "format_version": FORMAT_VERSION,
        "facts": {**facts, "report": f"latentopt {__version__}"},
        "figures": FIGURES,
        "positions": found[0].positions.tolist(),
        "paths": paths,
    }
    return json.dumps(document, indent=2, allow_nan=False, ensure_ascii=False) + "\n"


def _or_null(value: float) -> float | None:
    return value if math.isfinite(value) else None


# -- pictures -------------------------------------------------------------------------------------


def _paths_png(
    found: Sequence[InterpolationFigures],
    originals: Float[np.ndarray, "2 c *space"],
    *,
    phases: bool,
) -> bytes:
    """A row for each path of the first pair, uncut, between the two originals.

    A voxel that is not decided has a mixture of the colours of its phases.
    """
    from matplotlib.figure import Figure

    n = len(found[0].positions)
    shown = np.linspace(0, n - 1, min(SHOWN, n)).round().astype(int)
    titles = ["a", *(f"t = {found[0].positions[k]:.2f}" for k in shown), "b"]
    figure = Figure(
        figsize=(1.2 + 1.2 * len(titles), 0.3 + 1.25 * len(found)), layout="constrained"
    )
    axes = figure.subplots(len(found), 1, squeeze=False)[:, 0]
    centres: list[float] = []  # the same in each row
    for axis, path in zip(axes, found, strict=True):
        images = [originals[0], *path.paths[0, shown].numpy(), originals[1]]
        strip, centres = _strip([picture_of(image, phases=phases) for image in images])
        axis.imshow(strip, interpolation="nearest")
        axis.set(xticks=[], yticks=[])
        axis.set_frame_on(False)
        axis.set_ylabel(plain_text(f"{path.name}\n{path.how}"), fontsize=8)
    axes[0].set_xticks(centres, titles, fontsize=8)
    axes[0].tick_params(top=False, bottom=False, labeltop=True, labelbottom=False)
    if phases:
        add_phase_legend(figure, originals.shape[1])
    return png_of(figure)


def _strip(
    pictures: Sequence[Float[np.ndarray, "h w 3"]],
) -> tuple[Float[np.ndarray, "h w_of_all 3"], list[float]]:
    """Pictures side by side, white between them, more of it at the two ends; and their centres."""
    height, width, _ = pictures[0].shape
    narrow = max(1, width // 24)
    parts, centres = [], []
    for k, picture in enumerate(pictures):
        if parts:
            gap = 3 * narrow if k in (1, len(pictures) - 1) else narrow
            parts.append(np.ones((height, gap, 3)))
        centres.append(sum(part.shape[1] for part in parts) + (width - 1) / 2)
        parts.append(picture)
    return np.hstack(parts), centres


def _charts_png(found: Sequence[InterpolationFigures]) -> bytes:
    """Each figure against the position: median over pairs, band from 5 to 95 %."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 6.4), layout="constrained")
    axes = figure.subplots(2, 2).ravel()
    for axis, (name, title) in zip(axes, CHARTS.items(), strict=True):
        for k, path in enumerate(found):
            control = path.how == "blend"
            colour = _COLOUR_OF_CONTROL if control else _COLOURS[k % len(_COLOURS)]
            low, median, high = path.quantiles(name).numpy()
            t = path.positions.numpy()
            axis.plot(
                t, median, "--" if control else "-", marker="o", markersize=3, color=colour,
                label=plain_text(f"{path.name} {path.how}"),
            )  # fmt: skip
            axis.fill_between(t, low, high, color=colour, alpha=0.1, linewidth=0)
        axis.axhline(0 if name == "greyness" else 1, color="#cccccc", linewidth=1, zorder=0)
        axis.set_title(title, fontsize=10)
        axis.set_ylim(bottom=0)
    for axis in axes[2:]:
        axis.set_xlabel("position t, from a (0) to b (1)")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", frameon=False, ncols=4, fontsize=8)
    return png_of(figure)
