"""Answers in the form that a request accepts: JSON, NPY or PNG."""

import io
from typing import Any

import numpy as np
from fastapi import Response
from jaxtyping import Float
from pydantic_core import to_json

from latentopt.microstructure import to_phases
from latentopt.pictures import grey_picture, image_grid_png
from latentopt.serve.problems import Problem

__all__ = ["JSON", "NPY", "PNG", "as_json", "as_npy", "as_png", "form_of"]

JSON, NPY, PNG = "application/json", "application/x-npy", "image/png"
DECIMALS = 6  # of images in JSON; NPY has all
_COLUMNS = 8


def form_of(accept: str | None, *forms: str) -> str:
    """The form that a client likes best of those there are, the first if it does not care.

    Raises
    ------
    Problem
        (406.) It takes none of them.
    """
    wanted = []
    for place, part in enumerate((accept or "*/*").split(",")):
        kind, *parameters = (text.strip().lower() for text in part.split(";"))
        quality = next((_number(p[2:]) for p in parameters if p.startswith("q=")), 1.0)
        if quality > 0:
            wanted.append((-quality, place, kind))
    for _, _, kind in sorted(wanted):
        for form in forms:
            if kind in (form, "*/*", f"{form.split('/')[0]}/*"):
                return form
    raise Problem(406, f"this is answered as {', '.join(forms)}; accept one of them")


def as_json(content: Any) -> Response:
    """A JSON answer."""
    return Response(to_json(content, inf_nan_mode="null"), media_type=JSON)


def as_npy(array: np.ndarray) -> Response:
    """An array as an NPY file."""
    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return Response(file.getvalue(), media_type=NPY)


def as_png(images: Float[np.ndarray, "n c *space"], *, grey: bool = False) -> Response:
    """Structures side by side, phases in colour or as decoded; of volumes the middle slices."""
    if grey:
        planes = [grey_picture(image) for image in images]
    else:
        phases = to_phases(images)
        planes = list(phases if phases.ndim == 3 else phases[:, phases.shape[1] // 2])
    return Response(image_grid_png(planes, columns=_COLUMNS), media_type=PNG)


def rounded(images: Float[np.ndarray, "n c *space"]) -> list[Any]:
    """Images as lists of numbers of few decimals."""
    return np.round(images.astype(np.float64), DECIMALS).tolist()


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
