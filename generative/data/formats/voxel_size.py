"""What a voxel measures, in metres, from what microscopes and programs write into their files.

Each axis has the unit that is said of it. An inch is that of a print, and no voxel size; nor is the
density of a picture (pHYs of PNG, JFIF of JPEG). A length that is 0, negative or no number is
refused, for it may have a meaning that nobody knows; a resolution of 0 says nothing.
"""

import math
import re
from pathlib import Path
from typing import SupportsFloat

import tifffile

from generative.errors import DataError
from generative.files.json_text import parse_json

VoxelSize = tuple[float, ...]

_METRES = {
    "m": 1.0, "dm": 1e-1, "cm": 1e-2, "mm": 1e-3, "um": 1e-6, "nm": 1e-9, "pm": 1e-12, "a": 1e-10,
    "meter": 1.0, "decimeter": 1e-1, "centimeter": 1e-2, "millimeter": 1e-3, "micrometer": 1e-6,
    "micron": 1e-6, "nanometer": 1e-9, "picometer": 1e-12, "angstrom": 1e-10,
}  # fmt: skip
# Dots per inch of screens and printers, which some programs say in centimetres.
_PRINTING = (72, 75, 90, 96, 100, 120, 150, 180, 200, 240, 250, 300, 350, 360, 400, 600, 1200, 2400)
_MOST_SIDECAR_BYTES = 2**24


def length_m(value: object, unit: str) -> float | None:
    r"""A length in metres, or None if it is no number, or its unit none that is known.

    Examples
    --------
    >>> length_m(250, "nm")
    2.5e-07
    >>> length_m("0.5", "\\u00B5m")
    5e-07
    """
    plain = unit.strip().strip("\0").replace("\\u00B5", "u").replace("Âµ", "u")
    for sign in "µμ":
        plain = plain.replace(sign, "u")
    for sign in ("\u00c5", "\u212b", "\\u00C5"):
        plain = plain.replace(sign, "a")
    plain = plain.lower().replace("metre", "meter")
    metres = _METRES.get(plain) or _METRES.get(plain.removesuffix("s"))
    if metres is None or not isinstance(value, str | bytes | SupportsFloat):
        return None
    try:
        return float(f"{float(value) * metres:.12g}")
    except (TypeError, ValueError):
        return None


def check_voxel_size(size: VoxelSize | None, dims: int, name: str) -> None:
    """Refuse edges that are not ``dims`` finite lengths above 0.

    Raises
    ------
    DataError
        Naming the file ``name``.
    """
    if size is None:
        return
    if len(size) != dims or not all(math.isfinite(edge) and edge > 0 for edge in size):
        raise DataError(
            f"{name}: expected a voxel size of {dims} lengths above 0, got "
            f"{', '.join(f'{edge:g}' for edge in size)}; correct it in the file."
        )


def sidecar_voxel_size(path: Path, dims: int) -> VoxelSize | None:
    """Voxel size in the sidecar ``<file>.json`` of a structure that latentopt exported.

    Of a picture that is read as a volume of one voxel's thickness, that is its width.
    """
    sidecar = path.with_name(path.name + ".json")
    try:
        if sidecar.stat().st_size > _MOST_SIDECAR_BYTES:
            return None
        record = parse_json(sidecar.read_bytes())
        if not str(record["schema"]).startswith("latentopt.export/"):
            return None
        size = tuple(float(record["voxel_size"][axis]) for axis in record["axes"])
        return (size[-1:] * dims + size)[-dims:] if size else None
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        return None  # another program's file, or none


def tiff_voxel_size(tiff: tifffile.TiffFile, dims: int) -> VoxelSize | None:
    """Voxel size by OME-XML, ImageJ, FEI or Zeiss metadata, or else the resolution tags.

    Inches are passed over, and so are the resolutions of screens and printers in centimetres.

    Parameters
    ----------
    tiff
        Open file.
    dims
        2, or 3 for a stack, whose spacing must be known too.
    """
    if tiff.is_ome:
        edges = _ome(tiff.ome_metadata or "")
    elif tiff.is_imagej:
        edges = _imagej(tiff)
    else:
        edges = _instrument(tiff) or _resolution(tiff.pages[0].aspage())
    size = [edge for axis in "zyx"[-dims:] if (edge := edges.get(axis)) is not None]
    return tuple(size) if len(size) == dims else None


def _ome(xml: str) -> dict[str, float | None]:
    # By pattern: an XML parser would expand entities.
    found = re.search(r"<(?:\w+:)?Pixels\b[^>]{0,10000}>", xml)
    attributes = dict(re.findall(r'(\w+)="([^"]*)"', found.group())) if found else {}
    return {
        axis.lower(): length_m(
            attributes[f"PhysicalSize{axis}"], attributes.get(f"PhysicalSize{axis}Unit", "µm")
        )
        for axis in "XYZ"
        if f"PhysicalSize{axis}" in attributes
    }


def _imagej(tiff: tifffile.TiffFile) -> dict[str, float | None]:
    """ImageJ keeps ``yunit`` and ``zunit`` only where they are not ``unit``."""
    about = tiff.imagej_metadata or {}
    units = {"x": str(about.get("unit", ""))}
    units |= {axis: str(about.get(f"{axis}unit", units["x"])) for axis in "yz"}
    edges = {"z": length_m(about["spacing"], units["z"])} if "spacing" in about else {}
    for axis, per_unit in _per_unit(tiff.pages[0].aspage()).items():
        edges[axis] = length_m(1 / per_unit, units[axis])
    return edges


def _instrument(tiff: tifffile.TiffFile) -> dict[str, float | None]:
    """Pixel size that FEI (Thermo Fisher) and Zeiss electron microscopes write."""
    if tiff.is_fei:
        scan = (tiff.fei_metadata or {}).get("Scan", {})
        if "PixelWidth" in scan and "PixelHeight" in scan:
            return {
                "x": length_m(scan["PixelWidth"], "m"),
                "y": length_m(scan["PixelHeight"], "m"),
            }
    if tiff.is_sem:
        about = tiff.sem_metadata or {}
        found = about.get("ap_image_pixel_size") or about.get("ap_pixel_size")
        if found and len(found) == 3:
            edge = length_m(found[1], str(found[2]))
            return {"x": edge, "y": edge}
    return {}


def _resolution(page: tifffile.TiffPage) -> dict[str, float | None]:
    """Edges by the tags in centimetres, unless these are what screens and printers have."""
    tag = page.tags.get("ResolutionUnit")
    if not tag or int(tag.value) != 3:  # inches, or no unit
        return {}
    per_cm = _per_unit(page)
    per_inch = [value * 2.54 for value in per_cm.values()]
    if any(abs(dots - known) < 0.005 * known for dots in per_inch for known in _PRINTING):
        return {}
    return {axis: length_m(1 / value, "cm") for axis, value in per_cm.items()}


def _per_unit(page: tifffile.TiffPage) -> dict[str, float]:
    """Voxels per unit of length along x and y, where the tags hold a number above 0."""
    found = {}
    for axis, name in (("x", "XResolution"), ("y", "YResolution")):
        if name in page.tags:
            over, under = page.tags[name].value
            if over > 0 and under > 0:
                found[axis] = over / under
    return found
