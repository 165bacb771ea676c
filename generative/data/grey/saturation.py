"""Voxels at the end of the scale: a phase of their own, or the clipped tail of one population?"""

import numpy as np
from jaxtyping import Bool, Real

_LEAST_SHARE = 0.002  # of all voxels, at the end of the scale
_NEAREST, _SPIKE = 16, 3  # levels beside it, and how often it occurs more than they do
# On the side of the threshold with fewer voxels, which is that of a tail, and on the other.
# Of real phase maps that are clipped, the spike is .19 of its side and more; of Gaussian fields
# with a correlation of 3 pixels that are clipped at 1.4 standard deviations, it is .17.
_RARER_COHERENCE, _OTHER_COHERENCE, _PART = 0.25, 0.1, 0.18
_NEARLY_ALL = 0.9


def clipped_tails(
    image: Real[np.ndarray, "*space"],
    planes: Real[np.ndarray, "n h w"],
    threshold: float,
    counts: Real[np.ndarray, "k"],
) -> list[int | float]:
    """Levels at the ends of the scale whose voxels are the clipped tail of one population.

    A camera (or a cast to 8 bits) puts all that is too bright on the highest level and all that is
    too dark on the lowest. There the histogram has a spike, which is a peak with a valley before it
    whatever the levels are of. It is taken for a phase only if its voxels

    - lie in regions: their `coherence` is .25 or more, on the larger side of the threshold .1; and
    - are .18 or more of all on their side, if that is the smaller one.

    White noise fails the first, however broad it is; smooth fields that are clipped a little, the
    second. A phase that is clipped a little fails them, too, and shows in the levels that are left.
    Smooth fields and shading of which more is clipped look like phases, and are not told from them.

    Parameters
    ----------
    image
        Grey levels of one image.
    planes
        Slices of it, to look for neighbours in.
    threshold
        The level that is to part two populations.
    counts
        How often each level (or narrow bin of levels) occurs that does, in ascending order.

    Returns
    -------
    None, one or two.
    """
    above = int(np.count_nonzero(image > threshold))
    ends = [
        (image.min().item(), counts[1:], image.size - above),
        (image.max().item(), counts[-2::-1], above),
    ]
    spikes = []
    for end, beside, side in ends:
        found = int(np.count_nonzero(image == end))
        if found >= max(_LEAST_SHARE * image.size, _SPIKE * beside[:_NEAREST].mean()):
            spikes.append((end, found, side))
    if sum(found for _, found, _ in spikes) > _NEARLY_ALL * image.size:
        return []  # two levels, and something in between
    tails = []
    for end, found, side in spikes:
        rarer = 2 * side <= image.size
        least = _RARER_COHERENCE if rarer else _OTHER_COHERENCE
        if coherence(planes == end) < least or (rarer and found < _PART * side):
            tails.append(end)
    return tails


def coherence(there: Bool[np.ndarray, "n h w"]) -> float:
    """How much more of the neighbours of voxels are there, too: 0 if strewn, 1 without an edge."""
    pairs = both = 0
    for axis in (1, 2):
        before, after = ((slice(None),) * axis + (part,) for part in (np.s_[:-1], np.s_[1:]))
        pairs += np.count_nonzero(there[before]) + np.count_nonzero(there[after])
        both += 2 * np.count_nonzero(there[before] & there[after])
    share = there.mean()
    return float((both / max(pairs, 1) - share) / max(1 - share, 1e-9))
