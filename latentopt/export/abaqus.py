"""Input files for Abaqus and CalculiX: one C3D8 (3-D) or CPE4 (2-D) element for each voxel.

What a user adds is a step and, for each phase, the constants of its material: the ``*MATERIAL``
blocks are left empty, so that nothing runs with constants nobody chose.

Node sets, none of which is used unless the user names it:

- ``X_MIN``, ``X_MAX``, ...: faces (edges in 2-D). Node i of ``X_MAX`` lies opposite node i of
  ``X_MIN``.
- ``CORNER_000`` to ``CORNER_111`` (``CORNER_00`` to ``CORNER_11``): digits are x, y, z, 1 at the
  far end.
- ``PERIODIC_X`` and ``IMAGE_X``, ``PERIODIC_XY`` and ``IMAGE_XY``, ...: every node at the far end
  of exactly these axes, and in the same order its image at their near ends. Each dependent node is
  in one such set only and no image is dependent, so the equations do not overlap at edges and
  corners. They stand in the file as comments, a copy without ``**`` away from use: with
  :math:`O` the corner at the origin and :math:`C_a` the corner along axis a,

  .. math:: u(p) - u(p') - \\sum_{a \\in S} \\bigl(u(C_a) - u(O)\\bigr) = 0,

  so the mean displacement gradient is prescribed at the corners. CalculiX takes node numbers
  instead of sets in ``*EQUATION``; `periodic_nodes` gives them.

Numbers take at most 20 characters, beyond which both programs cut them off.
"""

import json
import math
import textwrap
from itertools import combinations
from pathlib import Path

import numpy as np
from jaxtyping import Int16, Int64

from generative.data.check import Limits
from latentopt.export.meshing.hexahedra import (
    Column,
    column,
    coordinate_columns,
    element_nodes,
    lines,
    node_grid,
)
from latentopt.export.phase_sets import phase_of_set, phase_set_names
from latentopt.export.reading import EXPORTED
from latentopt.export.sidecar import write_with_sidecar
from latentopt.microstructure import Microstructure
from latentopt.version import __version__

_PER_LINE = 16  # the most that Abaqus reads from a line of a set


class AbaqusExporter:
    """Mesh with an element set, a section and an empty material for each phase; metres."""

    suffix = ".inp"

    def write(self, microstructure: Microstructure, path: Path, *, overwrite: bool = False) -> Path:
        """Write ``path`` and its sidecar; `ExportError` if that cannot be done."""
        data = encode(microstructure)
        return write_with_sidecar(
            microstructure, path, data, kind="abaqus", suffix=self.suffix, overwrite=overwrite
        )

    def read(self, path: Path, *, limits: Limits = EXPORTED) -> Int16[np.ndarray, "*space"]:
        """Voxels of a file that `write` made, from its nodes and element sets."""
        shape, sets = (), {}
        for block in Path(path).read_text(encoding="ascii").split("\n*"):
            keyword, _, data = block.partition("\n")
            if keyword == "NODE":
                nodes = np.array(data.replace("\n", ",").split(","), dtype=float)
                places = nodes.reshape(-1, 1 + len(data.partition("\n")[0].split(",")[1:]))[:, 1:]
                shape = tuple(np.unique(place).size - 1 for place in places.T[::-1])
            elif keyword.startswith("ELSET"):
                sets[keyword.partition("=")[2]] = data.replace("\n", ",").split(",")
        if math.prod(shape) != sum(len(elements) for elements in sets.values()):
            raise ValueError("elements are missing from the sets of the phases")
        limits.check((1, 1, *shape), str(path))
        labels = np.full(math.prod(shape), -1, dtype=np.int16)
        for name, elements in sets.items():
            labels[np.array(elements, dtype=int) - 1] = phase_of_set(name)
        if labels.size == 0 or labels.min() < 0:
            raise ValueError("elements are missing from the sets of the phases")
        return labels.reshape(shape)


def periodic_nodes(
    shape: tuple[int, ...],
) -> dict[str, tuple[Int64[np.ndarray, " pairs"], Int64[np.ndarray, " pairs"]]]:
    """Dependent nodes and their images for each set of axes, as numbered in the file (from 1).

    Parameters
    ----------
    shape
        Voxels along (z,) y, x.

    Returns
    -------
    For ``"X"``, ``"Y"``, ``"XY"``, ...: nodes at the far end of exactly these axes without the
    control corners, and the nodes at the near ends opposite to them. Empty sets are left out.

    Examples
    --------
    Two voxels side by side have nodes 1 to 3 below 4 to 6. The corners 1, 3 and 4 control.

    >>> periodic_nodes((1, 2))
    {'Y': (array([5]), array([2])), 'XY': (array([6]), array([1]))}
    """
    nodes = node_grid(shape) + 1
    axes = "ZYX"[-len(shape) :]
    pairs = {}
    for count in range(1, len(shape) + 1):
        for far in combinations(reversed(axes), count):
            ends = tuple(slice(-1, None) if axis in far else slice(-1) for axis in axes)
            starts = tuple(slice(1) if axis in far else slice(-1) for axis in axes)
            dependent, image = nodes[ends].ravel(), nodes[starts].ravel()
            if count == 1:  # the first is the control corner of the axis, opposite the origin
                dependent, image = dependent[1:], image[1:]
            if dependent.size:
                pairs["".join(far)] = (dependent, image)
    return pairs


def encode(microstructure: Microstructure) -> bytes:
    """The file as bytes."""
    shape = microstructure.phases.shape
    elements = column(range(1, microstructure.phases.size + 1))
    nodes = column(range(1, node_grid(shape).size + 1))
    corners = element_nodes(shape)
    kind = "C3D8" if len(shape) == 3 else "CPE4"
    names = phase_set_names(microstructure)
    parts = [
        _header(microstructure, names),
        b"*NODE\n",
        lines([nodes, *coordinate_columns(shape, microstructure.voxel_size_m, ".13e")], ","),
        f"*ELEMENT, TYPE={kind}\n".encode(),
        lines([elements, *(nodes[corner] for corner in corners.T)], ","),
    ]
    for name, members in _node_sets(shape).items():
        parts += [f"*NSET, NSET={name}\n".encode(), _set_lines(nodes[members - 1])]
    labels = microstructure.phases.ravel()
    for label in np.unique(labels):
        name = names[label]
        parts += [f"*ELSET, ELSET={name}\n".encode(), _set_lines(elements[labels == label])]
        parts += [
            f"*MATERIAL, NAME={name}\n"
            "** *ELASTIC\n** <Young's modulus in Pa>, <Poisson's ratio>\n"
            f"*SOLID SECTION, ELSET={name}, MATERIAL={name}\n".encode()
        ]
        if kind == "CPE4":
            parts.append(b"1.\n")  # thickness in metres
    parts.append(_equations(shape))
    return b"".join(parts)


def _header(microstructure: Microstructure, names: list[str]) -> bytes:
    """Heading, then in comments what is known of the structure; ASCII, as both programs ask."""
    notes = [
        f"voxel_sha256: {microstructure.sha256}",
        "Element 1 + i is voxel i in C order (x fastest); lengths in metres.",
        *(
            f"{plain}: {json.dumps(name)}, {int((microstructure.phases == label).sum())} elements"
            for label, (plain, name) in enumerate(
                zip(names, microstructure.phase_names, strict=True)
            )
        ),
        *(f"{key}: {json.dumps(value)}" for key, value in microstructure.provenance.items()),
    ]
    wrapped = [f"** {line}" for note in notes for line in textwrap.wrap(note, 76)]
    return "\n".join(
        ["*HEADING", f"latentopt {__version__}, lengths in metres", *wrapped, ""]
    ).encode("ascii", "backslashreplace")


def _node_sets(shape: tuple[int, ...]) -> dict[str, Int64[np.ndarray, " nodes"]]:
    """Faces, corners and periodic pairs, as node numbers from 1."""
    nodes = node_grid(shape) + 1
    sets = {}
    for place, axis in enumerate("ZYX"[-len(shape) :]):
        sets[f"{axis}_MIN"] = nodes.take(0, axis=place).ravel()
        sets[f"{axis}_MAX"] = nodes.take(-1, axis=place).ravel()
    for far in np.ndindex(*(2,) * len(shape)):  # x, y(, z)
        name = "CORNER_" + "".join(map(str, far))
        sets[name] = nodes[tuple(-end for end in reversed(far))][None]
    for axes, (dependent, image) in periodic_nodes(shape).items():
        sets[f"PERIODIC_{axes}"], sets[f"IMAGE_{axes}"] = dependent, image
    return sets


def _set_lines(members: Column) -> bytes:
    full = len(members) // _PER_LINE * _PER_LINE
    rows = members[:full].reshape(-1, _PER_LINE, members.shape[1])
    text = lines(list(rows.transpose(1, 0, 2)), ",") if full else b""
    return text + (lines(list(members[full:, None]), ",") if full < len(members) else b"")


def _equations(shape: tuple[int, ...]) -> bytes:
    """Periodic displacements in the words of Abaqus, as comments."""
    nodes = node_grid(shape) + 1
    origin = nodes.flat[0]
    corner: dict[str, np.integer] = {
        axis: nodes[tuple(-1 if other == axis else 0 for other in "ZYX"[-len(shape) :])]
        for axis in "ZYX"[-len(shape) :]
    }
    text = ["Periodic displacements (remove the ** to use them):", "*EQUATION"]
    for axes in periodic_nodes(shape):
        for freedom in range(1, len(shape) + 1):
            terms = [f"PERIODIC_{axes},{freedom},1.", f"IMAGE_{axes},{freedom},-1."]
            terms += [f"{corner[axis]},{freedom},-1." for axis in axes]
            terms.append(f"{origin},{freedom},{len(axes)}.")
            text.append(str(len(terms)))
            text += [",".join(terms[k : k + 4]) for k in range(0, len(terms), 4)]
    return "".join(f"** {line}\n" for line in text).encode()
