"""Decoder and encoder of a latent space as ONNX files, whitening inside, equal to the space.

The exporter of torch that follows a trace is used: it needs no further package. The trace is frozen
first, so that whatever depends on weights alone is a constant of the file
(``docs/decisions/0015-onnx.md``).
"""

import copy
import hashlib
import io
import math
import warnings
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from generative.files.folder import json_bytes
from latentopt.errors import ConfigError, ExportError
from latentopt.export.whole_file import make_folder, write_whole
from latentopt.printable import one_line
from latentopt.space.decoder import Encoder
from latentopt.space.latent_space import LatentSpace
from latentopt.space.whitening import Whitening
from latentopt.version import __version__

__all__ = ["DECODER", "ENCODER", "OPSET", "SIDECAR", "OnnxModel", "export_onnx", "onnx_model"]

DECODER, ENCODER, SIDECAR = "decoder.onnx", "encoder.onnx", "onnx.json"
FORMAT_VERSION = 1
OPSET = 18
LARGEST_DIFFERENCE = 1e-4  # of a value in [0, 1], or of a latent number
_CHECKED_ROWS = 16
_TRACED_ROWS = 2


@dataclass(frozen=True, eq=False)
class OnnxModel:
    """A space as ONNX files, checked against it.

    Parameters
    ----------
    files
        Bytes of ``decoder.onnx``, and of ``encoder.onnx`` where the space has an encoder.
    differences
        The largest difference of each from the space, over random points and images.
    left_out
        Why a file is not there, by its name.
    description
        What ``onnx.json`` says: space, shapes, radius, phases, opset, sha256.
    """

    files: dict[str, bytes]
    differences: dict[str, float]
    left_out: dict[str, str] = field(default_factory=dict)
    description: dict[str, Any] = field(default_factory=dict)


def export_onnx(space: LatentSpace, folder: Path, *, overwrite: bool = False) -> OnnxModel:
    """Write what `onnx_model` answers, with its description, into a folder.

    Raises
    ------
    OutputError
        For files of these names that are not ours, unless they may be overwritten.
    ConfigError, ExportError
        As `onnx_model`; or the folder cannot be written.
    """
    made = onnx_model(space)
    make_folder(folder)
    contents = {**made.files, SIDECAR: json_bytes(made.description)}
    write_whole({folder / name: data for name, data in contents.items()}, overwrite=overwrite)
    return made


def onnx_model(space: LatentSpace, *, encoder: bool = True) -> OnnxModel:
    """ONNX files of a space: points to images, images to points, any number of rows.

    ``decoder.onnx`` takes ``z``, float32 ``(n, d)``, and answers ``images``, float32
    ``(n, c, *space)`` in [0, 1]; ``encoder.onnx`` the other way. Each is run by ONNX Runtime on 1
    and on 16 rows and compared with `LatentSpace.decode` and `encode`. What the space answers is
    written whole or not at all: a flow with all of its steps.

    An encoder that is not there, inverts, or whose file differs from it by more than 1e-4 is left
    out, and `OnnxModel.left_out` says why: where an axis of the codes is a thousand times narrower
    than another, whitening enlarges what is rounded off.

    Parameters
    ----------
    encoder
        False leaves the encoder out.

    Raises
    ------
    ConfigError
        Without ONNX Runtime, or for a model that is no torch module.
    ExportError
        For a decoder that cannot be written as ONNX, or whose file differs by more than 1e-4.
    """
    _runtime()
    if not isinstance(space.model, nn.Module):
        raise ConfigError(
            f"a {type(space.model).__name__} is no torch module, and cannot be written as ONNX."
        )
    # A copy on the CPU: freezing and tracing leave the space as it is.
    model: Any = copy.deepcopy(space.model).cpu().eval().requires_grad_(False)
    generator = torch.Generator().manual_seed(0)
    z = space.sample(_CHECKED_ROWS, seed=1).float()
    images = torch.rand(_CHECKED_ROWS, *space.image_shape, generator=generator)
    images[::2] = space.decode(z[::2]).cpu()  # structures too, not noise alone

    files, differences, left_out = {}, {}, {}
    decoder = _Decoder(model, space.whitening)
    files[DECODER] = _written(decoder, z, "z", "images")
    differences[DECODER] = _checked(files[DECODER], DECODER, space.decode, z)
    try:
        if reason := _no_encoder(space) if encoder else "it was not asked for":
            raise ExportError(reason)
        data = _written(_Encoder(model, space.whitening), images, "images", "z")
        differences[ENCODER] = _checked(data, ENCODER, space.encode, images)
        files[ENCODER] = data
    except ExportError as error:  # the decoder is of use alone
        left_out[ENCODER] = str(error)
    described = _description(space, files, differences, left_out)
    return OnnxModel(files, differences, left_out, described)


class _Decoder(nn.Module):
    """Points to images, by way of the code."""

    matrix: Tensor
    mean: Tensor

    def __init__(self, model: Any, whitening: Whitening) -> None:
        super().__init__()
        self.model = model
        self.register_buffer("matrix", whitening.spread[:, None] * whitening.axes)
        self.register_buffer("mean", whitening.mean)

    def forward(self, z: Float[Tensor, "n d"]) -> Float[Tensor, "n c *space"]:
        code = (z.double() @ self.matrix + self.mean).float()
        return self.model.decode(code).float()


class _Encoder(nn.Module):
    """Images to points, by way of the code."""

    matrix: Tensor
    mean: Tensor

    def __init__(self, model: Any, whitening: Whitening) -> None:
        super().__init__()
        self.model = model
        self.register_buffer("matrix", whitening.axes.T / whitening.spread)
        self.register_buffer("mean", whitening.mean)

    def forward(self, images: Float[Tensor, "n c *space"]) -> Float[Tensor, "n d"]:
        # float64: a narrow axis enlarges what is rounded off
        return ((self.model.encode(images).double() - self.mean) @ self.matrix).float()


def _no_encoder(space: LatentSpace) -> str | None:
    """Why a space has no encoder that a file could hold."""
    if space.inversion_steps:
        return (
            f"encode takes {space.inversion_steps} steps of inversion in this space, which no file "
            "can hold; save space.inverting(0) to have the encoder alone"
        )
    if not isinstance(space.model, Encoder):
        return f"a {type(space.model).__name__} has no encoder"
    return None


def _written(module: nn.Module, rows: Tensor, given: str, answered: str) -> bytes:
    """The file of a module; whatever torch says on the way is left out."""
    example = rows[:_TRACED_ROWS]
    buffer: Any = io.BytesIO()  # which this exporter writes to, though its annotation has paths
    try:
        with torch.no_grad(), warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")  # of checks of shapes, which a trace does not keep
            traced = torch.jit.freeze(torch.jit.trace(module.eval(), example, check_trace=False))
            torch.onnx.export(
                traced,
                (example,),
                buffer,
                dynamo=False,  # the other exporter needs onnxscript and onnx
                input_names=[given],
                output_names=[answered],
                dynamic_axes={given: {0: "n"}, answered: {0: "n"}},
                opset_version=OPSET,
            )
    except (RuntimeError, ValueError, TypeError) as error:
        raise ExportError(
            f"this model cannot be written as ONNX: {one_line(error, 300)}; use LatentSpace"
        ) from error
    return buffer.getvalue()


def _checked(
    data: bytes, name: str, answer: Callable[[Tensor], Tensor], rows: Float[Tensor, "n ..."]
) -> float:
    """The largest difference of a file from what the space answers, an `ExportError` if large."""
    runtime = _runtime()
    options = runtime.SessionOptions()
    options.log_severity_level = 4  # what fails is raised, not printed
    try:
        session = runtime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        given = session.get_inputs()[0].name
        found = [session.run(None, {given: part.numpy()})[0] for part in (rows[:1], rows)]
    except Exception as error:  # its own classes, without a common base
        raise ExportError(f"ONNX Runtime cannot run {name}: {one_line(error, 300)}") from error
    expected = np.asarray(answer(rows).cpu(), dtype=np.float64)
    if any(part.shape[1:] != expected.shape[1:] for part in found):
        raise ExportError(f"{name} answers {found[1].shape}, not {expected.shape}")
    largest = max(float(np.abs(part - expected[: len(part)]).max(initial=0.0)) for part in found)
    if math.isnan(largest) or largest > LARGEST_DIFFERENCE:
        raise ExportError(
            f"{name} differs from the space by {largest:.2g}, more than {LARGEST_DIFFERENCE:g}, "
            "and is not kept; use LatentSpace"
        )
    return largest


def _description(
    space: LatentSpace,
    files: dict[str, bytes],
    differences: dict[str, float],
    left_out: dict[str, str],
) -> dict[str, Any]:
    channels = space.image_shape[0]
    sides = {
        "z": {"name": "z", "type": "float32", "shape": ["n", space.latent_dim]},
        "images": {"name": "images", "type": "float32", "shape": ["n", *space.image_shape]},
    }
    of_files = {
        name: {
            "sha256": hashlib.sha256(data).hexdigest(),
            "input": sides["z" if name == DECODER else "images"],
            "output": sides["images" if name == DECODER else "z"],
            "largest_difference": differences[name],
        }
        for name, data in files.items()
    }
    return {
        "format_version": FORMAT_VERSION,
        "latentopt": __version__,
        "space": space.id,
        "kind": getattr(space.model, "kind", type(space.model).__name__),
        "latent_dim": space.latent_dim,
        "image_shape": list(space.image_shape),
        "phases": max(2, channels),
        "radius": space.radius,
        "opset": OPSET,
        "files": of_files,
        "left_out": left_out,
    }


def _runtime() -> Any:
    try:
        import onnx  # noqa: F401  which the exporter of torch imports
        import onnxruntime
    except ImportError:
        raise ConfigError(
            "Writing a model as ONNX needs onnx and onnxruntime: pip install latentopt[onnx]"
        ) from None
    return onnxruntime
