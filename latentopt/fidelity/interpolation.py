"""How far structures between two structures leave the data: figures of paths in latent spaces."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int64
from torch import Tensor

from generative.errors import DataError
from latentopt.errors import ConfigError
from latentopt.space.arguments import AnyArray, checked_images
from latentopt.space.latent_space import LatentSpace
from latentopt.space.paths import PATHS, Way, is_way
from objectives.arrays import as_tensor
from objectives.fidelity.pixels import pixel_error
from objectives.fidelity.two_point_scores import TwoPointScores
from objectives.phases import cut_phases
from objectives.specific_surface import specific_surface

__all__ = ["BLEND", "FIGURES", "InterpolationFigures", "draw_pairs", "interpolation_figures"]

QUANTILES = (0.05, 0.5, 0.95)
BLEND = "pixels"  # stands for a space in the figures of the control
ROWS_AT_ONCE = 256
ROUNDING = 1e-9  # scores of equal structures differ by this at most, over the data's spacing

FIGURES = {
    "distance": "distance of the structure to the nearest reference structure but the two ends, in "
    "two-point scores; 1 is as near as these are to one another",
    "greyness": "mean of 4x(1-x) over the image before phases are cut: 0 is crisp, 1 is x = 1/2 "
    "everywhere",
    "interface": "specific interface of the structure over that of the two originals, weighted "
    "1-t and t",
    "step": "distance to the position before, in two-point scores, over the mean of the path; 1 "
    "everywhere is an even path",
}

Progress = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class InterpolationFigures:
    """Paths between pairs of structures in one space, one way, and how they keep to the data.

    Parameters
    ----------
    name
        The space, or `BLEND` for the control.
    how
        ``"linear"``, ``"slerp"``, or ``"blend"`` for the control.
    paths
        Soft images ``(p, n, c, *space)`` in [0, 1]: n positions between the structures of p pairs.
    figures
        By the names of `FIGURES`, for each pair and position ``(p, n)``. NaN is what cannot be
        had: the step at position 0, steps of a path that stands still, the interface where neither
        original has any.
    reconstructed
        Share of the two originals that the ends of the path have right, mean over pairs: of
        voxels with the same phase; of grey images, 1 less the mean absolute error.
    """

    name: str
    how: str
    paths: Float[Tensor, "p n c *space"]
    figures: Mapping[str, Float64[Tensor, "p n"]]
    reconstructed: float

    @property
    def positions(self) -> Float64[Tensor, "n"]:
        """The positions t, equidistant from 0 to 1."""
        return torch.linspace(0, 1, self.paths.shape[1], dtype=torch.float64)

    def quantiles(self, figure: str) -> Float64[Tensor, "3 n"]:
        """5 %, median and 95 % of a figure over the pairs at each position, NaN left out."""
        levels = torch.tensor(QUANTILES, dtype=torch.float64)
        return self.figures[figure].nanquantile(levels, dim=0)

    @property
    def largest_step(self) -> float:
        """Largest step of a path over its mean step, median over pairs; 1 (even) to n - 1."""
        return float(self.figures["step"][:, 1:].amax(1).nanmedian())


def interpolation_figures(
    spaces: Mapping[str, LatentSpace],
    pairs: AnyArray,
    *,
    reference: AnyArray,
    n: int = 8,
    hows: Sequence[str] = ("linear", "slerp"),
    phases: bool = True,
    progress: Progress = lambda step: None,
) -> tuple[InterpolationFigures, ...]:
    r"""Figures of each space and each way on the same pairs, and last of the pixels' blend.

    Structures are compared by their first scores :math:`\alpha_a` on the principal components of
    the two-point statistics of the reference (not periodic, shifts up to a quarter of the shortest
    side), each over its standard deviation :math:`\sigma_a` there. With the Euclidean distance
    :math:`d` of these and the reference structures :math:`r_i`, the distance of x is

    .. math:: \frac{\min_{r_i \ne a, b} d(x, r_i)}
                   {\operatorname{median}_i\, \min_{j \ne i} d(r_i, r_j)} .

    Reference structures equal to an end a or b are not counted, or the ends would be at 0; without
    them a reference structure as an end is at about 1, and a path that keeps to the data stays
    there.

    No figure judges alone. Below 1 is no merit: average statistics lie amid those of the data, near
    many. And the control, the blend :math:`(1 - t)\,a + t\,b` voxel by voxel, keeps a good distance
    too, for cut it is a until it is b; its greyness and its one step give it away. Greyness is a
    matter of two-point statistics as well: of one channel with volume fraction v it is
    :math:`4 (v - S_2(0))`, which is 0 for all structures of phases.

    Parameters
    ----------
    spaces
        By the name they have in the table, of one image shape. Two coordinate systems of one
        model are two spaces.
    pairs
        Images ``(p, 2, c, *space)`` in [0, 1], the two ends of each path.
    reference
        Images ``(m, c, *space)`` in [0, 1], three or more, held out or of the training; the ends
        may be among them.
    n
        Positions, both ends included.
    hows
        Ways to go, of those that `LatentSpace.interpolate` knows: ``linear``, ``slerp``.
    phases
        Whether the images are phases, which are then cut before structures are compared. Grey
        images are compared as they are.
    progress
        Called with the name of each path as it begins: ``len(spaces) * len(hows) + 1`` times.

    Raises
    ------
    ConfigError
        If a space has no encoder.
    DataError
        If images do not have the shape of a space, or the reference is too few or all alike.
    ValueError
        For no space, way or pair, fewer than two positions, or images that leave [0, 1].
    """
    ways = _checked_request(spaces, n, hows)
    ends, reference = _checked_data(
        spaces, as_tensor(pairs, "pairs").cpu(), as_tensor(reference, "reference").cpu()
    )
    compare = _Comparison(reference, ends, phases)
    answers = []
    for name, space in spaces.items():
        z = space.encode(ends.flatten(0, 1)).unflatten(0, (-1, 2))
        for how in ways:
            progress(f"{name} {how}")
            points = torch.stack([space.interpolate(a, b, n, how) for a, b in z])
            soft = space.decode(points).clamp(0, 1)
            answers.append(_figures_of(name, how, soft, ends, compare))
    progress(f"{BLEND} blend")
    t = torch.linspace(0, 1, n).reshape(-1, *(1,) * (ends.ndim - 2))
    soft = (1 - t) * ends[:, :1] + t * ends[:, 1:]
    return (*answers, _figures_of(BLEND, "blend", soft, ends, compare))


def draw_pairs(
    parents: Int64[np.ndarray, "m"], labels: Int64[np.ndarray, "m"], pairs: int, seed: int = 0
) -> Int64[np.ndarray, "p 2"]:
    """Rows of random pairs: of two parents and of two classes, where there are several of them.

    Parameters
    ----------
    parents, labels
        Parent and class of each image.
    pairs
        How many; fewer come back if there are no more. No pair comes twice.
    seed
        Fixes the choice.

    Returns
    -------
    Rows of both structures of each pair.

    Examples
    --------
    >>> draw_pairs(np.arange(2), np.zeros(2, np.int64), pairs=8).shape
    (1, 2)
    """
    rng = np.random.default_rng(seed)
    keys = [key for key in (parents, labels) if len(np.unique(key)) > 1]
    found: dict[frozenset[int], tuple[int, int]] = {}
    while True:
        before = len(found)
        for a in rng.permutation(len(parents)).tolist():
            if len(found) == pairs:
                break
            apart = np.arange(len(parents)) != a
            for key in keys:
                apart &= key != key[a]
            free = [b for b in np.flatnonzero(apart).tolist() if frozenset((a, b)) not in found]
            if free:
                b = free[rng.integers(len(free))]
                found[frozenset((a, b))] = (a, b)
        if len(found) in (before, pairs):
            return np.array(list(found.values()), dtype=np.int64).reshape(-1, 2)


class _Comparison:
    """Two-point scores of unit variance over the reference, and distances in them."""

    def __init__(
        self,
        reference: Float[Tensor, "m c *space"],
        ends: Float[Tensor, "p 2 c *space"],
        phases: bool,
    ) -> None:
        self.phases = phases
        self._allowed = _unequal(ends, reference)
        reference = self.cut(reference)
        try:
            self._scores = TwoPointScores(reference)
        except ValueError as error:
            raise DataError(
                f"the {len(reference)} reference structures are too much alike to compare others "
                f"with: {error}"
            ) from error
        self._reference = self.scores(reference)
        nearest = [
            _distances(part, self._reference).kthvalue(2, dim=1).values
            for part in self._reference.split(ROWS_AT_ONCE)
        ]
        self._spacing = float(torch.cat(nearest).median())
        if not self._spacing > 0 or not bool(self._allowed.any(1).all()):
            raise DataError(
                f"of {len(reference)} reference structures most are equal to one another or to the "
                "ends of a path; give more, different ones."
            )

    def cut(self, images: Float[Tensor, "k c *space"]) -> Float[Tensor, "k c *space"]:
        """Images as structures: phases cut, if they are phases."""
        return cut_phases(images) if self.phases else images

    def scores(self, images: Float[Tensor, "k c *space"]) -> Float64[Tensor, "k f"]:
        return self._scores(images.double())

    def from_data(self, scores: Float64[Tensor, "p n f"]) -> Float64[Tensor, "p n"]:
        """Distance of each path's positions to the reference structures that are not its ends."""
        rows = [
            _distances(path, self._reference[allowed]).amin(1)
            for path, allowed in zip(scores, self._allowed, strict=True)
        ]
        return torch.stack(rows) / self._spacing

    def steps(self, scores: Float64[Tensor, "p n f"]) -> Float64[Tensor, "p n"]:
        """Distance of each position to the one before, over the mean of its path."""
        lengths = scores.diff(dim=1).norm(dim=2)
        lengths = lengths.where(lengths > ROUNDING * self._spacing, 0.0)
        first = lengths.new_full((len(lengths), 1), torch.nan)
        return torch.cat([first, lengths / lengths.mean(1, keepdim=True)], dim=1)  # 0 / 0 is NaN


def _figures_of(
    name: str,
    how: str,
    soft: Float[Tensor, "p n c *space"],
    ends: Float[Tensor, "p 2 c *space"],
    compare: _Comparison,
) -> InterpolationFigures:
    pairs, n = soft.shape[:2]
    rows, originals = soft.flatten(0, 1), compare.cut(ends.flatten(0, 1))
    structures = compare.cut(rows)
    scores = compare.scores(structures).unflatten(0, (pairs, n))
    figures = {
        "distance": compare.from_data(scores),
        "greyness": (4 * rows * (1 - rows)).flatten(1).double().mean(1).unflatten(0, (pairs, n)),
        "interface": _interface_kept(
            _interface(structures).unflatten(0, (pairs, n)),
            _interface(originals).unflatten(0, (pairs, 2)),
        ),
        "step": compare.steps(scores),
    }
    last = structures.unflatten(0, (pairs, n))[:, [0, -1]].flatten(0, 1)
    wrong = pixel_error(originals, last) if compare.phases else (originals - last).abs()
    return InterpolationFigures(name, how, soft, figures, 1 - float(wrong.mean()))


def _interface(images: Float[Tensor, "k c *space"]) -> Float64[Tensor, "k"]:
    """Interface between all phases: that of each counts every piece twice."""
    channels = images.shape[1]
    if channels == 1:
        return specific_surface(images.double(), periodic=False)
    each = [specific_surface(images.double(), phase=k, periodic=False) for k in range(channels)]
    return sum(each[1:], each[0]) / 2


def _interface_kept(
    ours: Float64[Tensor, "p n"], originals: Float64[Tensor, "p 2"]
) -> Float64[Tensor, "p n"]:
    t = torch.linspace(0, 1, ours.shape[1], dtype=torch.float64)
    expected = (1 - t) * originals[:, :1] + t * originals[:, 1:]
    return torch.where(expected > 0, ours / expected, torch.nan)


def _unequal(
    ends: Float[Tensor, "p 2 c *space"], reference: Float[Tensor, "m c *space"]
) -> Bool[Tensor, "p m"]:
    """Which reference structures are not an end of each path."""
    rows = [row.numpy().tobytes() for row in reference]
    taken = [{end.numpy().tobytes() for end in pair} for pair in ends]
    return torch.tensor([[row not in pair for row in rows] for pair in taken])


def _distances(points: Tensor, centres: Tensor) -> Tensor:
    """Exact differences: a point is at distance 0 from itself."""
    return torch.cdist(points, centres, compute_mode="donot_use_mm_for_euclid_dist")


def _checked_request(
    spaces: Mapping[str, LatentSpace], n: int, hows: Sequence[str]
) -> tuple[Way, ...]:
    if not spaces or not hows or n < 2:
        raise ValueError(
            f"interpolation needs a space, a way and two positions or more, got {len(spaces)} "
            f"spaces, {len(hows)} ways and n={n}."
        )
    ways = tuple(how for how in hows if is_way(how))
    if unknown := [how for how in hows if how not in ways]:
        raise ValueError(f"hows should be of {', '.join(PATHS)}, got {unknown[0]!r}.")
    return ways


def _checked_data(
    spaces: Mapping[str, LatentSpace], pairs: Tensor, reference: Tensor
) -> tuple[Float[Tensor, "p 2 c *space"], Float[Tensor, "m c *space"]]:
    if pairs.ndim < 2 or pairs.shape[1] != 2 or len(pairs) == 0:
        raise ValueError(
            f"pairs should have shape (p, 2, c, *space), got {tuple(pairs.shape)}. "
            "One pair of images is torch.stack([a, b])[None]."
        )
    for name, space in spaces.items():
        if not space.encodes:
            raise ConfigError(
                f"{name}: its model has no encoder, so the ends have no points to go between. "
                "Interpolate between points of LatentSpace.sample, or leave this space out."
            )
        for what, shape in (("ends", pairs.shape[2:]), ("reference", reference.shape[1:])):
            if tuple(shape) != space.image_shape:
                raise DataError(
                    f"{name}: expected {what} of shape {space.image_shape}, got {tuple(shape)}. "
                    "Cut larger images into patches, or train a space on these."
                )
    if len(reference) < 3:
        raise DataError(f"three reference structures or more are needed, got {len(reference)}.")
    shape = tuple(reference.shape[1:])
    ends = checked_images(pairs.flatten(0, 1), shape).float().unflatten(0, (-1, 2))
    return ends, checked_images(reference, shape).float()
