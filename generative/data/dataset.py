"""Images with the class, file and parent of each."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64, Int64

from generative.data.check import check_images
from generative.data.formats.voxel_size import VoxelSize, check_voxel_size
from generative.data.grey.phases import Content
from generative.errors import DataError

NOT_LABELLED = -1
UNLABELLED = "unlabelled"  # what the class of such an image is called, and its folder


@dataclass(frozen=True, eq=False)
class Places:
    """Where each image lies in the whole one that it was cut from.

    Parameters
    ----------
    origins
        Number of the whole image, of which a specimen may have several (the slices of a stack).
    offsets
        Voxels from its first corner along (z,) y, x.
    copies
        Whether the whole image equals an earlier one of the set, or is it mirrored or turned.
    sizes
        Voxels of the whole image that each covers along (z,) y, x, such as those that a resampled
        window reads; None where they are the voxels of the image itself.
    """

    origins: Int64[np.ndarray, "n"]
    offsets: Int64[np.ndarray, "n d"]
    copies: Bool[np.ndarray, "n"]
    sizes: Int64[np.ndarray, "n d"] | None = None

    @classmethod
    def of_whole(cls, n: int, dims: int) -> "Places":
        """Of n images that are not cut from others."""
        return cls(np.arange(n), np.zeros((n, dims), np.int64), np.zeros(n, bool))

    def subset(self, rows: np.ndarray) -> "Places":
        """Those of some rows."""
        return Places(
            self.origins[rows], self.offsets[rows], self.copies[rows], _rows(self.sizes, rows)
        )

    @classmethod
    def joined(cls, parts: Sequence["Places"]) -> "Places":
        """Those of several, whose numbers of whole images are of one count.

        Sizes are known if all parts know theirs, or none does.

        Raises
        ------
        ValueError
            If some parts know their sizes, and others do not.
        """
        if len({part.sizes is None for part in parts}) > 1:
            raise ValueError("places with sizes and without them cannot be joined; give all sizes.")
        return cls(
            np.concatenate([part.origins for part in parts]),
            np.concatenate([part.offsets for part in parts]),
            np.concatenate([part.copies for part in parts]),
            _joined([part.sizes for part in parts]),
        )

    @property
    def are_parts(self) -> bool:
        """Whether several are of one whole image: patches, which may share voxels."""
        return len(np.unique(self.origins)) < len(self.origins)


def _rows(array: np.ndarray | None, rows: np.ndarray) -> np.ndarray | None:
    return None if array is None else array[rows]


def _joined(arrays: Sequence[np.ndarray | None]) -> np.ndarray | None:
    """One after the other; None if one of them is not known."""
    known = [array for array in arrays if array is not None]
    return np.concatenate(known) if len(known) == len(arrays) else None


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images that have passed the check, and where each came from.

    Parameters
    ----------
    images
        float32 (n, c, height, width) or (n, c, depth, height, width) in [0, 1]. One channel of
        phases is the indicator of phase 1; more are one a phase.
    labels
        Class of each image, a row of ``class_names``; -1 of an image that is not labelled.
    class_names
        Names of the classes; none if no image is labelled.
    sources
        File of each image, with its row or region: ``"steel/a.png[0:64, 64:128]"``.
    parents
        Number of the specimen each image is cut from: images of one parent are correlated, and
        never belong to two splits (`split_by_parent`).
    content
        ``"phases"``, ``"grey"`` levels or ``"colour"``.
    voxel_size_m
        Edges of a voxel along (z,) y, x in metres, the same in all images; None if not known.
    reading
        What became of the stored values, such as ``values 0, 255 became phases 0, 1``; empty where
        there were none.
    places
        Where each image lies in a whole one; None if not known.
    positions
        Of windows around points (`prepare_windows`): number of the frame in its file, then the
        point along (z,) y, x in voxels of the frame, 0 at the centre of the first voxel.
    times
        When the frame of each window was taken: seconds if the interval of the movie was said, else
        the number of the frame.

    Raises
    ------
    DataError
        If the images are not float32, not finite or leave [0, 1], the lengths differ, the voxel
        size is not one length above 0 an axis, or positions and times are not finite.
    """

    images: Float32[np.ndarray, "n c *space"]
    labels: Int64[np.ndarray, "n"]
    class_names: tuple[str, ...]
    sources: tuple[str, ...]
    parents: Int64[np.ndarray, "n"]
    content: Content = "phases"
    voxel_size_m: VoxelSize | None = None
    reading: str = ""
    places: Places | None = None
    positions: Float64[np.ndarray, "n e"] | None = None
    times: Float64[np.ndarray, "n"] | None = None

    def __post_init__(self) -> None:
        if self.images.dtype != np.float32:
            raise DataError(
                f"expected float32 images, got {self.images.dtype}; use Dataset.from_images."
            )
        check_images(self.images, names=self.sources)
        lengths = {len(self.images), len(self.labels), len(self.sources), len(self.parents)}
        if len(lengths) != 1:
            raise DataError(
                f"expected one label, source and parent for each of {len(self.images)} images, got "
                f"{len(self.labels)}, {len(self.sources)} and {len(self.parents)}."
            )
        if self.labels.min() < NOT_LABELLED or self.labels.max() >= len(self.class_names):
            raise DataError(
                f"expected labels from 0 to {len(self.class_names) - 1}, a class name each, or -1 "
                f"where there is none, got {self.labels.min()} to {self.labels.max()}."
            )
        if self.places is not None and self.places.offsets.shape != (
            len(self.images),
            self.spatial_dims,
        ):
            raise DataError(
                f"expected a place of {self.spatial_dims} numbers for each of {len(self.images)} "
                f"images, got an array of {self.places.offsets.shape}."
            )
        self._check_points()
        check_voxel_size(self.voxel_size_m, self.images.ndim - 2, self.sources[0])

    def _check_points(self) -> None:
        """Refuse positions and times that are not one an image, or not finite."""
        for name, array, shape in (
            ("positions", self.positions, (len(self.images), 1 + self.spatial_dims)),
            ("times", self.times, (len(self.images),)),
        ):
            if array is not None and (array.shape != shape or not np.isfinite(array).all()):
                raise DataError(
                    f"expected finite {name} of shape {shape}, one an image, got an array of "
                    f"{array.shape}; prepare the windows again."
                )

    @classmethod
    def from_images(
        cls,
        images: Float[np.ndarray, "n c *space"],
        *,
        name: str = "array",
        content: Content = "phases",
    ) -> "Dataset":
        """Images without classes, each its own parent: synthetic ones, or an array in memory.

        Parameters
        ----------
        images
            Values in [0, 1], of any floating type; the data set holds them as float32.
        name
            What to call them: the class of all, and with the row the source of each.
        content
            What the values are, see `Dataset`.

        Raises
        ------
        DataError
            As `check_images`.

        Examples
        --------
        >>> data = Dataset.from_images(np.zeros((2, 1, 8, 8)))
        >>> len(data), data.sources, data.image_shape
        (2, ('array[0]', 'array[1]'), (1, 8, 8))
        """
        images = check_images(images)
        return cls(
            images=images,
            labels=np.zeros(len(images), np.int64),
            class_names=(name,),
            sources=tuple(f"{name}[{row}]" for row in range(len(images))),
            parents=np.arange(len(images)),
            content=content,
        )

    def __len__(self) -> int:
        return len(self.images)

    @property
    def image_shape(self) -> tuple[int, ...]:
        """(c, *space) of one image."""
        return self.images.shape[1:]

    @property
    def spatial_dims(self) -> int:
        """2 for images, 3 for volumes."""
        return self.images.ndim - 2

    @property
    def are_parts(self) -> bool:
        """Whether several are parts of one image, as patches are, and may share voxels."""
        if self.places is None:
            return len(np.unique(self.parents)) < len(self)
        return self.places.are_parts

    def class_of(self, row: int) -> str:
        """Name of the class of an image, ``"unlabelled"`` if it has none."""
        label = int(self.labels[row])
        return UNLABELLED if label == NOT_LABELLED else self.class_names[label]

    def subset(self, rows: Sequence[int] | np.ndarray) -> "Dataset":
        """The images of these rows, in this order, with all that belongs to them."""
        rows = np.asarray(rows, dtype=np.int64)
        return replace(
            self,
            images=self.images[rows],
            labels=self.labels[rows],
            sources=tuple(self.sources[row] for row in rows),
            parents=self.parents[rows],
            places=None if self.places is None else self.places.subset(rows),
            positions=_rows(self.positions, rows),
            times=_rows(self.times, rows),
        )

    @classmethod
    def joined(cls, parts: Sequence["Dataset"]) -> "Dataset":
        """The images of several data sets of one kind and size, one after the other.

        What is not of each image (class names, content, voxel size, reading) is that of the first.
        Places, positions and times are known if all parts know theirs.

        Raises
        ------
        ValueError
            If the images of the parts are of several sizes or numbers of channels.
        """
        places = [part.places for part in parts if part.places is not None]
        return replace(
            parts[0],
            images=np.concatenate([part.images for part in parts]),
            labels=np.concatenate([part.labels for part in parts]),
            sources=tuple(source for part in parts for source in part.sources),
            parents=np.concatenate([part.parents for part in parts]),
            places=Places.joined(places) if len(places) == len(parts) else None,
            positions=_joined([part.positions for part in parts]),
            times=_joined([part.times for part in parts]),
        )
