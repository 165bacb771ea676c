"""Synthetic structures on the disk: one array file, or a folder of classes; a table; a picture."""

import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from generative.data.check import Limits
from generative.data.synthetic.families import FAMILIES
from generative.data.synthetic.family import Family
from generative.data.synthetic.zoo import ZOO
from generative.files.own_files import check_outputs
from latentopt.csv_tables import csv_table
from latentopt.errors import ConfigError
from latentopt.files import output_file, replacing
from latentopt.pictures import image_grid_png

__all__ = ["write_family", "write_zoo"]

Shown = Callable[[Iterable[Any], int, str], Iterator[Any]]
_PICTURED = 16
_ENDINGS = (".h5", ".hdf5", ".npz")


def write_family(
    out: Path,
    family: Family,
    n: int,
    shape: tuple[int, ...],
    seed: int,
    ranges: Mapping[str, Any],
    shown: Shown,
    *,
    overwrite: bool = False,
) -> list[Path]:
    """Make structures of one family and write them with their settings.

    Parameters
    ----------
    out
        HDF5 or NPZ file of the labels (n, 1, *shape), with a column for each setting; a path
        without an ending is a folder, and the file in it named for the family.
    family, n, shape, seed, ranges
        As for `Family.make`.
    shown
        ``shown(structures, n, title)`` passes the structures on and shows how many there are.
    overwrite
        Replace files that are not ours, too.

    Returns
    -------
    The file, and beside it (or its folder) the table (CSV) and the picture (PNG) of that name.

    Raises
    ------
    ConfigError
        For another ending.
    OutputError
        If a file that is not ours has the name of one of the three.
    DataError
        If the images would take more than `generative.data.check.Limits` allows to read.
    ValueError
        As from `Family.make`.
    """
    path = out / f"{family.name}.h5" if not out.suffix else out
    if path.suffix.lower() not in _ENDINGS:
        raise ConfigError(f"--out {out}: should end in {', '.join(_ENDINGS)}, or be a folder.")
    beside = path.with_suffix("") if out.suffix else out
    check_outputs([path, *_beside(beside)], overwrite=overwrite)
    Limits().check((n, 1, *shape), family.name)
    settings = family.settings(n, shape, seed=seed, **ranges)
    labels = np.empty((n, 1, *shape), np.uint8)
    structures = family.each(n, shape, seed=seed, **ranges)
    for i, structure in enumerate(shown(structures, n, family.name)):
        labels[i, 0] = structure
    columns = _columns(settings)
    about = {"family": family.name, "seed": seed, "ranges": json.dumps(dict(ranges))}
    with output_file(path, overwrite=overwrite) as file:
        if path.suffix.lower() == ".npz":
            arrays: dict[str, Any] = {"images": labels, **columns}
            np.savez_compressed(file, **arrays)
        else:
            _write_hdf5(file, labels, columns, about)
    rows = [{"row": i} | {k: column[i] for k, column in columns.items()} for i in range(n)]
    pictures = [_plane(one) for one in labels[:_PICTURED, 0]]
    return [path, *_write_beside(beside, rows, pictures, [], overwrite)]


def write_zoo(
    out: Path, n: int, shape: tuple[int, ...], seed: int, shown: Shown, *, overwrite: bool = False
) -> list[Path]:
    """Make ``n`` structures of each class of `ZOO`, in a new folder with one subfolder a class.

    Images are PNG files of 0 and 255, volumes one HDF5 file a class; `generative.data.read_dataset`
    reads the folder. The arguments are those of `write_family`.

    Returns
    -------
    The folder, and beside it the table (CSV) and the picture (PNG), of the same name.

    Raises
    ------
    ConfigError
        If the folder is there and not empty, which ``overwrite`` does not change: images of two
        makings would be one set.
    OutputError
        If a file that is not ours has the name of the table or the picture.
    """
    if os.path.lexists(out) and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(f"--out {out}: is there already; choose a new folder, or remove it.")
    check_outputs(_beside(out), overwrite=overwrite)
    Limits().check((n * len(ZOO), 1, *shape), "zoo")
    part = out.with_name(f".{out.name}.{os.getpid()}.part")
    rows: list[dict[str, Any]] = []
    pictures: list[np.ndarray] = []
    try:
        for name, (family_name, ranges) in ZOO.items():
            family = FAMILIES[family_name]
            settings = family.settings(n, shape, seed=seed, **ranges)
            structures = shown(family.each(n, shape, seed=seed, **ranges), n, name)
            labels = np.stack(list(structures))
            files = _write_class(part / name, name, labels)
            pictures += [_plane(one) for one in labels[:4]]
            columns = _columns(settings)
            rows += [
                {"class": name, "file": f"{name}/{files[i]}", "row": i}
                | {key: column[i] for key, column in columns.items()}
                for i in range(n)
            ]
        if out.is_dir():
            out.rmdir()
        os.replace(part, out)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    titles = [name if k == 0 else "" for name in ZOO for k in range(min(n, 4))]
    return [out, *_write_beside(out, rows, pictures, titles, overwrite)]


def _write_class(folder: Path, name: str, labels: UInt8[np.ndarray, "n *space"]) -> list[str]:
    """Names of the file that each structure is in."""
    if labels.ndim == 4:
        with replacing(folder / f"{name}.h5") as file:
            _write_hdf5(file, labels[:, None], {}, {})
        return [f"{name}.h5"] * len(labels)
    from PIL import Image

    names = [f"{name}_{i:0{len(str(len(labels) - 1))}}.png" for i in range(len(labels))]
    for one, picture in zip(labels, names, strict=True):
        with replacing(folder / picture) as file:
            Image.fromarray(one * np.uint8(255)).save(file, format="png")
    return names


def _write_hdf5(
    file: Any, labels: np.ndarray, columns: Mapping[str, np.ndarray], about: Mapping[str, Any]
) -> None:
    import h5py

    with h5py.File(file, "w") as h5:
        h5.attrs.update(about)
        # One structure a chunk.
        h5.create_dataset("images", data=labels, chunks=(1, *labels.shape[1:]), compression="gzip")
        for name, column in columns.items():
            h5[f"labels/{name}"] = column


def _columns(settings: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Settings as columns of one number a row; vectors as three or two, named by their axes."""
    columns = {}
    for name, values in settings.items():
        if values.ndim == 1:
            columns[name] = values
        else:
            axes = "zyx"[3 - values.shape[1] :]
            columns |= {f"{name}_{axis}": values[:, k] for k, axis in enumerate(axes)}
    return columns


def _plane(labels: UInt8[np.ndarray, "*space"]) -> UInt8[np.ndarray, "h w"]:
    """A structure, or the middle slice of a volume."""
    return labels if labels.ndim == 2 else labels[len(labels) // 2]


def _beside(path: Path) -> tuple[Path, Path]:
    """Table and picture, beside ``path``: in a folder of images they would be read too."""
    return path.with_name(f"{path.name}.csv"), path.with_name(f"{path.name}.png")


def _write_beside(
    path: Path,
    rows: list[dict[str, Any]],
    pictures: list[np.ndarray],
    titles: list[str],
    overwrite: bool,
) -> list[Path]:
    table, sheet = _beside(path)
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = csv_table([names, *([row.get(name, "") for name in names] for row in rows)], end="\r\n")
    with output_file(table, overwrite=overwrite) as file:
        file.write(text.encode())
    with output_file(sheet, overwrite=overwrite) as file:
        file.write(image_grid_png(pictures, titles))
    return [table, sheet]
