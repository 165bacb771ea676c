"""One HTML page in which a space is explored without a server: the decoder runs in the browser.

The page holds the decoder as an ONNX file and ONNX Runtime Web, and fetches nothing. What it may
run is named in its policy by hash.
"""

import base64
import gzip
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from latentopt.errors import ConfigError
from latentopt.onnx_models import DECODER, onnx_model
from latentopt.pictures import PHASE_COLOURS
from latentopt.printable import escape_html
from latentopt.space.latent_space import LatentSpace
from latentopt.space.spacing import median_spacing

__all__ = ["static_page"]

_ASSETS = Path(__file__).parent / "assets"
_PAGE, _RUNTIME = _ASSETS / "explorer", _ASSETS / "onnxruntime_web"


def static_page(space: LatentSpace) -> str:
    """The page of a space of two-phase images, some megabytes of HTML.

    It has the picture of a point with its volume fraction, its norm against the radius and its
    distance from the data; the map of the first two axes with the reference structures of the
    space, coloured by class where the classes are known; sliders along the first eight axes; and
    samples by seed.

    Raises
    ------
    ConfigError
        For volumes, or more than two phases; or without the extra ``onnx``.
    ExportError
        As `onnx_model`.
    """
    channels, *sides = space.image_shape
    if channels != 1 or len(sides) != 2:
        kind = "volumes" if len(sides) == 3 else f"images of {channels} phases"
        raise ConfigError(
            f"a static page shows images of two phases; this space has {kind}, of shape "
            f"{space.image_shape}. Look at it with latentopt sample."
        )
    # A page has no use for the encoder, which may take longer to write than the decoder.
    decoder = onnx_model(space, encoder=False).files[DECODER]
    reference = space.reference_.cpu().numpy().astype("<f4")
    model = getattr(space.model, "kind", type(space.model).__name__)
    settings = {
        "latent_dim": space.latent_dim,
        "shape": sides,
        "radius": space.radius,
        "spacing": float(median_spacing(space.reference_)),
        "colours": PHASE_COLOURS[:2],
        **_classes(space),
    }
    script, style = _text("explorer.js"), _text("explorer.css")
    for phase in range(2):
        style = style.replace(f"{{phase{phase}}}", PHASE_COLOURS[phase])
    parts = {
        "policy": _policy(script, style),
        "title": escape_html(f"Latent space {space.id}"),
        "about": escape_html(
            f"{model}, {space.latent_dim} numbers, images of {sides[0]} by {sides[1]} voxels, "
            f"{len(reference)} reference structures on the map."
        ),
        "radius": f"{space.radius:.2f}",
        "space": json.dumps(settings).replace("<", "\\u003c"),
        "runtime": _base64((_RUNTIME / "ort.wasm.bundle.min.mjs").read_bytes()),
        "wasm": _base64((_RUNTIME / "ort-wasm-simd-threaded.wasm.gz").read_bytes()),
        "decoder": _base64(gzip.compress(decoder, 9, mtime=0)),
        "reference": _base64(gzip.compress(np.ascontiguousarray(reference).tobytes(), 9, mtime=0)),
        "script": script,
        "style": style,
    }
    return re.sub(r"\{(\w+)\}", lambda found: parts[found[1]], _text("page.html"))


def _classes(space: LatentSpace) -> dict[str, Any]:
    """Label of each reference structure and the names of the classes; nothing if none are known."""
    known = space.reference_classes_
    if known is None:
        return {}
    return {"labels": known.labels.tolist(), "class_names": known.class_names}


def _policy(script: str, style: str) -> str:
    """Nothing is fetched; the one script and style of the page, and the runtime, which it holds."""
    return (
        f"default-src 'none'; script-src '{_hash(script)}' 'wasm-unsafe-eval' blob:; "
        f"style-src '{_hash(style)}'; base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return f"sha256-{_base64(hashlib.sha256(text.encode()).digest())}"


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _text(name: str) -> str:
    return (_PAGE / name).read_text(encoding="utf-8")
