"""Gaussian processes on what the structure is like: move in z, model what the property sees."""

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from latentopt.space.latent_space import LatentSpace
from latentopt.strategies.modelled.model_based import ModelBased

if TYPE_CHECKING:
    from latentopt.strategies.modelled.inputs import StructureInputs


class Structure(ModelBased):
    """Expected improvement under Gaussian processes on statistics of the decoded structure.

    A property depends on the structure, not on the coordinates of the decoder that made it. The
    processes live on its phase fractions and two-point scores (`latentopt.space.features`), with
    the point itself in a second term for what these do not tell. Fits use features of the
    structures as they are exported, each computed once; only the acquisition function decodes, and
    is climbed in z by its gradient through decoder and Fourier transform, inside the data's radius.
    """

    kind: Literal["structure"] = "structure"
    needs_gradient: ClassVar[bool] = True
    restarts: int = Field(
        2,
        ge=1,
        description="Number of ascents of the acquisition function for each point that is "
        "proposed.",
    )
    max_iterations: int = Field(
        30,
        ge=1,
        description="Largest number of iterations of a model fit, and of an ascent of the "
        "acquisition function.",
    )
    point: bool = Field(
        True,
        description="Whether the covariance function has a second term in the latent point "
        "itself, for what features of the structure miss.",
    )

    def inputs(self, space: LatentSpace) -> "StructureInputs":
        """Features of the structure, and the point beside them."""
        from latentopt.strategies.modelled.inputs import StructureInputs

        return StructureInputs(space, point=self.point)
