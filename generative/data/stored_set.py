"""A data set in one HDF5 file: images with class, parent and provenance, read back as they were."""

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import h5py
import numpy as np

from generative.data.check import Limits, reading
from generative.data.dataset import Dataset
from generative.errors import DataError

SCHEMA = "latentopt.dataset/1"


def encode_set(dataset: Dataset, provenance: Sequence[Mapping[str, object]] = ()) -> bytes:
    """The file as bytes, made in memory so that a full disk cannot leave half of it.

    ``/images`` is ``(n, c, *space)``: uint8 where all values are 0 or 1, else float32, with a
    checksum of each chunk. ``/labels``, ``/parents``, ``/sources`` and ``/provenance`` (JSON) have
    one entry an image; ``class_names`` (JSON), ``content`` and ``voxel_size_m`` are attributes.

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
        _write_texts(file, "sources", dataset.sources)
        _write_texts(file, "provenance", records)
    return buffer.getvalue()


def _write_texts(file: h5py.File, name: str, texts: Sequence[str]) -> None:
    # Of fixed length: HDF5 does not compress texts of variable length.
    encoded = np.array([text.encode() for text in texts] or [b""])
    file.create_dataset(name, data=encoded, compression="gzip", shuffle=True)


def is_stored_set(path: Path) -> bool:
    """Whether ``path`` is a file that `encode_set` made."""
    if path.suffix.lower() not in (".h5", ".hdf5") or not h5py.is_hdf5(path):
        return False
    with reading(path), h5py.File(path, "r") as file:
        return file.attrs.get("schema") == SCHEMA


def read_set(path: Path, limits: Limits | None = None) -> Dataset:
    """The data set that `encode_set` wrote, with its sizes checked before it is decoded.

    Raises
    ------
    DataError
        If the file is damaged, or holds more than the limits allow.
    """
    limits = limits or Limits()
    with reading(path), h5py.File(path, "r") as file:
        images = _stored(file, "images", path)
        limits.check(images.shape, str(path))
        limits.check_ratio(images.size * images.dtype.itemsize, path)
        for name in ("labels", "parents", "sources"):
            if _stored(file, name, path).shape != images.shape[:1]:
                raise DataError(f"{path}: {name} are not one an image; prepare it again.")
        size = file.attrs.get("voxel_size_m")
        return Dataset(
            images=images[()].astype(np.float32),
            labels=file["labels"][()].astype(np.int64),
            class_names=tuple(json.loads(_stored(file, "class_names", path)[()])),
            sources=tuple(text.decode() for text in file["sources"][()]),
            parents=file["parents"][()].astype(np.int64),
            content=file.attrs["content"],
            voxel_size_m=None if size is None else tuple(float(edge) for edge in size),
        )


def read_provenance(path: Path) -> list[dict[str, object]]:
    """What is recorded of each image of a stored set, in the order of its rows."""
    with reading(path), h5py.File(path, "r") as file:
        return [json.loads(text) for text in _stored(file, "provenance", path)[()] if text]


def _stored(file: h5py.File, name: str, path: Path) -> h5py.Dataset:
    link = file.get(name, getlink=True)
    if not isinstance(link, h5py.HardLink) or not isinstance(file[name], h5py.Dataset):
        raise DataError(f"{path}: has no data set {name} of its own; prepare it again.")
    if file[name].external or file[name].is_virtual:
        raise DataError(f"{path}: {name} lies in another file; prepare it again.")
    return file[name]
