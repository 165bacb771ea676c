"""Distance of an image's two-point statistics to those of a target structure."""

import hashlib
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Float64
from pydantic import (
    BeforeValidator,
    Field,
    InstanceOf,
    PositiveFloat,
    field_validator,
    model_validator,
)
from pydantic.json_schema import SkipJsonSchema
from torch import Tensor

from objectives.errors import EvaluationError
from objectives.grid import Grid
from objectives.images import check_phase, checked_images, phase_indicator
from objectives.pymks_import import pymks_installed
from objectives.settings import Settings
from objectives.two_point.correlation import two_point_statistics

VoxelSize = PositiveFloat | tuple[PositiveFloat, ...]


@runtime_checkable
class StructureReader(Protocol):
    """Reads files of one structure; `generative.data.structure_files.StructureFiles` is one."""

    def read(self, path: Path) -> Float[np.ndarray, "*space"]:
        """Share of phase 1 in every voxel, (h, w) or (d, h, w); a ``ValueError`` says why not."""
        ...

    def voxel_size_um(self, path: Path) -> tuple[float, ...] | None:
        """Edges of a voxel along (z,) y, x as the file says them; None if it does not."""
        ...


def _plain(target: Any) -> Any:
    """Arrays as nested lists, which compare, and go through JSON and YAML."""
    return np.asarray(target).tolist() if isinstance(target, np.ndarray | Tensor) else target


class TwoPointTarget(Settings):
    """Mean absolute difference of two-point statistics to a target's over all shifts; 0 is a match.

    The statistics are the autocorrelation of one phase, so a shift or a point reflection of the
    target is as good as the target. Statistics are compared shift by shift, so the voxels of images
    and target should measure the same.

    >>> import torch
    >>> target = torch.tensor([[0.0, 1.0], [0.0, 1.0]])
    >>> TwoPointTarget(target=target, engine="torch")(1 - target[None, None])
    {'two_point_error': tensor([0.], dtype=torch.float64)}
    """

    kind: Literal["two_point_target"] = "two_point_target"
    reader: SkipJsonSchema[InstanceOf[StructureReader] | None] = Field(
        default=None,
        exclude=True,
        description="Object that reads the target's file, such as StructureFiles of "
        "generative.data.structure_files. A campaign gives it; null reads arrays only.",
    )
    target: Annotated[Path | list, BeforeValidator(_plain)] = Field(
        description="Target structure: a file (picture, volume or array), or an array of shape "
        "(h, w) or (d, h, w) with the fraction of one phase. Of the two values in a file, the "
        "higher one becomes 1; integers of an array may have one value besides 0, which "
        "becomes 1."
    )
    phase: int = Field(
        default=1, ge=0, description="Phase of the images that corresponds to 1 in the target."
    )
    voxel_size_um: VoxelSize | None = Field(
        default=None,
        description="Edge of the target's voxels in micrometres, or one edge for each axis. null "
        "takes it from the target's file or sidecar, else from the campaign.",
    )
    periodic: bool | None = Field(
        default=None,
        description="Whether images and target repeat beyond their faces. null takes what the "
        "campaign says, or periodic without one.",
    )
    cutoff: int | None = Field(
        default=None,
        ge=0,
        description="Largest shift that is compared along each axis, in voxels. null compares "
        "all shifts, which needs a target of the images' size.",
    )
    version: str | None = Field(
        default=None,
        description="First 12 digits of the SHA-256 of the target's file. null reads it from the "
        "file; a file with other content is refused.",
    )
    engine: Literal["pymks", "torch"] | None = Field(
        default=None,
        description="Library that computes the two-point statistics. null takes PyMKS where it "
        "is installed, else torch; both agree to rounding. Only torch gives gradients.",
    )

    @field_validator("target")
    @classmethod
    def _is_readable(cls, target: Path | list, info: Any) -> Path | list:  # ValidationInfo
        """Refuse what is no structure now, not in mid-campaign; keep the whole path of a file."""
        read_structure(target, info.data.get("reader"))
        return target.resolve() if isinstance(target, Path) else target

    @model_validator(mode="after")
    def _is_the_same_file(self) -> "TwoPointTarget":
        """Keep which file it is and says, so that a campaign does not go on towards another one."""
        if isinstance(self.target, Path):
            version = hashlib.sha256(self.target.read_bytes()).hexdigest()[:12]
            if self.version not in (None, version):
                raise ValueError(
                    f"{self.target} has another content now (version {version}, not "
                    f"{self.version}); restore that file, or leave out version"
                )
            object.__setattr__(self, "version", version)
            if self.voxel_size_um is None and self.reader is not None:
                object.__setattr__(self, "voxel_size_um", self.reader.voxel_size_um(self.target))
        return self

    @property
    def units(self) -> dict[str, str]:
        """The one value, without unit."""
        return {"two_point_error": "1"}

    def boundary(self, grid: Grid) -> str:
        """What lies beyond the faces: ``periodic`` copies, or nothing (``open``)."""
        return "periodic" if grid.periodic else "open"

    def for_images(self, shape: tuple[int, ...]) -> "TwoPointTarget":
        """The distance to the target, for images of shape (c, *space).

        Raises
        ------
        EvaluationError
            (A ``ValueError``.) The target is of another size, or the cutoff or the phase is not one
            of such images.
        """
        space, target = tuple(shape[1:]), read_structure(self.target, self.reader).shape
        if len(target) != len(space) or (self.cutoff is None and target != space):
            raise EvaluationError(
                f"two_point_target: the target has {target} voxels and the images have {space}. "
                "Crop the target to the images' size, or set a cutoff."
            )
        most = (min(*space, *target) - 1) // 2
        if self.cutoff is not None and self.cutoff > most:
            raise EvaluationError(
                f"two_point_target: cutoff should be from 0 to {most} for images of {space} and a "
                f"target of {target} voxels, got {self.cutoff}."
            )
        check_phase(shape[0], self.phase, "two_point_target")
        return self

    def __call__(
        self, images: Float[Tensor, "n c *space"], grid: Grid | None = None
    ) -> dict[str, Float64[Tensor, "n"]]:
        """The distance of every image, from 0 to 1; with a gradient if the engine is torch.

        Raises
        ------
        EvaluationError
            (A ``ValueError``.) The images are not images, or their grid is not the target's.
        """
        x = phase_indicator(checked_images(images), self.phase)
        periodic = self._periodic(grid)
        if grid is not None:
            self._check_voxels(grid, x.ndim - 2)
        statistics = self._statistics(x, periodic)
        target = self._target_statistics(periodic).to(statistics.device)
        if statistics.shape[2:] != target.shape[2:]:
            raise EvaluationError(
                f"images have shifts {tuple(statistics.shape[2:])} and the target has "
                f"{tuple(target.shape[2:])}. Crop the target to the images' size, or set a cutoff."
            )
        return {"two_point_error": (statistics - target).abs().flatten(1).mean(1)}

    def _periodic(self, grid: Grid | None) -> bool:
        if grid is None:
            return self.periodic is not False
        if self.periodic not in (None, grid.periodic):
            raise EvaluationError(
                f"two_point_target has periodic: {self.periodic} and the campaign periodic: "
                f"{grid.periodic}. Leave it out of two_point_target, or change the campaign's."
            )
        return grid.periodic

    def _check_voxels(self, grid: Grid, dim: int) -> None:
        known, edges = self.voxel_size_um, grid.edges_um(dim)
        if known is not None and not np.allclose(Grid(known).edges_um(dim), edges, rtol=1e-4):
            raise EvaluationError(
                f"two_point_target: voxels of the target measure {known} um and those of the "
                f"images {edges} um, so that equal shifts are other lengths. Resample the target, "
                "or set voxel_size_um of campaign or target to what is true."
            )

    @cached_property
    def _statistics_of_target(self) -> dict[bool, Float64[Tensor, "1 1 *shifts"]]:
        return {}  # periodic or not

    def _target_statistics(self, periodic: bool) -> Float64[Tensor, "1 1 *shifts"]:
        known = self._statistics_of_target
        if periodic not in known:
            structure = torch.from_numpy(read_structure(self.target, self.reader))
            known[periodic] = self._statistics(structure[None, None], periodic)
        return known[periodic]

    def _statistics(self, indicator: Tensor, periodic: bool) -> Float64[Tensor, "n 1 *shifts"]:
        return two_point_statistics(
            indicator.double(),
            periodic=periodic,
            cutoff=self.cutoff,
            engine=self.engine or ("pymks" if pymks_installed() else "torch"),
        )


def read_structure(
    source: Path | list, reader: StructureReader | None = None
) -> Float64[np.ndarray, "*space"]:
    """A two-phase structure, as the fraction of phase 1 in every voxel.

    Parameters
    ----------
    source
        Rows of numbers, or a file.
    reader
        Reads the file.

    Raises
    ------
    ValueError
        The file cannot be read, or what is in it (or in the list) is no such structure.
    """
    name = source if isinstance(source, Path) else "array"
    array = _read_file(source, reader) if isinstance(source, Path) else _array(source)
    if array.ndim not in (2, 3):
        raise ValueError(f"{name}: expected shape (h, w) or (d, h, w), got {array.shape}.")
    if array.dtype.kind in "bui":
        values = np.unique(array)
        if len(values) > 2 or (len(values) == 2 and values[0] != 0):
            raise ValueError(
                f"{name}: expected 0 and one other value, got {len(values)} from {values[0]} to "
                f"{values[-1]}. Segment it first."
            )
        array = array != 0
    array = array.astype(np.float64)
    if not (array.size and np.isfinite(array).all() and array.min() >= 0 and array.max() <= 1):
        raise ValueError(f"{name}: expected finite values in [0, 1].")
    return array


def _array(rows: list) -> np.ndarray:
    try:
        return np.asarray(rows)
    except ValueError as error:
        raise ValueError("array: expected rows of one length.") from error


def _read_file(path: Path, reader: StructureReader | None) -> np.ndarray:
    if reader is None:
        raise ValueError(
            f"{path}: cannot be read without a reader; give the structure as an array, or "
            "reader=generative.data.structure_files.StructureFiles()."
        )
    try:
        return reader.read(path)
    except ValueError as error:
        reason = str(error).removeprefix(f"{path}: ")
        if reason.startswith("cannot be read"):
            raise ValueError(f"{path}: {reason}") from error
        raise ValueError(f"{path}: cannot be read ({reason.removesuffix('.')}).") from error
