"""Whether structures are copies of others, shifted, mirrored or turned."""

import itertools

import torch
from jaxtyping import Float
from torch import Tensor

from objectives.errors import EvaluationError
from objectives.images import checked_images

REACH = 8  # largest wave number along each axis: waves of an eighth of the image
NEIGHBOURS = 10  # training structures, at most, whose distance a structure's nearest is held to
CLOSE = 0.5  # over their mean distance
EQUAL = 1e-4  # over the norm of a structure's waves, its mean left out: what rounding changes
FEWEST = 8  # training structures
VOXELS_PER_CHUNK = 2**20
ROWS_AT_ONCE = 256


class Copies:
    r"""Tells structures that are training structures, whatever their place and orientation.

    Compared are the amplitudes of the longest waves in a structure, :math:`|\hat x(k)|`, averaged
    over mirrored and turned copies: no periodic shift changes them, and their squared distance is
    at most that of the voxels. A structure is a copy if its nearest training structure is less than
    half as far as its ten nearest are on average; where there are fewer than 40, as a quarter of
    them. One that equals a training structure but for rounding is a copy however often the training
    has it, unless it is of a single phase or level. So copies of which a few voxels in a hundred
    have changed are found, and structures that have no more than their phase fraction in common are
    none.

    Parameters
    ----------
    training
        Structures that may have been copied, 8 or more.

    Raises
    ------
    EvaluationError
        (A ``ValueError``.) They are no images, or fewer than 8.

    References
    ----------
    .. [1] Carlini et al. (2023), Extracting training data from diffusion models, USENIX Security,
       section 5 (a distance in proportion to that of the nearest training images, and the half).
    """

    def __init__(self, training: Float[Tensor, "t c *space"]) -> None:
        if len(training) < FEWEST:
            raise EvaluationError(
                f"copies are told among {FEWEST} training structures or more, got {len(training)}."
            )
        self._known, self._shape = amplitudes(training), tuple(training.shape[1:])
        self._neighbours = max(2, min(NEIGHBOURS, len(training) // 4))

    def __call__(self, images: Float[Tensor, "n c *space"]) -> float:
        """Share of structures of the same shape that are copies, from 0 to 1.

        An `EvaluationError` refuses structures of another shape.

        Examples
        --------
        >>> training = torch.rand(20, 1, 8, 8, generator=torch.Generator().manual_seed(0))
        >>> Copies(training)(training.roll(3, 2).flip(3))
        1.0
        """
        if tuple(images.shape[1:]) != self._shape:
            raise EvaluationError(
                f"structures should have the shape {self._shape} of the training structures, got "
                f"{tuple(images.shape[1:])}. Cut or resample them to one size."
            )
        ours = amplitudes(images)
        near = torch.cat(
            [
                torch.cdist(rows, self._known).topk(self._neighbours, largest=False).values
                for rows in ours.split(ROWS_AT_ONCE)
            ]
        )
        variation = ours.unflatten(1, (images.shape[1], -1))[..., 1:].flatten(1).norm(dim=1)
        copies = (near[:, 0] < CLOSE * near.mean(1)) | (near[:, 0] < EQUAL * variation)
        return float(copies.double().mean())


def amplitudes(images: Float[Tensor, "n c *space"]) -> Float[Tensor, "n f"]:
    """Amplitudes of the longest waves, which no shift, mirror or quarter turn changes."""
    x = checked_images(images).detach()
    rows = max(1, VOXELS_PER_CHUNK // max(1, x[:1].numel()))
    return torch.cat([_amplitudes(part) for part in x.split(rows)])


def _amplitudes(x: Tensor) -> Tensor:
    axes = tuple(range(2, x.ndim))
    power = torch.fft.fftn(x.float(), dim=axes, norm="ortho").abs().square()
    reach = min(REACH, min(x.shape[2:]) // 2)
    for axis in axes:
        k = torch.arange(reach + 1, device=x.device)
        ahead, back = (power.index_select(axis, i % x.shape[axis]) for i in (k, -k))
        power = (ahead + back) / 2
    turns = [
        order
        for order in itertools.permutations(axes)
        if all(x.shape[a] == x.shape[b] for a, b in zip(axes, order, strict=True))
    ]
    turned = torch.stack([power.permute(0, 1, *order) for order in turns]).mean(0)
    return turned.sqrt().flatten(1).double()
