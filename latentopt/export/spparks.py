"""Site values for the command ``read_sites`` of SPPARKS, which sets the spins of a lattice."""

import math
import re
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from generative.data.check import Limits
from latentopt.export.reading import EXPORTED
from latentopt.export.sidecar import write_with_sidecar
from latentopt.microstructure import Microstructure
from latentopt.version import __version__


class SPPARKSExporter:
    """Header and section ``Values`` [1]_: site ids from 1, x fastest, and one value for each.

    The value is the phase label plus 1, for the spins of a Potts model start at 1. Lengths are in
    lattice constants, of which a voxel has one along each axis: SPPARKS knows cubic lattices only,
    and the first line keeps the voxel size in metres as a comment. ``max neighbors`` is left out,
    so that the file fits every square and simple cubic lattice.

    References
    ----------
    .. [1] https://spparks.github.io/doc/read_sites.html
    """

    suffix = ".spparks"

    def write(self, microstructure: Microstructure, path: Path, *, overwrite: bool = False) -> Path:
        """Write ``path`` and its sidecar; `ExportError` if that cannot be done."""
        data = encode(microstructure)
        return write_with_sidecar(
            microstructure, path, data, kind="spparks", suffix=self.suffix, overwrite=overwrite
        )

    def read(self, path: Path, *, limits: Limits = EXPORTED) -> UInt8[np.ndarray, "d h w"]:
        """Voxels of a file that `write` made; sites may be in any order."""
        header, _, values = path.read_text(encoding="ascii").partition("\nValues\n")
        edges = re.findall(r"^(\S+) (\S+) [xyz]lo [xyz]hi$", header, flags=re.MULTILINE)
        shape = [round(float(high) - float(low)) for low, high in reversed(edges)]
        ids, spins = np.array(values.split(), dtype=np.int64).reshape(-1, 2).T
        limits.check((1, 1, *shape), str(path))
        if len(ids) != math.prod(shape) or not np.array_equal(
            np.sort(ids), 1 + np.arange(len(ids))
        ):
            raise ValueError("its sites are not each there once")
        phases = np.empty(len(ids), dtype=np.uint8)
        phases[ids - 1] = spins - 1
        return phases.reshape(shape)


def encode(microstructure: Microstructure) -> bytes:
    """The file as bytes."""
    phases = microstructure.phases
    axes, size = "zyx"[-phases.ndim :], " ".join(map(repr, microstructure.voxel_size_m))
    *depth, rows, columns = phases.shape
    low, high = (0, depth[0]) if depth else (-0.5, 0.5)  # as SPPARKS has it in 2-D
    header = [
        # SPPARKS skips this line, of 255 characters at most.
        f"latentopt {__version__}: phase label + 1, voxel of {size} m along {axes}",
        f"{phases.ndim} dimension",
        f"{phases.size} sites",
        f"0 {columns} xlo xhi",
        f"0 {rows} ylo yhi",
        f"{low} {high} zlo zhi",
        "",
        "Values",
        "",
    ]
    spins = (phases.ravel().astype(np.int64) + 1).tolist()
    values = [f"{site} {spin}" for site, spin in enumerate(spins, start=1)]
    return "\n".join([*header, *values, ""]).encode("ascii")
