"""What pictures made with Matplotlib share."""

import io

import numpy as np
from jaxtyping import Float

from latentopt.printable import printable


def grey_picture(image: Float[np.ndarray, "c *space"]) -> Float[np.ndarray, "h w"]:
    """One grey picture: the middle slice of a volume, phases of several channels as levels."""
    levels = np.linspace(0, 1, len(image)) if len(image) > 1 else np.ones(1)
    picture = np.tensordot(levels, image, 1)
    return picture if picture.ndim == 2 else picture[len(picture) // 2]


def plain_text(text: str) -> str:
    """Printable text in which Matplotlib finds no formula: it reads those between dollars."""
    return printable(text).replace("$", r"\$")


def png_of(figure: object) -> bytes:
    """A figure as a PNG file."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=90)
    return buffer.getvalue()
