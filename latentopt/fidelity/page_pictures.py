"""The pictures on the page of fidelity: statistics as bars, and structures in their colours."""

import math
from collections.abc import Sequence

import numpy as np

from generative.data.phase_colours import picture_of
from generative.training.model_card import add_phase_legend, side_by_side
from latentopt.fidelity.spaces import SpaceFidelity
from latentopt.pictures import plain_text, png_of
from objectives.phases import are_phases

__all__ = ["bars_png", "structures_png"]

_BARS = ("bar_original", "bar_reconstructed")
_COLOURS = ("#26364a", "#c8553d")


def bars_png(spaces: Sequence[SpaceFidelity]) -> bytes:
    """PNG of one panel a space: pairs of bars, original and reconstructed, for each group."""
    from matplotlib.figure import Figure

    groups = max(len(space.groups) for space in spaces)
    figure = Figure(figsize=(max(5, 1 + 0.8 * groups), 2.6 * len(spaces)), layout="constrained")
    axes = figure.subplots(len(spaces), 1, squeeze=False, sharex=True, sharey=True)[:, 0]
    for axis, space in zip(axes, spaces, strict=True):
        x = np.arange(len(space.groups))
        for k, name in enumerate(_BARS):
            heights = [group.figures.get(name, math.nan) for group in space.groups]
            errors = [group.figures.get(f"{name}_std", math.nan) for group in space.groups]
            axis.bar(
                x + 0.4 * k - 0.2, heights, 0.38, yerr=errors, capsize=3, color=_COLOURS[k],
                ecolor="#8c99a6", label=name.removeprefix("bar_"),
            )  # fmt: skip
        names = [plain_text(group.name) for group in space.groups]
        axis.set_xticks(x, names, rotation=30 if groups > 6 else 0)
        axis.set_title(plain_text(space.name), fontsize=10)
        axis.set_ylabel("mean of statistics")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", frameon=False, ncols=2, fontsize=8)
    return png_of(figure)


def structures_png(spaces: Sequence[SpaceFidelity]) -> bytes:
    """PNG of rows of held-out structures, their reconstructions by each space, and its samples."""
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
    return png_of(figure)
