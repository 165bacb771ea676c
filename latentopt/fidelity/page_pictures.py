"""The pictures on the page of fidelity: statistics as bars, and structures in their colours."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from generative.data.phase_colours import picture_of
from generative.training.model_card import add_phase_legend, side_by_side
from latentopt.fidelity.spaces import SpaceFidelity
from latentopt.pictures import plain_text, png_of
from objectives.phases import are_phases

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["bars_png", "structures_png"]

_BARS = ("bar_original", "bar_reconstructed")
_COLOURS = ("#26364a", "#c8553d")
_DARK_COLOURS = ("#46779a", "#b25c46")
DARK_INK = "#dbe4ee"  # of text and lines on a dark page, as its style sheet has it


def bars_png(spaces: Sequence[SpaceFidelity], *, dark: bool = False) -> bytes:
    """PNG of one panel a space: pairs of bars, original and reconstructed, for each group.

    It is on white, or transparent in colours for a dark page.
    """
    from matplotlib.figure import Figure

    groups = max(len(space.groups) for space in spaces)
    figure = Figure(figsize=(max(5, 1 + 0.8 * groups), 2.6 * len(spaces)), layout="constrained")
    axes = figure.subplots(len(spaces), 1, squeeze=False, sharex=True, sharey=True)[:, 0]
    colours, line = (_DARK_COLOURS, DARK_INK) if dark else (_COLOURS, "#8c99a6")
    for axis, space in zip(axes, spaces, strict=True):
        x = np.arange(len(space.groups))
        for k, name in enumerate(_BARS):
            heights = [group.figures.get(name, math.nan) for group in space.groups]
            errors = [group.figures.get(f"{name}_std", math.nan) for group in space.groups]
            axis.bar(
                x + 0.4 * k - 0.2, heights, 0.38, yerr=errors, capsize=3, color=colours[k],
                ecolor=line, label=name.removeprefix("bar_"),
            )  # fmt: skip
        names = [plain_text(group.name) for group in space.groups]
        axis.set_xticks(x, names, rotation=30 if groups > 6 else 0)
        axis.set_title(plain_text(space.name), fontsize=10)
        axis.set_ylabel("mean of statistics")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", frameon=False, ncols=2, fontsize=8)
    return _on_dark(figure) if dark else png_of(figure)


def structures_png(spaces: Sequence[SpaceFidelity], *, dark: bool = False) -> bytes:
    """PNG of rows of held-out structures, their reconstructions by each space, and its samples.

    It is on white, or transparent with text for a dark page.
    """
    from matplotlib.figure import Figure

    phases = bool(are_phases(spaces[0].held_out))
    rows = {"held-out": spaces[0].held_out}
    for space in spaces:
        if len(space.reconstructed):
            rows[f"{space.name}\nreconstructed"] = space.reconstructed
        rows[f"{space.name}\nsamples"] = space.samples
    columns = max(len(images) for images in rows.values())
    figure = Figure(figsize=(1 + 1.3 * columns, 1.35 * len(rows)), layout="constrained")
    axes = figure.subplots(len(rows), 1, squeeze=False)[:, 0]
    for axis, (name, images) in zip(axes, rows.items(), strict=True):
        axis.set(xticks=[], yticks=[])
        axis.set_frame_on(False)
        axis.set_ylabel(plain_text(name), fontsize=8)
        pictures = [picture_of(image, phases=phases) for image in np.asarray(images)]
        axis.imshow(side_by_side(pictures, columns), interpolation="nearest")
    if phases:
        add_phase_legend(figure, spaces[0].held_out.shape[1])
    return _on_dark(figure) if dark else png_of(figure)


def _on_dark(figure: "Figure") -> bytes:
    """PNG of a figure without ground, its text and lines in light ink."""
    from matplotlib.spines import Spine
    from matplotlib.text import Text

    for axis in figure.axes:
        axis.tick_params(color=DARK_INK)
        axis.patch.set_alpha(0)
    for text in figure.findobj(Text):
        text.set_color(DARK_INK)
    for spine in figure.findobj(Spine):
        spine.set_edgecolor(DARK_INK)
    figure.patch.set_alpha(0)
    return png_of(figure)
