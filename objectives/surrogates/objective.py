"""A saved surrogate as an objective: cheap values, to screen by before a solver decides."""

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Literal

from jaxtyping import Float, Float64
from pydantic import Field, model_validator
from torch import Tensor

from objectives.errors import EvaluationError
from objectives.grid import Grid
from objectives.images import checked_images
from objectives.settings import Settings
from objectives.surrogates.folder import MANIFEST, read_surrogate
from objectives.surrogates.registry import load_surrogate
from objectives.surrogates.surrogate import Surrogate


class SurrogateObjective(Settings):
    """What a saved surrogate predicts of images, and how sure it is; no gradient passes.

    Output ``k_xx`` becomes ``k_xx`` and ``k_xx_std`` with the prefix before both. A prediction is
    not a solver's value: give it a name of its own by `prefix` where both are asked for.
    """

    kind: Literal["surrogate"] = "surrogate"
    folder: Path = Field(description="Folder that `latentopt surrogate fit` wrote.")
    prefix: str = Field(
        default="",
        pattern=r"^\w*$",
        description="Text in front of the name of each output, such as cnn_. It keeps "
        "predictions apart from the values of a solver.",
    )
    unit: Mapping[str, str] = Field(
        default={},
        description="Unit of each output, by the name of the output in the folder. Outputs not "
        "named have an unknown unit.",
    )
    version: str | None = Field(
        default=None,
        description="First 12 digits of the SHA-256 of the folder's manifest. null reads it from "
        "the folder; a folder of another version is refused.",
    )

    @model_validator(mode="after")
    def _is_there(self) -> "SurrogateObjective":
        """Refuse a folder now, not in mid-campaign, and keep which surrogate it holds."""
        read_surrogate(self.folder)
        version = hashlib.sha256((self.folder / MANIFEST).read_bytes()).hexdigest()[:12]
        if self.version not in (None, version):
            raise ValueError(
                f"{self.folder} holds version {version} of its surrogate, not {self.version}; "
                "restore that folder, or leave out version"
            )
        object.__setattr__(self, "version", version)
        object.__setattr__(self, "folder", self.folder.resolve())
        outputs = self.surrogate.outputs
        if unknown := sorted(set(self.unit) - set(outputs)):
            raise ValueError(
                f"unit names {unknown[0]!r}, the surrogate predicts {', '.join(outputs)}"
            )
        return self

    @property
    def surrogate(self) -> Surrogate:
        """The surrogate itself, read once a process."""
        return _load(self.folder, self.version)

    @property
    def units(self) -> dict[str, str]:
        """Each output and its standard deviation; an unknown unit is empty."""
        units = {}
        for name in self.surrogate.outputs:
            unit = self.unit.get(name, "")
            units |= {f"{self.prefix}{name}": unit, f"{self.prefix}{name}_std": unit}
        return units

    def for_images(self, shape: tuple[int, ...]) -> "SurrogateObjective":
        """The same, if the surrogate was fitted to images of this shape (c, *space).

        Raises
        ------
        EvaluationError
            (A ``ValueError``.) It was fitted to others.
        """
        known = self.surrogate.image_shape
        if tuple(shape) != known:
            raise EvaluationError(
                f"{self.folder.name}: was fitted to images of shape {known}, got {tuple(shape)}. "
                "Fit a surrogate on images of this size."
            )
        return self

    def __call__(
        self, images: Float[Tensor, "n c *space"], grid: Grid | None = None
    ) -> dict[str, Float64[Tensor, "n"]]:
        """Mean and standard deviation of each output for every image.

        Raises
        ------
        EvaluationError
            (A ``ValueError``.) The images are not images, or of another size or grid than those
            that the surrogate was fitted to.
        """
        x = checked_images(images)
        try:
            mean, std = self.surrogate.predict(x)
            if grid is not None:
                self.surrogate.check_grid(grid, self.unit)
        except ValueError as error:
            raise EvaluationError(f"{self.folder.name}: {error}") from error
        shape = len(x), len(self.surrogate.outputs)
        columns = zip(mean.reshape(shape).T, std.reshape(shape).T, strict=True)
        values = (value for pair in columns for value in pair)
        return dict(zip(self.units, values, strict=True))


@lru_cache(maxsize=8)
def _load(folder: Path, version: str) -> Surrogate:
    # Not kept in the objective: settings compare, and travel to worker processes.
    return load_surrogate(folder)
