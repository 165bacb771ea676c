"""What every surrogate promises: properties of images with their uncertainty, learned and saved."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from jaxtyping import Float, Float64
from pydantic import Field, PrivateAttr, model_validator
from torch import Tensor

from objectives.arrays import Array
from objectives.errors import EvaluationError, SurrogateFileError
from objectives.grid import Grid
from objectives.images import checked_images, in_kind
from objectives.settings import Settings
from objectives.surrogates.folder import RESTORE, read_surrogate, write_surrogate
from objectives.surrogates.targets import Targets, as_columns, check_positive

# Images are predicted in parts of so many voxels.
PART = 2**22
# Of standardized targets: below is rounding.
LEAST_VARIANCE = 1e-12

AnySurrogate = TypeVar("AnySurrogate", bound="Surrogate")


@dataclass(frozen=True, eq=False)
class Prediction(Generic[Array]):
    """Mean and standard deviation of a property, one row an image, in the unit of its targets.

    Both have the shape of the targets: ``(n,)`` for one output, ``(n, m)`` for more. A prediction
    unpacks: ``mean, std = surrogate.predict(images)``.

    Parameters
    ----------
    mean
        Expected value.
    std
        Standard deviation of a new value of the solver.
    """

    mean: Float64[Array, "n *m"]
    std: Float64[Array, "n *m"]

    def __iter__(self) -> Iterator[Array]:
        return iter((self.mean, self.std))


class Surrogate(Settings, ABC):
    """Properties of images, learned from images whose properties a solver has computed.

    A row of `SURROGATES` says how it learns standardized targets (`_learn`) and answers (`_ask`);
    here is all else. What was learned is a dictionary of tensors, which is what `save` writes.
    """

    kind: str
    log_target: bool = Field(
        default=False,
        description="Whether to model the logarithm of the property, which suits positive values "
        "over a decade or more. Mean and standard deviation are then those of the lognormal "
        "distribution.",
    )
    seed: int = Field(default=0, ge=0, description="Seed of every random choice in fitting.")
    grid: Grid | None = Field(
        default=None,
        description="Voxel size and periodicity that the property was computed with. Images on "
        "another grid are refused; null accepts cubic voxels of any size.",
    )

    _state: dict[str, Tensor] | None = PrivateAttr(None)
    _facts: dict[str, Any] = PrivateAttr(default_factory=dict)
    _ready: Any = PrivateAttr(None)

    @model_validator(mode="after")
    def _one_periodicity(self) -> "Surrogate":
        own = getattr(self, "periodic", None)
        if self.grid is not None and own not in (None, self.grid.periodic):
            raise ValueError(
                f"periodic is {own} and that of the grid {self.grid.periodic}; leave periodic out"
            )
        return self

    @property
    def images_repeat(self) -> bool:
        """Whether the images it is fitted to repeat: its own setting, the grid's, or else yes."""
        own = getattr(self, "periodic", None)
        return (self.grid is None or self.grid.periodic) if own is None else own

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the columns of y: of the mapping given to `fit`, else y, or y0, y1, ..."""
        self._fitted()
        return tuple(self._facts["outputs"])

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Shape (c, *space) of the images it was fitted to."""
        self._fitted()
        return tuple(self._facts["image_shape"])

    def fit(
        self: AnySurrogate,
        images: Float[Tensor, "n c *space"] | Float[np.ndarray, "n c *space"],
        y: Targets,
    ) -> AnySurrogate:
        """Learn from images and their properties; the images' device does the work.

        Parameters
        ----------
        images
            Of one size, in [0, 1].
        y
            ``(n,)``, ``(n, m)``, or what an objective answers: a mapping of names to ``(n,)``.

        Raises
        ------
        EvaluationError
            (A ``ValueError``.) The images are not images.
        ValueError
            A target is missing, NaN or infinite, too large to be squared, or not above 0 with
            `log_target`; or there are too few images for the settings.
        """
        x = checked_images(images).detach()
        if self.grid is not None:
            self.grid.edges_um(x.ndim - 2)  # refused now: a number for each of other axes
        targets, names = as_columns(y, len(x))
        if len(x) < self._least_images():
            raise ValueError(
                f"{self.kind} with these settings needs {self._least_images()} images or more, got "
                f"{len(x)}. Give more images, or ask for fewer components or folds."
            )
        if self.log_target:
            check_positive(targets, names)
            targets = targets.log()
        # Of targets that are all equal, their rounding: nothing else is known to vary.
        largest = targets.abs().amax(0)
        rounding = torch.where(largest > 0, largest, torch.ones_like(largest)) * 1e-12
        scale = torch.maximum(targets.std(0), rounding)
        if not torch.isfinite(scale).all():
            name = names[int((~torch.isfinite(scale)).nonzero()[0])]
            raise ValueError(
                f"{name} of up to {float(largest.max()):.3g} is too large to be squared. Give it "
                "in a larger unit, or set log_target if all values are above 0."
            )
        mean = targets.mean(0)
        with _seeded(self.seed, x.device):
            state = self._learn(x, ((targets - mean) / scale).to(x.device))
        self._facts = {
            "outputs": list(names),
            "image_shape": list(x.shape[1:]),
            "images": len(x),
            "one_output": not isinstance(y, Mapping) and np.ndim(y) == 1,
        }
        self._settle({**state, "target_mean": mean, "target_scale": scale})
        return self

    def predict(self, images: Float[Array, "n c *space"]) -> Prediction[Array]:
        """Mean and standard deviation of the properties of images; no gradient passes.

        The standard deviation is that of a new value of the solver: it holds what the model does
        not know of an image as well as what it never explains. Far from the images of `fit` it is
        the model's opinion, not a bound.

        Raises
        ------
        EvaluationError
            (A ``ValueError``.) The images are not images.
        ValueError
            Nothing was fitted, or on images of another shape.
        """
        state = self._fitted()
        x = checked_images(images).detach()
        shape = self.image_shape
        if tuple(x.shape[1:]) != shape:
            raise ValueError(
                f"images should have shape (n, {', '.join(map(str, shape))}) as those of fit, got "
                f"{tuple(x.shape)}. Fit a surrogate on images of this size."
            )
        mean, scale = state["target_mean"], state["target_scale"]
        parts = x.split(max(1, PART // x[:1].numel())) if len(x) else ()
        with torch.no_grad():
            answers = [[a.double().cpu() for a in self._ask(self._ready, part)] for part in parts]
        empty = mean.new_zeros(0, len(mean))
        values = torch.cat([empty, *(value for value, _ in answers)]) * scale + mean
        spread = torch.cat([empty, *(std for _, std in answers)]) * scale
        if self.log_target:
            values, spread = _lognormal(values, spread)
        if self._facts["one_output"]:
            values, spread = values[:, 0], spread[:, 0]
        return Prediction(
            in_kind(values.to(x.device), images), in_kind(spread.to(x.device), images)
        )

    def check_grid(self, grid: Grid, units: Mapping[str, str] | None = None) -> None:
        """Refuse images on another grid than that of `fit`.

        Where that was not recorded (`grid` is None, and folders of before grids were), images
        should be of cubes and repeat as the settings say. Their size is free, unless an output is
        a margin of manufacturability rules or has the unit um: these were computed at 1 um.

        Parameters
        ----------
        grid
            Of the images.
        units
            Of outputs by their names, as far as they are known.

        Raises
        ------
        EvaluationError
            (A ``ValueError``.) It is another; the message says both.
        """
        self._fitted()
        units = units or {}
        lengths = [o for o in self.outputs if o.endswith("_margin") or units.get(o) == "um"]
        dim = len(self.image_shape) - 1
        edges = grid.edges_um(dim)
        if self.grid is not None:
            known, expected = self.grid.edges_um(dim), f"voxels of {self.grid.voxel_size_um} um"
        elif lengths:
            known, expected = (1.0,) * dim, f"voxels of 1 um (for {lengths[0]})"
        else:
            known, expected = edges[:1] * dim, "cubes"
        if not np.allclose(edges, known, rtol=1e-6, atol=0) or grid.periodic != self.images_repeat:
            repeat = {True: "that repeat", False: "that do not repeat"}
            raise EvaluationError(
                f"{self.kind} was fitted to images of {expected} {repeat[self.images_repeat]}, got "
                f"voxels of {grid.voxel_size_um} um {repeat[grid.periodic]}. Fit a surrogate with "
                "this grid: --voxel-size-um, --not-periodic."
            )

    def save(
        self,
        folder: Path | str,
        *,
        card: str | None = None,
        documents: Mapping[str, bytes] | None = None,
        overwrite: bool = False,
    ) -> Path:
        """Write a folder that `load_surrogate` reads: tensors, settings, card, sha256 of each.

        Parameters
        ----------
        folder
            Made if need be. A surrogate that was saved there is replaced.
        card
            Text of its ``README.md``.
        documents
            Further files of the folder by name.
        overwrite
            Replace files of these names that are something else, too.

        Raises
        ------
        SurrogateFileError
            (A ``ValueError``.) Files of these names are there, and not of a surrogate.
        """
        state = self._fitted()
        facts = {"kind": self.kind, "settings": self.model_dump(mode="json"), **self._facts}
        card = card or self._plain_card()
        return write_surrogate(
            Path(folder), state, facts, card, documents=documents, overwrite=overwrite
        )

    @classmethod
    def load(cls: type[AnySurrogate], folder: Path | str, **given: Any) -> AnySurrogate:
        """The surrogate of this class that was saved in a folder, its files checked by sha256.

        Parameters
        ----------
        folder
            What `save` wrote.
        **given
            Settings that no file can hold: ``encode`` of a `LatentGP`.

        Raises
        ------
        SurrogateFileError
            (A ``ValueError``.) The folder is missing, incomplete, changed or of a newer format.
        ValueError
            It holds a surrogate of another class.
        """
        folder = Path(folder)
        state, facts = read_surrogate(folder)
        kind = facts.get("kind")
        if kind != cls.model_fields["kind"].default:
            raise ValueError(
                f"{folder}: holds a {kind}, expected a {cls.__name__}. "
                "Load it with objectives.surrogates.load_surrogate."
            )
        return cls.restored(folder, state, facts, given)

    @classmethod
    def restored(
        cls: type[AnySurrogate],
        folder: Path,
        state: dict[str, Tensor],
        facts: dict[str, Any],
        given: Mapping[str, Any],
    ) -> AnySurrogate:
        """The surrogate of what `read_surrogate` found in a folder of this class.

        Raises
        ------
        SurrogateFileError
            (A ``ValueError``.) What was read, or given beside it, makes no surrogate.
        """
        kind = facts.pop("kind")
        needed = {name for name, field in cls.model_fields.items() if field.exclude}
        if needed != given.keys():
            raise SurrogateFileError(
                f"{folder}: beside its folder a {kind} needs {', '.join(needed) or 'nothing'}, got "
                f"{', '.join(sorted(given)) or 'nothing'}. For a latent_gp give "
                "encode=space.encode, on the command line --space, and nothing for the others."
            )
        try:
            surrogate = cls(**facts.pop("settings"), **given)
            surrogate._facts = facts
            surrogate._settle(state)
            # Asked nothing, they show that no fact or tensor is missing.
            _ = surrogate.outputs, surrogate.predict(torch.zeros(0, *facts["image_shape"]))
        except (KeyError, TypeError, RuntimeError, ValueError) as error:
            reason = " ".join(str(error).split())[:300]
            raise SurrogateFileError(f"{folder}: cannot be loaded ({reason}). {RESTORE}") from error
        return surrogate

    @abstractmethod
    def _least_images(self) -> int:
        """Fewest images these settings can learn from."""

    @abstractmethod
    def _learn(
        self, images: Float[Tensor, "n c *space"], targets: Float64[Tensor, "n m"]
    ) -> dict[str, Tensor]:
        """What is learned of targets of mean 0 and variance 1; random draws are seeded already."""

    @abstractmethod
    def _prepare(self, state: dict[str, Tensor]) -> Any:
        """What `_ask` needs, built of the state once."""

    @abstractmethod
    def _ask(
        self, ready: Any, images: Float[Tensor, "n c *space"]
    ) -> tuple[Float[Tensor, "n m"], Float[Tensor, "n m"]]:
        """Mean and standard deviation of the standardized targets."""

    def _settle(self, state: dict[str, Tensor]) -> None:
        """Take a state over, whether it was learned or loaded: both answer bit for bit alike."""
        self._state = {name: t.detach().cpu().contiguous() for name, t in state.items()}
        self._ready = self._prepare(self._state)

    def _fitted(self) -> dict[str, Tensor]:
        """What was learned; refused where nothing was."""
        if self._state is None:
            raise ValueError(f"{self.kind} is not fitted: call fit(images, y), or load a folder.")
        return self._state

    def _plain_card(self) -> str:
        return f"# {self.kind}\n\nPredicts {', '.join(self.outputs)}; it was not tested yet.\n"


def _lognormal(
    mean: Float64[Tensor, "n m"], std: Float64[Tensor, "n m"]
) -> tuple[Float64[Tensor, "n m"], Float64[Tensor, "n m"]]:
    """Moments of exp(g) for a normal g; finite even where a polynomial has left its data behind."""
    variance = std.square()
    expected = (mean + variance / 2).clamp(-600, 600).exp()
    return expected, expected * variance.clamp_max(100).expm1().sqrt()


@contextmanager
def _seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Random draws by `seed`, the global generators left as they were."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield


def root(variance: Float[Tensor, "n m"]) -> Float[Tensor, "n m"]:
    """Standard deviation of a variance, never 0: rounding may leave nothing, or less."""
    return variance.clamp_min(LEAST_VARIANCE).sqrt()
