"""The commands ``latentopt encode`` and ``decode``: images to latent points and back."""

from pathlib import Path
from typing import Any

import numpy as np

from generative.data.outputs import check_outputs
from generative.data.read import load_images
from latentopt.cli.options.spaces import DecodeOptions, EncodeOptions
from latentopt.cli.reading import reading_options
from latentopt.errors import DataError
from latentopt.files import output_file
from latentopt.microstructure import to_phases
from latentopt.printing import print
from latentopt.space.named import load_space
from latentopt.space.point_files import read_points, write_points

__all__ = ["decode", "encode"]


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


def _as_data_error(path: Path, function: Any, array: Any) -> Any:
    """``function(array)``, a refusal of the array named after the file it came from."""
    try:
        return function(array)
    except (TypeError, ValueError) as error:
        raise DataError(f"{path}: {error}") from error
