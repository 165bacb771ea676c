"""PNG, with an input file for MOOSE: one picture in 2-D, a numbered stack of z slices in 3-D."""

import hashlib
import io
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from generative.data.check import Limits
from generative.data.formats.image_files import pillow
from latentopt.export.moose_input import moose_input
from latentopt.export.reading import EXPORTED, check_promise, read_sidecar
from latentopt.export.sidecar import (
    as_text,
    check_replaced,
    checked_name,
    other_parts,
    sidecar,
    sidecar_path,
    write_several,
)
from latentopt.microstructure import Microstructure


class PNGExporter:
    """8-bit grey pictures, the phases on levels far apart for programs that set thresholds.

    Phase k of n has level ``round(255 k / (n - 1))``, listed in the sidecar as ``grey_levels``.
    Beside ``best.png`` is ``best.i``, by which MOOSE reads the phases. A volume becomes
    ``best_000.png``, ``best_001.png``, ...; the sidecar is that of the first, vouches for all of
    them, and its path is the one to keep.
    """

    suffix = ".png"

    def write(self, microstructure: Microstructure, path: Path, *, overwrite: bool = False) -> Path:
        """Write the pictures, one sidecar and the MOOSE input; the path of the first picture.

        Raises
        ------
        ExportError
            If that cannot be done.
        """
        path = checked_name(path, kind="png", suffix=self.suffix)
        levels = grey_levels(len(microstructure.phase_names))
        pictures = _pictures(levels[microstructure.phases], path)
        first, *others = pictures
        # The MOOSE input has one name, be the structure a picture or a stack.
        beside = (path, path.with_name(f"{path.stem}_000.png"), first)
        check_replaced(beside, "png", microstructure.provenance, overwrite=overwrite)
        record = sidecar(microstructure, first.name, pictures[first], kind="png")
        record["grey_levels"] = {str(label): int(level) for label, level in enumerate(levels)}
        record["slices"] = {p.name: hashlib.sha256(pictures[p]).hexdigest() for p in others}
        moose = moose_input(microstructure, levels, [picture.name for picture in pictures])
        files = {sidecar_path(first): as_text(record), path.with_suffix(".i"): moose.encode()}
        write_several(first, pictures | files, overwrite=overwrite)
        return first

    def read(self, path: Path, *, limits: Limits = EXPORTED) -> UInt8[np.ndarray, "*space"]:
        """Voxels of what `write` made, by the first picture and its sidecar."""
        record = read_sidecar(path)
        parts = (path.name, *other_parts(record))
        held = sum(path.with_name(name).stat().st_size for name in parts)
        *_, height, width = check_promise(record["shape"], path, limits, held=held)
        slices = []
        for name in parts:
            with pillow(path.with_name(name), "PNG") as file:
                if file.size != (width, height):
                    raise ValueError(f"{name} has other sides than the sidecar says")
                slices.append(np.array(file))
        level_of = np.array(list(record["grey_levels"].values()))
        pictures = np.stack(slices).reshape(record["shape"])
        labels = np.searchsorted(level_of, pictures)
        if not np.isin(pictures, level_of).all():
            raise ValueError("a picture has other grey levels than its sidecar says")
        return labels.astype(np.uint8)


def grey_levels(phases: int) -> UInt8[np.ndarray, " phases"]:
    """Levels from black to white, as far apart as they can be.

    >>> grey_levels(3).tolist()
    [0, 128, 255]
    """
    return np.rint(np.linspace(0, 255, phases)).astype(np.uint8)


def _pictures(grey: UInt8[np.ndarray, "*space"], path: Path) -> dict[Path, bytes]:
    if grey.ndim == 2:
        return {path: _encode(grey)}
    digits = max(3, len(str(len(grey) - 1)))
    return {
        path.with_name(f"{path.stem}_{z:0{digits}d}.png"): _encode(picture)
        for z, picture in enumerate(grey)
    }


def _encode(grey: UInt8[np.ndarray, "h w"]) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(grey).save(buffer, "png")
    return buffer.getvalue()
