"""What a property depends on: the structure of a latent point, in a few numbers."""

import math
from collections.abc import Iterator
from weakref import WeakKeyDictionary

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from latentopt.space.fitting import thinned
from latentopt.space.latent_space import LatentSpace
from objectives.phases import cut_phases
from objectives.two_point.pca import TwoPointPCA

__all__ = ["StructureFeatures"]

_SCORES = 20  # principal components at most; they come with falling variance
_CUTOFF = 16  # largest shift compared, in voxels
# A voxel counts for a phase by the logistic function of its distance from 1/2, so many times.
# Sharper ones agree better with the segmented structure, and give their gradient in fewer voxels.
_SHARPNESS = 20.0
_VOXELS = 2**22  # of the training structures that the components are learned from, in all
_LEAST_ROWS = 128
_PART = 64  # points decoded at once
_REMEMBERED = 20_000  # points whose features are kept
_features: "WeakKeyDictionary[LatentSpace, StructureFeatures]" = WeakKeyDictionary()


class StructureFeatures:
    r"""Phase fractions, and scores on the principal components of two-point statistics.

    z is where a search moves; the structure is what a property depends on. The features of z are
    those of the structure that it decodes to:

    - ``volume_fraction``: of phase 1, or of phases 1, 2, ..., as :math:`(v - 1/2) / 0.2`;
    - ``score_0``, ``score_1``, ...: of the normalized two-point statistics (`TwoPointPCA`) [1]_,
      divided by the standard deviation of the first. Later ones vary less over the training set,
      and so weigh less in any distance between structures, as they should: with unit variance
      each, a Gaussian process on 20 of them predicts from 40 structures nothing, and with these
      weights as much as it does on 4.

    Parameters
    ----------
    space
        Decodes; the components are those of its training structures, ``space.reference_``. A
        space that keeps none is sampled.
    components
        Most scores; fewer if the structures differ in fewer directions.

    Attributes
    ----------
    names
        Name of each feature, in order.
    reference
        Training points inside the radius, from all over those of the space: float64 ``(m, d)``.
    reference_scores
        Their features, ``(m, k)``.

    References
    ----------
    .. [1] Niezgoda, Kanjarla, Kalidindi (2013), Novel microstructure quantification framework for
       databasing, visualization, and analysis of microstructure data, IMMI 2, 54.

    Examples
    --------
    >>> features = StructureFeatures.of(LatentSpace.default())
    >>> features.scores(features.space.sample(3, seed=0)).shape
    torch.Size([3, 21])
    """

    def __init__(self, space: LatentSpace, components: int = _SCORES) -> None:
        self.space = space
        sides = space.image_shape[1:]
        rows = max(_LEAST_ROWS, _VOXELS // math.prod(sides))
        points = space.reference_ if len(space.reference_) > 1 else space.sample(rows, seed=0)
        # From all over: those of a space that was trained on classes lie class by class.
        self.reference = space.project(thinned(points, rows))
        phases = torch.cat([self._phases(part) for part in self.reference.split(_PART)])
        self.pca, self._unit = _fit(phases, components, min(_CUTOFF, (min(sides) - 1) // 2))
        fractions = max(1, space.image_shape[0] - 1)
        self.names = (
            *(["volume_fraction"] if fractions == 1 else _numbered("volume_fraction", fractions)),
            *_numbered("score", self.pca.components if self.pca else 0),
        )
        self.fractions = fractions
        self.reference_scores = self._of_images(phases)
        self._known = {
            _key(z): scores for z, scores in zip(self.reference, self.reference_scores, strict=True)
        }

    @classmethod
    def of(cls, space: LatentSpace) -> "StructureFeatures":
        """Features of a space, made once for each."""
        if space not in _features:
            _features[space] = cls(space)
        return _features[space]

    def __call__(self, z: Float[Tensor, "*n d"]) -> Float64[Tensor, "*n k"]:
        """Features of any points; differentiable, of phases that are segmented softly."""
        images = self.space.decode(z.reshape(-1, z.shape[-1]))
        if images.shape[1] == 1:
            soft = torch.sigmoid(_SHARPNESS * (images - 0.5))
        else:
            soft = torch.softmax(_SHARPNESS * images, dim=1)
        return self._of_images(soft).reshape(*z.shape[:-1], -1)

    def scores(self, z: Float[Tensor, "n d"]) -> Float64[Tensor, "n k"]:
        """Features of what the points decode to, as it is exported; each is computed once."""
        keys = [_key(row) for row in z]
        new = [i for i, key in enumerate(keys) if key not in self._known]
        for start in range(0, len(new), _PART):
            part = new[start : start + _PART]
            for i, row in zip(part, self._of_images(self._phases(z[part])), strict=True):
                self._known[keys[i]] = row
        for key in keys:  # what was asked for last is forgotten last
            self._known[key] = self._known.pop(key)
        rows = [self._known[key] for key in keys]
        while len(self._known) > _REMEMBERED:
            del self._known[next(iter(self._known))]
        return torch.stack(rows) if rows else z.new_zeros(0, len(self.names))

    def _phases(self, z: Float[Tensor, "n d"]) -> Float[Tensor, "n c *space"]:
        with torch.no_grad():
            images = self.space.decode(z)
        return cut_phases(images)

    def _of_images(self, images: Float[Tensor, "n c *space"]) -> Float64[Tensor, "n k"]:
        shares = images.flatten(2).double().mean(2)
        columns = [(shares[:, -self.fractions :] - 0.5) / 0.2]
        if self.pca is not None:
            columns.append(self.pca.transform(images).double() / self._unit)
        return torch.cat(columns, dim=1).cpu()


def _fit(
    phases: Float[Tensor, "n c *space"], components: int, cutoff: int
) -> tuple[TwoPointPCA | None, float]:
    """Components of the structures, and the deviation of the first; none if all are alike."""
    for k in _falling(min(components, len(phases) - 1)):
        try:
            pca = TwoPointPCA(k, cutoff=cutoff, normalized=True).fit(phases)
        except ValueError:  # the structures differ in fewer directions
            continue
        return pca, float(pca.explained_variance_[0].sqrt())
    return None, 1.0


def _falling(k: int) -> Iterator[int]:
    while k >= 1:
        yield k
        k = k * 2 // 3


def _numbered(name: str, n: int) -> list[str]:
    return [f"{name}_{i}" for i in range(n)]


def _key(z: Float[Tensor, " d"]) -> bytes:
    return z.detach().double().cpu().numpy().tobytes()
