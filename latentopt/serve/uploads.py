"""Images in the body of a request, read by the readers of data sets with their guards."""

import tempfile
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from generative.data.check import Limits as ImageLimits
from generative.data.check import check_images
from generative.data.formats.array_files import read_npy
from generative.data.grey.meaning import Grey
from generative.data.read import read_dataset
from latentopt.errors import DataError

__all__ = ["decoded_images", "images_of_body"]

NAME = "upload"  # of the file that is read: nothing a request says is a name on the disk
RATIO = 200  # most bytes of images for a byte that is sent


def images_of_body(
    body: bytes,
    shape: tuple[int, ...],
    *,
    grey: Grey = "auto",
    axes: str | None = None,
    most_voxels: int,
) -> Float32[np.ndarray, "n c *space"]:
    """Images of the bytes of a PNG, TIFF, NPY, NPZ, HDF5, VTI or another file that is read.

    Parameters
    ----------
    body
        The file. Its kind is told by what it holds.
    shape
        Of one image, ``(c, *space)``, as the space has it.
    grey, axes
        As of `generative.data.read.read_dataset`.
    most_voxels
        Of all images, checked before they are decoded.

    Raises
    ------
    DataError
        It is no such file, damaged, too large or of another shape.
    """
    if not body:
        raise DataError("the body is empty; send an image, or an array of images.")
    limits = ImageLimits(
        image_voxels=most_voxels, total_bytes=4 * most_voxels, ratio=min(RATIO, most_voxels)
    )
    with tempfile.TemporaryDirectory(prefix="latentopt-") as folder:
        path = Path(folder, NAME)
        path.write_bytes(body)
        try:
            data = read_dataset(
                path,
                grey=grey,
                channels=shape[0],
                spatial_dims=len(shape) - 1,
                axes=axes,
                limits=limits,
            )
        except DataError as error:
            raise DataError(str(error).replace(str(path), "the upload")) from None
        except ValueError as error:
            raise DataError(f"the upload: {error}") from None
    if data.image_shape != shape:
        raise DataError(
            f"the upload: expected images of shape {shape} as the space has, got "
            f"{data.image_shape}; cut or resample them."
        )
    return data.images


def decoded_images(
    body: bytes, shape: tuple[int, ...], *, most_voxels: int
) -> Float32[np.ndarray, "n c *space"]:
    """Images of an NPY file ``(n, c, *space)`` of values in [0, 1], taken as they are.

    Nothing is guessed of what values mean: two grey levels stay two grey levels, and channels need
    not sum to 1.

    Raises
    ------
    DataError
        It is no such file, damaged, too large or of another shape or range.
    """
    with tempfile.TemporaryDirectory(prefix="latentopt-") as folder:
        path = Path(folder, NAME)
        path.write_bytes(body)
        try:
            images = read_npy(path)
        except (DataError, ValueError) as error:
            raise DataError(str(error).replace(str(path), "the upload")) from None
    if images.shape[1:] != shape:
        raise DataError(
            f"the upload: expected images of shape (n, {', '.join(map(str, shape))}) as the space "
            f"decodes them, got {images.shape}."
        )
    return check_images(images, limits=ImageLimits(total_bytes=4 * most_voxels))
