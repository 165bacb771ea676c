"""One decoded structure as it leaves us: voxels with their size, names and origin."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Shaped, UInt8

from latentopt.notebook import card, colour_key, never_raising, picture
from latentopt.pictures import structure_png
from latentopt.structure_plot import image_data, plot
from objectives.masks import refuse_masked
from objectives.phases import to_images, to_phases

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Candidate", "Microstructure", "to_images", "to_phases", "voxel_sha256"]

_MOST_PHASES = 255
_COUNTED = 2**24  # voxels that a notebook counts the phases of, in a tenth of a second


@dataclass(frozen=True, eq=False)
class Microstructure:
    """A label image of phases, what a voxel measures, and where it came from.

    Parameters
    ----------
    phases
        Phase of every voxel, any integer array ``(h, w)`` or ``(d, h, w)``, axes z, y, x, of labels
        0 to 254. Stored as a read-only copy, uint8.
    voxel_size_m
        Edge of a voxel along each axis of `phases`, in metres, in the same z, y, x order. What is
        a number of 15 digits but for rounding is stored as that.
    phase_names
        Name of phase 0, 1, ...; all different, 255 at most.
    periodic
        Whether the structure repeats along each axis of `phases`.
    provenance
        What is known of the origin, such as space id, z, seed and trial: anything JSON can hold.

    Raises
    ------
    TypeError
        If `phases` is not an array of integers, or `provenance` cannot be written as JSON.
    ValueError
        If sizes, names or labels do not fit together.

    Examples
    --------
    >>> checker = np.array([[0, 1], [1, 1]])
    >>> structure = Microstructure(checker, (1e-6, 1e-6), ("matrix", "fibre"), (True, True))
    >>> structure.phase_fractions
    {'matrix': 0.25, 'fibre': 0.75}
    """

    phases: Shaped[np.ndarray, "*space"]  # uint8 after __post_init__
    voxel_size_m: tuple[float, ...]
    phase_names: tuple[str, ...]
    periodic: tuple[bool, ...]
    provenance: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        phases = _checked_phases(self.phases)
        dims = phases.ndim
        voxel_size = tuple(_plain(float(size)) for size in self.voxel_size_m)
        if len(voxel_size) != dims or not all(math.isfinite(s) and s > 0 for s in voxel_size):
            raise ValueError(
                f"voxel_size_m should be {dims} positive lengths in metres, one for each axis of "
                f"phases {phases.shape}, got {self.voxel_size_m}."
            )
        if len(self.periodic) != dims:
            raise ValueError(
                f"periodic should be {dims} booleans, one for each axis of phases "
                f"{phases.shape}, got {self.periodic}."
            )
        names = tuple(self.phase_names)
        if len(names) > _MOST_PHASES:
            raise ValueError(
                f"phase_names should name {_MOST_PHASES} phases at most, got {len(names)}. "
                "Merge phases."
            )
        if len(set(names)) != len(names) or phases.max() >= len(names):
            raise ValueError(
                f"phase_names should name each phase once, for labels 0 to {phases.max()}, "
                f"got {self.phase_names}."
            )
        object.__setattr__(self, "phases", phases)
        object.__setattr__(self, "voxel_size_m", voxel_size)
        object.__setattr__(self, "phase_names", names)
        object.__setattr__(self, "periodic", tuple(bool(flag) for flag in self.periodic))
        object.__setattr__(self, "provenance", _json_copy(self.provenance))

    @property
    def spatial_dims(self) -> int:
        """2 or 3."""
        return self.phases.ndim

    @property
    def phase_fractions(self) -> dict[str, float]:
        """Share of the voxels in each phase, by name; they add up to 1."""
        counts = np.bincount(self.phases.ravel(), minlength=len(self.phase_names))
        return {
            name: int(count) / self.phases.size
            for name, count in zip(self.phase_names, counts, strict=True)
        }

    @cached_property
    def sha256(self) -> str:
        """Hash of the voxels, their shape and their type; the same whatever file holds them."""
        return voxel_sha256(self.phases)

    def plot(self, ax: "Axes | None" = None) -> "Axes | np.ndarray":
        """Draw it by Matplotlib in the colours of its phases, with names and micrometres.

        Parameters
        ----------
        ax
            Axes for a 2-D structure; a new figure without it, and always for a volume.

        Returns
        -------
        The axes; of a volume an array of three, its middle slices across z, y and x.
        """
        return plot(self.phases, self.voxel_size_m, self.phase_names, ax)

    def to_pyvista(self) -> Any:
        """``pyvista.ImageData`` in metres, with the phase of every voxel as cell data ``phase``.

        A 2-D structure is one voxel thick. An `ImportError` says what to install without PyVista.
        """
        return image_data(self.phases, self.voxel_size_m, self.phase_names)

    @never_raising
    def _repr_png_(self) -> bytes | None:
        return structure_png(self.phases)

    @never_raising
    def _repr_html_(self) -> str | None:
        axes = "zyx"[-self.spatial_dims :]
        edges = [size * 1e6 for size in self.voxel_size_m]
        lengths = [n * edge for n, edge in zip(self.phases.shape, edges, strict=True)]
        names = self.phase_names
        if self.phases.size <= _COUNTED:
            names = tuple(f"{name} {part:.1%}" for name, part in self.phase_fractions.items())
        facts = {
            f"voxels ({', '.join(axes)})": " x ".join(map(str, self.phases.shape)),
            "size": " x ".join(f"{length:.4g}" for length in lengths) + " µm",
            "voxel": " x ".join(f"{edge:.4g}" for edge in edges) + " µm",
            "periodic": ", ".join(a for a, p in zip(axes, self.periodic, strict=True) if p) or "no",
        }
        image = self._repr_png_()
        said = "the structure" if image else "the structure cannot be drawn"
        return card("Microstructure", facts, pictures=picture(image, said), more=colour_key(names))


@dataclass(frozen=True, eq=False)
class Candidate:
    """A structure the search proposed, with the point that gave it and what it scored.

    Parameters
    ----------
    microstructure
        The decoded structure.
    z
        Its latent point, float64 ``(d,)``.
    metrics
        Measured values by name.
    margins
        Signed distance to each constraint by name; zero or more is feasible.
    trial
        Index of the trial in its campaign.
    """

    microstructure: Microstructure
    z: Float[np.ndarray, " d"]
    metrics: Mapping[str, float]
    margins: Mapping[str, float]
    trial: int

    @property
    def feasible(self) -> bool:
        """Whether every constraint holds; a margin that is not a number does not."""
        return all(margin >= 0 for margin in self.margins.values())


def voxel_sha256(phases: UInt8[np.ndarray, "*space"]) -> str:
    """Hash of shape, type and voxels in C order, as `Microstructure.sha256` and every export use.

    It is the SHA-256 of the ASCII text ``"uint8 d,h,w\\n"`` (or ``"uint8 h,w\\n"``) followed by
    one byte a voxel, x fastest, so that any language can compute it.
    """
    digest = hashlib.sha256(f"{phases.dtype} {','.join(map(str, phases.shape))}\n".encode())
    digest.update(np.ascontiguousarray(phases).data)
    return digest.hexdigest()


def _plain(length: float) -> float:
    """The number of 15 digits that a length is but for rounding: 5 * 1e-6 is 5e-06 in every file.

    >>> 5 * 1e-6, _plain(5 * 1e-6)
    (4.9999999999999996e-06, 5e-06)
    """
    plain = float(f"{length:.15g}")
    return plain if abs(plain - length) <= math.ulp(length) else length


def _checked_phases(phases: object) -> np.ndarray:
    refuse_masked(phases, "phases")
    if not isinstance(phases, np.ndarray) or phases.dtype.kind not in "iub":
        got = phases.dtype if isinstance(phases, np.ndarray) else type(phases).__name__
        remedy = "Turn images into labels with to_phases."
        if type(phases).__name__ == "Tensor":  # to_phases gives tensors for tensors
            remedy = "Give phases.numpy(), of images to_phases(images)[0].numpy()."
        raise TypeError(f"phases should be a numpy array of integers, got {got}. {remedy}")
    if phases.ndim not in (2, 3) or phases.size == 0:
        raise ValueError(
            f"phases should have shape (h, w) or (d, h, w) and hold voxels, got {phases.shape}."
        )
    lowest, highest = int(phases.min()), int(phases.max())
    if lowest < 0 or highest >= _MOST_PHASES:
        raise ValueError(
            f"phases should be labels 0 to {_MOST_PHASES - 1}, got {lowest} to {highest}. "
            "Number the phases from 0 with np.unique(phases, return_inverse=True)."
        )
    # A copy: the caller's array may change later.
    phases = np.array(phases, dtype=np.uint8, order="C")
    phases.setflags(write=False)
    return phases


def _json_copy(provenance: Mapping[str, object]) -> dict[str, object]:
    try:
        return json.loads(json.dumps(dict(provenance), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"provenance should hold what JSON can, got: {error}. "
            "Turn arrays into lists with .tolist() and leave out NaN."
        ) from None
