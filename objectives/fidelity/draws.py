"""Sets of generated structures against real ones, beside other real ones and shuffled voxels."""

from jaxtyping import Float
from torch import Tensor

from objectives.errors import EvaluationError
from objectives.fidelity.copies import FEWEST, Copies
from objectives.fidelity.ensemble import shuffled_pixels
from objectives.fidelity.feature_spaces import FeatureSpaces, compare_rows
from objectives.fidelity.lone_voxels import lone_voxels, thin_voxels
from objectives.fidelity.statistics import check_alike
from objectives.fidelity.undecided_voxels import undecided_voxels
from objectives.images import checked_images
from objectives.phases import are_phases, cut_phases

COLLAPSED_RECALL = 0.1  # of draws that are nearly all alike


class DrawFigures:
    """Figures of sets of generated structures, with those of a floor and of a control.

    All sets are of one size, because a distance of few structures is biased by how few they are.

    - ``frechet_``, ``precision_`` and ``recall_`` to the reference, in each of the `FeatureSpaces`;
    - ``lone_voxels`` and ``thin_voxels``, of phases;
    - ``undecided_voxels`` of the draws before they are cut into phases;
    - ``copied``, the share that copies training structures (`Copies`), where these are given.

    Phases are cut; of grey levels the first are taken as they are, and lone, thin and undecided
    voxels are left out. A figure for which there are too few structures is absent.

    Parameters
    ----------
    reference
        Real structures that no training has seen.
    others
        More of them, or the training structures: what the floor is taken of. Without them there is
        no floor, and the control is made of the reference.
    training
        Structures that may have been copied.
    spaces
        Where sets are compared; fixed by the reference unless given.
    size
        Structures in a set, at most.
    seed
        Fixes how voxels are shuffled.

    Attributes
    ----------
    size
        Structures in each set.
    floor
        Figures of the other real structures: no generator can be asked for better ones. ``copied``
        is that of the reference.
    control
        Figures of real structures with shuffled voxels: phase fractions without structure.

    Raises
    ------
    EvaluationError
        (A ``ValueError``.) A set is empty, or its images have another shape.
    """

    def __init__(
        self,
        reference: Float[Tensor, "m c *space"],
        others: Float[Tensor, "k d *size"] | None = None,
        *,
        training: Float[Tensor, "t d *size"] | None = None,
        spaces: FeatureSpaces | None = None,
        size: int | None = None,
        seed: int = 0,
    ) -> None:
        real = reference if others is None else others
        check_alike(reference, real)
        self.phases = are_phases(reference)
        self.size = min(len(reference), len(real), *([] if size is None else [size]))
        self.spaces = FeatureSpaces(self._cut(reference)) if spaces is None else spaces
        self._shape = tuple(reference.shape[1:])
        first, second = (self._cut(images[: self.size]) for images in (reference, real))
        self._reference = self.spaces(first)
        told = training is not None and len(training) >= FEWEST
        self._copies = Copies(training) if told else None
        self.floor = {} if others is None else self._figures(second)
        if self._copies is not None and others is not None:
            self.floor["copied"] = self._copies(first)
        self.control = self._figures(shuffled_pixels(second, seed))

    def __call__(self, draws: Float[Tensor, "n c *space"]) -> dict[str, float]:
        """Figures of the first structures of a set, as many as the others have.

        An `EvaluationError` refuses another shape, and values that are not finite or in [0, 1].
        """
        if tuple(draws.shape[1:]) != self._shape or not len(draws):
            raise EvaluationError(
                f"draws should be one or more images of shape {self._shape}, got "
                f"{tuple(draws.shape)}."
            )
        draws = checked_images(draws[: self.size])
        images = self._cut(draws)
        figures = self._figures(images)
        if self.phases:
            figures["undecided_voxels"] = undecided_voxels(draws)
        if self._copies is not None:
            figures["copied"] = self._copies(images)
        return figures

    def _cut(self, images: Tensor) -> Tensor:
        return cut_phases(images) if self.phases else images

    def _figures(self, images: Tensor) -> dict[str, float]:
        figures: dict[str, float] = {}
        if len(images) > 1:
            figures |= compare_rows(self.spaces(images), self._reference)
        if self.phases and min(images.shape[2:]) >= 3:
            figures |= {"lone_voxels": lone_voxels(images), "thin_voxels": thin_voxels(images)}
        return figures
