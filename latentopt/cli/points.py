"""The commands ``encode``, ``decode`` and ``analyse``: images to points and poses, and back."""

from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

import h5py
import numpy as np

from generative.data.dataset import Dataset
from generative.data.outputs import check_outputs
from generative.data.read import load_images, read_dataset
from generative.model import Structured
from latentopt.cli.options.spaces import AnalyseOptions, DecodeOptions, EncodeOptions
from latentopt.cli.reading import reading_options
from latentopt.csv_tables import csv_table
from latentopt.errors import ConfigError, DataError
from latentopt.files import output_file
from latentopt.microstructure import to_phases
from latentopt.printing import print
from latentopt.space.analysis import Analysis, without_pose
from latentopt.space.named import load_space
from latentopt.space.point_files import read_points, write_points

__all__ = ["analyse", "decode", "encode"]


def encode(options: EncodeOptions) -> None:
    """Write the points of images."""
    reading = reading_options(options.grey, options.axes, options.limit)
    out, overwrite = options.out, options.overwrite
    check_outputs([out], inputs=[options.space], images=[options.images], overwrite=overwrite)
    space = load_space(options.space)
    channels, dims = space.image_shape[0], len(space.image_shape) - 1
    images = load_images(options.images, spatial_dims=dims, channels=channels, **reading)
    z = _as_data_error(options.images, space.encode, images)
    write_points(z, out, overwrite=overwrite)
    print(f"{out}: {len(z)} points of {z.shape[1]} numbers")


def decode(options: DecodeOptions) -> None:
    """Write the images of points."""
    points, out, overwrite = options.points, options.out, options.overwrite
    check_outputs([out], inputs=[options.space, points], overwrite=overwrite)
    space, z = load_space(options.space), read_points(points)
    images = _as_data_error(points, space.decode, z)
    broken = np.flatnonzero(~np.isfinite(images).reshape(len(z), -1).all(axis=1))
    if len(broken):
        raise DataError(
            f"{points}: row {broken[0]} is too far from the data to be decoded; keep points within "
            f"the radius of the space, {space.radius:.3g}."
        )
    images = to_phases(images) if options.phases else images
    with output_file(out, overwrite=overwrite) as file:
        np.save(file, images, allow_pickle=False)
    print(f"{out}: {images.dtype} array of shape {images.shape}")


def analyse(options: AnalyseOptions) -> None:
    """Write content and pose of images, a row each."""
    out = options.out
    if out.suffix.lower() not in WRITERS:
        raise ConfigError(f"--out: {out} should end in {' or '.join(WRITERS)}.")
    reading = reading_options(options.grey, options.axes, options.limit)
    check_outputs(
        [out], inputs=[options.space], images=[options.images], overwrite=options.overwrite
    )
    space = load_space(options.space)
    if not isinstance(space.model, Structured):
        raise ConfigError(f"{options.space}: {without_pose(space.model)}")
    channels, dims = space.image_shape[0], len(space.image_shape) - 1
    data = read_dataset(options.images, spatial_dims=dims, channels=channels, **reading)
    found = _as_data_error(options.images, space.analyse, data.images)
    with output_file(out, overwrite=options.overwrite) as file:
        WRITERS[out.suffix.lower()](data, found, file)
    print(f"{out}: {len(found)} images, content of {found.z.shape[1]} numbers")
    if len(found):
        spread = np.degrees(np.median(found.angle_spread))
        print(f"spread of the angle: {spread:.1f} degrees (median)")


def _as_data_error(path: Path, function: Any, array: Any) -> Any:
    """``function(array)``, a refusal of the array named after the file it came from."""
    try:
        return function(array)
    except (TypeError, ValueError) as error:
        raise DataError(f"{path}: {error}") from error


def _write_csv(data: Dataset, found: Analysis, file: IO[bytes]) -> None:
    columns: dict[str, Iterable[object]] = {"image": range(len(data)), "source": data.sources}
    if len(data.class_names) > 1:
        columns["class"] = [data.class_of(row) for row in range(len(data))]
    if data.times is not None:
        columns["time"] = data.times.tolist()
    if data.positions is not None:
        names = ("frame", *(f"at_{axis}" for axis in "zyx"[-data.spatial_dims :]))
        columns |= dict(zip(names, data.positions.T.tolist(), strict=True))
    columns |= found.columns()
    rows = zip(*columns.values(), strict=True)
    file.write(csv_table([columns, *rows]).encode())


def _write_hdf5(data: Dataset, found: Analysis, file: IO[bytes]) -> None:
    with h5py.File(file, "w") as h5:
        h5["source"] = np.array(data.sources, dtype=h5py.string_dtype())
        if len(data.class_names) > 1:
            classes = [data.class_of(row) for row in range(len(data))]
            h5["class"] = np.array(classes, dtype=h5py.string_dtype())
        for name, known in (("times", data.times), ("positions", data.positions)):
            if known is not None:
                h5[name] = known
        for name, unit in UNITS.items():
            h5[name] = getattr(found, name).numpy()
            h5[name].attrs["unit"] = unit


UNITS = {
    "z": "1",
    "angle": "rad",
    "shift": "voxel",
    "angle_spread": "rad",
    "shift_spread": "voxel",
}
WRITERS = {".csv": _write_csv, ".h5": _write_hdf5}
