"""A set of patches put together: equal images found, near-empty ones, and left out if asked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from generative.data.dataset import Dataset
from generative.data.duplicates import (
    Duplicates,
    digest,
    find_duplicates,
    is_constant,
    share_parents,
    turned_digest,
)
from generative.errors import DataError

EMPTY_SHARE = 0.99
EMPTY_SPREAD = 0.02  # of the range of all values


@dataclass(frozen=True)
class Findings:
    """What was found in a set while it was prepared.

    Parameters
    ----------
    images
        Of each whole image: its name, thresholds, and rows cropped at top and bottom.
    near_empty
        Names of patches of which 99 % lies within 2 % of one value.
    duplicates
        Names of equal images or patches, and whether they are so in one orientation.
    left_out
        Names of patches that are not in the set for one of these reasons.
    """

    images: tuple[Mapping[str, object], ...]
    near_empty: tuple[str, ...]
    duplicates: tuple[tuple[tuple[str, ...], bool], ...]
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Prepared:
    """A data set, what is known of each image, and one picture of each class.

    Parameters
    ----------
    dataset
        Patches, or whole images.
    provenance
        File, row, offset, size, class, parent, voxel size and steps of each; and in ``same_as``
        the earlier image that its whole image equals.
    pictures
        Class, image before and image after, (h, w) in [0, 1]; after has lost its info bar.
    findings
        Duplicates, near-empty patches, thresholds and cropped rows.
    """

    dataset: Dataset
    provenance: tuple[Mapping[str, object], ...]
    pictures: tuple[tuple[str, np.ndarray, np.ndarray], ...]
    findings: Findings


class WholeImages:
    """The whole images of a set as they pass, to tell which equal an earlier one."""

    def __init__(self) -> None:
        self._seen: dict[bytes, tuple[str, bytes]] = {}
        self.names: list[str] = []
        self.same_as: list[str | None] = []
        self._exact: list[bool] = []

    def add(self, name: str, *forms: np.ndarray) -> str | None:
        """The name of an earlier image that equals this one in one of its forms, or None."""
        forms = tuple(form for form in forms if not is_constant(form))
        own = digest(forms[0]) if forms else b""
        digests = [turned_digest(form) for form in forms]
        earlier = next((self._seen[key] for key in digests if key in self._seen), None)
        for key in digests:
            self._seen.setdefault(key, (name, own))
        self.names.append(name)
        self.same_as.append(None if earlier is None else earlier[0])
        self._exact.append(earlier is not None and earlier[1] == own)
        return self.same_as[-1]

    @property
    def groups(self) -> list[Duplicates]:
        """Rows of equal whole images."""
        rows: dict[str, list[int]] = {}
        row_of = {name: row for row, name in reversed(list(enumerate(self.names)))}
        for row, name in enumerate(self.same_as):
            if name is not None:
                rows.setdefault(name, [row_of[name]]).append(row)
        return [
            Duplicates(tuple(found), all(self._exact[row] for row in found[1:]))
            for found in rows.values()
        ]


def put_together(
    dataset: Dataset,
    records: Sequence[dict[str, object]],
    whole: WholeImages,
    *,
    drop_empty: bool,
    drop_duplicates: bool,
) -> tuple[Dataset, tuple[dict[str, object], ...], Findings]:
    """The set with the parents of equal images made one, less what is to be left out.

    Parameters
    ----------
    dataset
        Patches, with places whose origins are the whole images in their order.
    records
        Provenance of each.
    whole
        The whole images.

    Raises
    ------
    DataError
        If nothing would be left.
    ValueError
        If the patches have no places.
    """
    places = dataset.places
    if places is None:
        raise ValueError("where each patch lies in its image is not known; cut them with places.")
    found = find_duplicates(dataset.images, constant=False)
    # Patches of copies are duplicates all the same where their grids do not meet.
    owners, first_rows = np.unique(places.origins, return_index=True)
    row_of = dict(zip(owners.tolist(), first_rows.tolist(), strict=True))  # a frame may have none
    apart = [
        Duplicates(tuple(row_of[row] for row in g.rows if row in row_of), g.exact)
        for g in whole.groups
    ]
    parents = share_parents(dataset.parents, [*found, *apart])
    spread = EMPTY_SPREAD * float(np.ptp(dataset.images))
    empty = np.array([is_near_empty(image, spread) for image in dataset.images])
    left_out = empty & drop_empty
    if drop_duplicates:
        left_out |= places.copies
        for rows, _ in found:
            kept = [row for row in rows if not left_out[row]]
            left_out[kept[1:]] = True
    if left_out.all():
        raise DataError(
            f"{dataset.sources[0]}: all {len(dataset)} images are near-empty or equal another one, "
            "so none is left; keep them, or check how their grey levels become phases."
        )
    findings = Findings(
        images=(),
        near_empty=_names(dataset, empty),
        duplicates=_named_groups(dataset, places.origins, found, whole),
        left_out=_names(dataset, left_out),
    )
    rows = np.flatnonzero(~left_out)
    kept = replace(dataset, parents=parents).subset(rows)
    records = [record | {"parent": int(parents[row])} for row, record in enumerate(records)]
    return kept, tuple(records[row] for row in rows), findings


def _named_groups(
    dataset: Dataset, origins: np.ndarray, found: Sequence[Duplicates], whole: WholeImages
) -> tuple[tuple[tuple[str, ...], bool], ...]:
    """Equal whole images, and equal patches of images that are not."""
    named = [(tuple(whole.names[row] for row in g.rows), g.exact) for g in whole.groups]
    for rows, exact in found:
        names = {whole.same_as[origins[row]] or whole.names[origins[row]] for row in rows}
        if len(names) > 1 or len({int(origins[row]) for row in rows}) == 1:
            named.append((tuple(dataset.sources[row] for row in rows), exact))
    return tuple(named)


def _names(dataset: Dataset, chosen: np.ndarray) -> tuple[str, ...]:
    return tuple(dataset.sources[row] for row in np.flatnonzero(chosen))


def is_near_empty(image: np.ndarray, spread: float) -> bool:
    """Whether 99 % of the voxels of an image (c, *space) lie within ``spread`` of one value."""
    flat = image.reshape(len(image), -1).astype(np.float64)
    apart = np.abs(flat - np.median(flat, axis=1, keepdims=True)) > spread
    return bool(apart.any(axis=0).mean() <= 1 - EMPTY_SHARE)
