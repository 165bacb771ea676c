"""Two-point scores of unit variance: where sets of structures are compared with one another."""

from jaxtyping import Float, Float64
from torch import Tensor

from objectives.two_point.pca import TwoPointPCA

COMPONENTS = 10


class TwoPointScores:
    """Scores on the components of the reference structures, each over its standard deviation.

    Parameters
    ----------
    reference
        Structures that fix components and deviations.

    Raises
    ------
    ValueError
        For too few structures, or structures that differ in too few directions.
    """

    def __init__(self, reference: Float[Tensor, "m c *space"]) -> None:
        cutoff = min(reference.shape[2:]) // 4
        components = components_of(len(reference))
        self._pca = TwoPointPCA(components, periodic=False, cutoff=cutoff).fit(reference)

    def __call__(self, images: Float[Tensor, "n c *space"]) -> Float64[Tensor, "n f"]:
        """Scores of structures of the reference's shape, dimensionless."""
        return self._pca.transform(images).double() / self._pca.explained_variance_.sqrt()


def components_of(structures: int) -> int:
    """Components that so many reference structures support."""
    return min(COMPONENTS, (structures - 1) // 2)
