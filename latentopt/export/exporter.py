"""What every format offers, matched by shape: no base class to inherit."""

from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Integer

from generative.data.check import Limits
from latentopt.microstructure import Microstructure

__all__ = ["Exporter"]


@runtime_checkable
class Exporter(Protocol):
    """One microstructure to one file that another program reads, and back."""

    suffix: str  # ending by which other programs know the format, such as ".vti"

    def write(self, microstructure: Microstructure, path: Path, *, overwrite: bool = False) -> Path:
        """Write the data file and its JSON sidecar; the path of the data file.

        Files that are not ours are refused by an `OutputError`, unless ``overwrite`` is given.
        """
        ...

    def read(self, path: Path, *, limits: Limits = ...) -> Integer[np.ndarray, "*space"]:
        """Phase labels of a file that `write` made; a 2-D structure may come as one voxel thick.

        What the file promises is compared with ``limits`` first.
        """
        ...
