"""The part of a MOOSE input file that reads phases from pictures."""

import re
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from jaxtyping import UInt8

from latentopt.errors import ExportError
from latentopt.microstructure import Microstructure
from latentopt.printable import one_line


def moose_input(
    microstructure: Microstructure, levels: UInt8[np.ndarray, " phases"], pictures: Sequence[str]
) -> str:
    """Blocks ``[Mesh]`` and ``[Functions]`` in which the function ``phase`` is the phase label.

    The mesh has an element for each voxel, in metres; MOOSE's own ``ImageMesh`` would make all
    voxels cubes. MOOSE counts the rows of a picture from below, hence ``flip_y``.

    Parameters
    ----------
    microstructure
        The structure in the pictures.
    levels
        Grey level of each phase, rising.
    pictures
        File names along z.

    Returns
    -------
    Text of the file.
    """
    dims = microstructure.spatial_dims
    counts, sizes = microstructure.phases.shape[::-1], microstructure.voxel_size_m[::-1]
    edges = [count * size for count, size in zip(counts, sizes, strict=True)]
    mesh = [f"dim = {dims}"]
    for axis, count, edge in zip("xyz", counts, edges, strict=False):
        mesh += [f"n{axis} = {count}", f"{axis}max = {edge!r}"]
    if dims == 3:
        base, last = pictures[0].removesuffix(".png").rstrip("0"), len(pictures) - 1
        files = [f"file_base = {_quoted(base)}", "file_suffix = png", f"file_range = '0 {last}'"]
    else:
        files = [f"file = {_quoted(pictures[0])}"]
    place = [
        "origin = '0 0 0'",
        f"dimensions = '{' '.join(map(repr, [*edges, 0.0][:3]))}'",
        "flip_y = true",
    ]
    lines = [
        "# Lengths in m. Phases: " + ", ".join(map(_named, enumerate(microstructure.phase_names))),
        "[Mesh]",
        *_block("voxels", ["type = GeneratedMeshGenerator", *mesh]),
        "[]",
        "[Functions]",
        *_functions(levels, [*files, *place]),
        "[]",
    ]
    return "\n".join([*lines, ""])


def _functions(levels: UInt8[np.ndarray, " phases"], image: list[str]) -> list[str]:
    """``phase`` itself where there are two; otherwise one step for each phase, and their sum."""
    between = [(int(low) + int(high)) / 2 for low, high in pairwise(levels)]
    between = between or [256.0]  # a single phase is black
    steps = [f"step_{label}" for label in range(1, len(between) + 1)]
    names = ["phase"] if len(steps) == 1 else steps
    lines = []
    for name, threshold in zip(names, between, strict=True):
        values = [f"threshold = {threshold}", "upper_value = 1", "lower_value = 0"]
        lines += _block(name, ["type = ImageFunction", *image, *values])
    if len(steps) > 1:
        total = [
            "type = ParsedFunction",
            f"expression = '{' + '.join(steps)}'",
            f"symbol_names = '{' '.join(steps)}'",
            f"symbol_values = '{' '.join(steps)}'",
        ]
        lines += _block("phase", total)
    return lines


def _block(name: str, lines: list[str]) -> list[str]:
    return [f"  [{name}]", *(f"    {line}" for line in lines), "  []"]


def _quoted(name: str) -> str:
    """A file's name as MOOSE takes it for one word.

    >>> _quoted("best.png"), _quoted("my best.png")
    ('best.png', "'my best.png'")
    """
    if re.fullmatch(r"[\w.+-]+", name):
        return name
    quote = next((q for q in ("'", '"') if q not in name), None)
    if quote is None or not name.isprintable():
        raise ExportError(
            f"MOOSE cannot read a file named {name!r}. Use letters, digits and underscores."
        )
    return f"{quote}{name}{quote}"


def _named(item: tuple[int, str]) -> str:
    label, name = item
    return f"{label} {one_line(name)}"
