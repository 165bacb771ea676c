"""Do grey levels fall into two populations, or are they labels? Asked before a threshold is set."""

import numpy as np
from jaxtyping import Real
from scipy import ndimage

from generative.data.grey.saturation import clipped_tails, coherence

# Fewer voxels than this, of more levels than that, do not tell one population from two.
FEWEST_VOXELS, FEW_LEVELS = 2048, 64
_SURE_VOXELS = 4096
_FEWEST_MEANS = 400
_BINS = 512
_VALLEY, _TAIL = 0.85, 0.1  # of the lower and of the higher peak
_TAIL_COHERENCE = 0.2
_SIDE, _SLICES = 4096, 16  # of an image, what is looked at for means

FEWEST_FLAT = 9
_FLAT_SHARE, _INNER_SHARE, _JUMPS = 0.25, 0.1, 0.5


def has_two_populations(image: Real[np.ndarray, "*space"], threshold: float | int) -> bool:
    """Whether a threshold lies in a valley of the grey levels, between two peaks of their own.

    The density of the levels is estimated by a Gaussian kernel. Two populations are seen where the
    density at the threshold is below 0.85 of the lower of the peaks on its two sides, beyond 2.5
    standard errors; or below a tenth of the higher, when what lies beyond is the tail of a small
    population, and is no strewn voxels but regions. Voxels at the end of the scale that are the
    clipped tail of one population (`clipped_tails`) are left out. Noise hides the valley of two
    populations that are there, so it is looked for in the means of 3x3 and 5x5 pixels, too. One
    population (Gaussian, uniform, Poisson, Rayleigh, exponential noise, also blurred or clipped; a
    gradient of illumination) has no such valley, although Otsu's threshold always exists: it takes
    the upper half of it for a phase.

    Parameters
    ----------
    image
        Grey levels of one image.
    threshold
        The level that is to part them, such as Otsu's.

    Returns
    -------
    True also for fewer than 2,048 voxels of more than 64 levels, which say too little.
    """
    if image.size < FEWEST_VOXELS and len(np.unique(image)) > min(FEW_LEVELS, image.size / 4):
        return True
    below, above = image[image <= threshold], image[image > threshold]
    if not (below.size and above.size):
        return False
    # All thresholds between two levels that occur part the image alike.
    threshold = (float(below.max()) + float(above.min())) / 2
    plane = _planes(image)
    tails = clipped_tails(image, plane, threshold, _counted(image.ravel())[1])
    levels = image[~np.isin(image, tails)] if tails else image.ravel()
    # Strewn voxels are the outliers of one population.
    rarer = plane > threshold if above.size <= below.size else plane <= threshold
    tail = coherence(rarer) >= _TAIL_COHERENCE
    if _is_valley(levels, threshold, tail=tail, sure=bool(tails)):
        return True
    left = ~np.isin(plane, np.array(tails, plane.dtype)) if tails else None
    for width in (3, 5):
        size = (1, width, width)
        step = np.s_[:, width // 2 :: width, width // 2 :: width]
        means = ndimage.uniform_filter(plane, size)[step]
        if left is not None:  # but for means of clipped voxels alone
            means = means[ndimage.maximum_filter(left, size)[step]]
        if means.size < _FEWEST_MEANS:
            return False
        if _is_valley(means.ravel(), threshold, tail=False):
            return True
    return False


def _planes(image: np.ndarray) -> np.ndarray:
    """Slices (n, h, w) of the middle of an image, float32; few enough to be averaged at once."""
    planes = image[None] if image.ndim == 2 else image
    planes = planes[:: -(-len(planes) // _SLICES)]
    corner = [max(0, (side - _SIDE) // 2) for side in planes.shape[1:]]
    y, x = (slice(start, start + _SIDE) for start in corner)
    return planes[:, y, x].astype(np.float32)


def _is_valley(
    levels: np.ndarray, threshold: float | int, *, tail: bool, sure: bool = False
) -> bool:
    values, counts = _counted(levels)
    total = np.cumsum(counts)
    low, high = (values[np.searchsorted(total, share * total[-1])] for share in (0.001, 0.999))
    if not low < threshold < high:
        return False
    inside = (values >= low) & (values <= high)
    gap = np.median(np.diff(values)) if len(values) > 2 else 0.0
    low, high = low - gap / 2, high + gap / 2  # a level stands for half a gap on both sides
    # As wide as the gaps of stretched levels, or their comb would look like valleys.
    width = _BINS * max(0.02, levels.size**-0.5, gap / (high - low))
    bins = np.histogram(values[inside], _BINS, (low, high), weights=counts[inside])[0]
    density = ndimage.gaussian_filter1d(bins, width, mode="reflect")
    near = density * width * 2 * np.sqrt(np.pi)  # levels that each estimate rests on
    at = int(np.clip((threshold - low) / (high - low) * _BINS, 1, _BINS - 1))
    reach = max(1, int(width / 2))
    peaks, valley = (near[:at].max(), near[at:].max()), near[max(at - reach, 0) : at + reach].min()
    sure = sure or levels.size >= _SURE_VOXELS or len(values) <= FEW_LEVELS
    errors = 2.5 if sure else 1.0
    least = valley + errors * np.sqrt(valley)
    lower = min(peaks) - errors * np.sqrt(min(peaks))
    return bool(least < _VALLEY * lower or (tail and least < _TAIL * max(peaks)))


def _counted(levels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Levels in ascending order, as float64, and how often each occurs; floats in 4,096 bins."""
    low, high = levels.min(), levels.max()
    if levels.dtype.kind in "iu" and int(high) - int(low) < 2**16:
        counts = np.bincount(levels.astype(np.int64) - int(low))
        found = np.flatnonzero(counts)
        return found + float(low), counts[found].astype(np.float64)
    counts, edges = np.histogram(levels, 4096, (float(low), float(high)))
    found = np.flatnonzero(counts)
    return (edges[:-1] + edges[1:])[found] / 2, counts[found].astype(np.float64)


def is_label_map(image: Real[np.ndarray, "*space"]) -> bool:
    """Whether an image consists of flat regions of many values, as numbered grains do.

    That is: a quarter of the voxels have neighbours that all have the same value; this is so of a
    tenth of the voxels of at least 9 values; and where neighbours differ, half the time it is by
    more than one step of the values that occur, which smooth levels never do.

    Examples
    --------
    >>> grains = np.arange(16).reshape(4, 4)[::-1] * 7 % 16
    >>> is_label_map(np.kron(grains, np.ones((8, 8), int)))
    True
    """
    plane = _planes(image)
    values, ranks = np.unique(plane, return_inverse=True)
    if len(values) < FEWEST_FLAT:
        return False
    ranks = ranks.reshape(plane.shape)
    inner = np.ones(ranks.shape, bool)
    unlike = jumps = 0
    for axis in (1, 2):
        step = np.abs(np.diff(ranks, axis=axis))
        unlike, jumps = unlike + np.count_nonzero(step), jumps + np.count_nonzero(step > 1)
        before, after = ((slice(None),) * axis + (part,) for part in (np.s_[:-1], np.s_[1:]))
        inner[before] &= step == 0
        inner[after] &= step == 0
    within = np.bincount(ranks[inner], minlength=len(values))
    flat = within > _INNER_SHARE * np.bincount(ranks.ravel())
    return bool(
        np.count_nonzero(flat) >= FEWEST_FLAT
        and within.sum() >= _FLAT_SHARE * ranks.size
        and jumps >= _JUMPS * unlike
    )
