"""What the search needs of the other stages, matched by shape: no base class to inherit.

Anything with these attributes fits, a user's own network, solver or script as well as ours.
Shapes: ``n`` rows, ``d`` latent numbers, ``c`` channels, ``*space`` is ``h w`` or ``d h w``.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float, Integer
    from torch import Tensor

    from latentopt.history import History
    from latentopt.microstructure import Microstructure
    from latentopt.simulators.result import SimulationResult
    from objectives.grid import Grid


@runtime_checkable
class Decoder(Protocol):
    """Latent code to images. Row i of the answer depends on row i of the code alone."""

    latent_dim: int
    image_shape: tuple[int, ...]  # (c, *space)

    def decode(self, code: 'Float[Tensor, "n d"]') -> 'Float[Tensor, "n c *space"]':
        """Images in [0, 1] for float32 codes; differentiable where the decoder is."""
        ...


@runtime_checkable
class Encoder(Protocol):
    """Images to latent code; a decoder that also encodes can be fitted to data."""

    def encode(self, images: 'Float[Tensor, "n c *space"]') -> 'Float[Tensor, "n d"]':
        """Float32 code of each image, without randomness."""
        ...


@runtime_checkable
class Objective(Protocol):
    """Images to named values with units."""

    @property
    def units(self) -> Mapping[str, str]:
        """Name of each value this objective returns, and its unit ("1" where it has none)."""
        ...

    def __call__(self, images: 'Float[Tensor, "n c *space"]') -> 'Mapping[str, Float[Tensor, "n"]]':
        """One float64 value a row for every name in `units`.

        One that has a parameter ``grid`` besides is given the campaign's `objectives.grid.Grid`:
        what a voxel measures, and whether images repeat.
        """
        ...


@runtime_checkable
class FitsImages(Protocol):
    """An objective with settings that depend on the images it is for."""

    def for_images(self, shape: tuple[int, ...]) -> Objective:
        """The objective for images of shape (c, *space); a ``ValueError`` if it fits none such."""
        ...


@runtime_checkable
class SaysBoundary(Protocol):
    """An objective whose values hold under a boundary condition."""

    def boundary(self, grid: "Grid") -> str:
        """Name of the condition on a grid: ``periodic``, ``mirrored``, ``open``."""
        ...


@runtime_checkable
class Strategy(Protocol):
    """History in, next points out."""

    def propose(self, history: "History", q: int) -> 'Float[Tensor, "q d"]':
        """Float64 latent points inside the radius, the same for the same history and seed."""
        ...


@runtime_checkable
class Simulator(Protocol):
    """A full microstructure to named values: the seam for programs outside Python."""

    @property
    def name(self) -> str:
        """Names its folder in that of a trial, and its messages; no other simulator has it."""
        ...

    @property
    def units(self) -> Mapping[str, str]:
        """Name of each value that a good result brings, and its unit ("1" where it has none)."""
        ...

    def __call__(self, microstructure: "Microstructure", folder: Path) -> "SimulationResult":
        """Result for one structure; `folder` is for its files, and not there yet."""
        ...


@runtime_checkable
class Exporter(Protocol):
    """One microstructure to one file that another program reads, and back."""

    suffix: str  # ending by which other programs know the format, such as ".vti"

    def write(
        self, microstructure: "Microstructure", path: Path, *, overwrite: bool = False
    ) -> Path:
        """Write the data file and its JSON sidecar; the path of the data file.

        Files that are not ours are refused by an `OutputError`, unless ``overwrite`` is given.
        """
        ...

    def read(self, path: Path, *, limits: "Limits" = ...) -> 'Integer[np.ndarray, "*space"]':
        """Phase labels of a file that `write` made; a 2-D structure may come as one voxel thick.

        What the file promises is compared with ``limits`` first.
        """
        ...
