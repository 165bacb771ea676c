"""A data set in one HDF5 file: images with class, parent and provenance, read back as they were."""

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import get_args

import h5py
import numpy as np

from generative.data.check import Limits, reading
from generative.data.dataset import Dataset, Places
from generative.data.formats import hdf5_guard as guard
from generative.data.formats.source import check_real
from generative.data.grey.phases import Content
from generative.errors import DataError
from generative.files.json_text import parse_json

SCHEMA = "latentopt.dataset/1"
POINTS = ("positions", "times")  # of windows; other sets have none


def encode_set(dataset: Dataset, provenance: Sequence[Mapping[str, object]] = ()) -> bytes:
    """The file as bytes, made in memory so that a full disk cannot leave half of it.

    ``/images`` is ``(n, c, *space)``: uint8 where all values are 0 or 1, else float32, with a
    checksum of each chunk. ``/labels`` (-1 is not labelled), ``/parents``, ``/sources`` and
    ``/provenance`` (JSON) have one entry an image, and so have ``/positions`` (frame, then (z,) y,
    x) and ``/times`` of windows; ``class_names`` (JSON), ``content``, ``voxel_size_m`` and
    ``reading`` are attributes.

    Parameters
    ----------
    dataset
        n images ``(n, c, *space)``.
    provenance
        One record an image, which JSON can hold; or none.

    Raises
    ------
    DataError
        If there is provenance, but not one record an image.
    """
    records = [json.dumps(dict(record), allow_nan=False) for record in provenance]
    if records and len(records) != len(dataset):
        raise DataError(
            f"expected provenance of each of {len(dataset)} images, got {len(records)} records."
        )
    images = dataset.images
    if np.isin(np.unique(images), (0, 1)).all():
        images = images.astype(np.uint8)
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file.attrs["schema"] = SCHEMA
        file.attrs["content"] = dataset.content
        file.attrs["reading"] = dataset.reading
        file["class_names"] = json.dumps(dataset.class_names)
        if dataset.voxel_size_m is not None:
            file.attrs["voxel_size_m"] = dataset.voxel_size_m
        chunk = (1, *images.shape[1:])
        stored = file.create_dataset(
            "images", data=images, chunks=chunk, compression="gzip", shuffle=True, fletcher32=True
        )
        stored.attrs["axes"] = "nc" + "zyx"[-dataset.spatial_dims :]
        if dataset.voxel_size_m is not None:
            stored.attrs["voxel_size_m"] = dataset.voxel_size_m
        file["labels"], file["parents"] = dataset.labels, dataset.parents
        for name in POINTS:
            if (array := getattr(dataset, name)) is not None:
                file[name] = array
        _write_texts(file, "sources", dataset.sources)
        _write_texts(file, "provenance", records)
    return buffer.getvalue()


def _write_texts(file: h5py.File, name: str, texts: Sequence[str]) -> None:
    # Of fixed length: HDF5 does not compress texts of variable length.
    encoded = np.array([text.encode() for text in texts] or [b""])
    file.create_dataset(name, data=encoded, compression="gzip", shuffle=True)


def is_stored_set(path: Path) -> bool:
    """Whether ``path`` is a file that `encode_set` made, whatever it is called."""
    if not h5py.is_hdf5(path):
        return False
    with reading(path), guard.opened(path) as file:
        return guard.attribute(file, "schema", path) == SCHEMA


def read_set(path: Path, limits: Limits | None = None) -> Dataset:
    """The data set that `encode_set` wrote, with its sizes checked before it is decoded.

    Raises
    ------
    DataError
        If the file is damaged, or holds more than the limits allow.
    """
    path, limits = Path(path), limits or Limits()
    with reading(path), guard.opened(path) as file:
        images = _own(file, "images", path)
        check_real(images.dtype, path)
        limits.check(images.shape, str(path))
        for name in ("labels", "parents", "sources"):
            if _own(file, name, path).shape != images.shape[:1]:
                raise DataError(f"{path}: {name} are not one an image; prepare it again.")
        size, said = (guard.attribute(file, key, path) for key in ("voxel_size_m", "content"))
        content = next((known for known in get_args(Content) if known == str(said)), None)
        if content is None:
            raise DataError(f"{path}: says that it holds {said}; prepare it again.")
        names = parse_json(guard.text(_own(file, "class_names", path), path))
        return Dataset(
            images=guard.values(images, path, limits).astype(np.float32, copy=False),
            labels=_values(file, "labels", path, limits).astype(np.int64),
            class_names=tuple(str(name) for name in names),
            sources=tuple(text.decode() for text in _values(file, "sources", path, limits)),
            parents=_values(file, "parents", path, limits).astype(np.int64),
            content=content,
            voxel_size_m=None if size is None else tuple(map(float, np.ravel(np.asarray(size)))),
            reading=str(guard.attribute(file, "reading", path) or ""),
            places=_places(file, path, images.shape, limits),
            **{name: _of_points(file, name, path, images.shape, limits) for name in POINTS},
        )


def _of_points(
    file: h5py.File, name: str, path: Path, shape: tuple[int, ...], limits: Limits
) -> np.ndarray | None:
    """Positions or times, whose size is checked before they are read; None where there are none."""
    if name not in file:
        return None
    stored = _own(file, name, path)
    check_real(stored.dtype, path)
    if stored.shape != ((shape[0], len(shape) - 1) if name == "positions" else shape[:1]):
        raise DataError(f"{path}: {name} are not one an image; prepare it again.")
    return guard.values(stored, path, limits).astype(np.float64)


def _places(file: h5py.File, path: Path, shape: tuple[int, ...], limits: Limits) -> Places | None:
    """Where each image lies in the one it was cut from, as its provenance says; None if not."""
    texts = _values(file, "provenance", path, limits)
    if texts.shape != shape[:1]:
        return None
    numbers: dict[tuple[str, int], int] = {}
    try:
        records = [parse_json(text) for text in texts]
        images = [(str(record["file"]), int(record["row"])) for record in records]
        copies = np.array([record.get("same_as") is not None for record in records])
        offsets = np.array([record["offset"] for record in records], np.int64)
        sizes = np.array([record.get("size", shape[2:]) for record in records], np.int64)
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError):
        return None
    if not offsets.shape == sizes.shape == (shape[0], len(shape) - 2):
        return None
    origins = [numbers.setdefault(image, len(numbers)) for image in images]
    other = (sizes != shape[2:]).any()
    return Places(np.array(origins, np.int64), offsets, copies, sizes if other else None)


def read_provenance(path: Path, limits: Limits | None = None) -> list[dict[str, object]]:
    """What is recorded of each image of a stored set, in the order of its rows.

    Parameters
    ----------
    path
        A file that `encode_set` made.
    limits
        Largest sizes accepted.

    Returns
    -------
    A record an image, such as file, row, offset and size in voxels, class and voxel size in metres;
    none where the set was stored without.

    Raises
    ------
    DataError
        If the file cannot be read, is damaged, or holds more than the limits allow.
    """
    path = Path(path)
    with reading(path), guard.opened(path) as file:
        texts = _values(file, "provenance", path, limits or Limits())
        return [parse_json(text) for text in texts if text]


def _values(file: h5py.File, name: str, path: Path, limits: Limits) -> np.ndarray:
    return guard.values(_own(file, name, path), path, limits)


def _own(file: h5py.File, name: str, path: Path) -> h5py.Dataset:
    if not isinstance(file.get(name, getlink=True), h5py.HardLink):
        raise DataError(f"{path}: has no data set {name} of its own; prepare it again.")
    return guard.own_data_set(file, name, path)
