"""The page and picture that say what a model was trained on and how well it does."""

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int64
from torch import Tensor

from generative.autoencoders.pca import PCA
from generative.data.phase_colours import PHASE_COLOURS, picture_of
from generative.data.representative import representative_rows
from generative.model import Drawn, Encoding, Model, is_standard_normal, reconstruct
from generative.stages.reconstruction import ReconstructionErrors, reconstruction_errors
from generative.training.draws import draw, draws_section, draws_to_judge
from objectives.phases import are_phases

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BASELINE_VALUES = 2**27  # numbers in the images that principal components are fitted to: 0.5 GB
CARD, PICTURE = "README.md", "samples.png"
COLUMNS = 8
PHASES_MEASURED = """\
MSE and SSIM are of the soft reconstruction. The two-point error is the mean absolute error of the
periodic two-point statistics over all shifts, and the interface ratio the interface kept, both of
the most likely phase of every voxel. They are the figures of `latentopt evaluate`."""
LEVELS_MEASURED = """\
The images are grey levels, and nothing is cut. The two-point error is the mean absolute error of
the periodic two-point statistics of the levels over all shifts, and the interface ratio the mean
jump between neighbouring voxels of the reconstruction over that of the images."""

NO_ENCODER = """\
This model has no encoder and reconstructs nothing. PCA is here for comparison: it says how much of
the images {numbers} numbers can hold. Its draws, below, are what it is judged by.
"""
LIMITS_OF_CODES = """\
A random texture with features much finer than 1/8 of the image has more degrees of freedom than
{numbers} numbers: the decoder then answers with their mean, {lost}.
"""


@dataclass(frozen=True, eq=False)
class CardContent:
    """What a model card needs that a training run does not.

    Parameters
    ----------
    held_out
        Images of other parents, to report the errors of.
    facts
        What the reader should know of the data, by title.
    parents
        Specimen of each of them; each is its own unless given.
    """

    held_out: Float[np.ndarray, "m c *space"]
    facts: Mapping[str, object] = field(default_factory=dict)
    parents: Int64[np.ndarray, " m"] | None = None


def write_model_card(
    model: Model,
    training: Float[Tensor, "n c *space"],
    held_out: Float[Tensor, "m c *space"],
    *,
    facts: Mapping[str, object],
    parents: Int64[np.ndarray, " m"] | None = None,
) -> dict[str, bytes]:
    """Model card and picture of samples, as files of the model's folder.

    Parameters
    ----------
    model
        Trained. Without an encoder nothing is reconstructed, which the card then says.
    training, held_out
        Images it was trained on and images it has not seen.
    facts
        What else the reader should know, by title: data, split, settings.
    parents
        Specimen of each held-out image, over which the pictured ones are spread.
    """
    shown = representative_rows(np.asarray(held_out), COLUMNS, parents)
    baseline = fit_baseline(training, model.latent_dim)
    answers = {model.kind: reconstruct(model, held_out)} if isinstance(model, Encoding) else {}
    answers[f"PCA-{baseline.latent_dim}"] = reconstruct(baseline, held_out)
    errors = {name: reconstruction_errors(held_out, answer) for name, answer in answers.items()}
    draws = draw(model, training, max(COLUMNS, draws_to_judge(training, held_out)))
    judged = draws_section(model, draws, training, held_out)
    rows = {name: np.asarray(images)[shown] for name, images in answers.items()}
    drawn = np.asarray(draws.images)
    rows = {
        "held-out": np.asarray(held_out)[shown],
        **rows,
        "draws": drawn[representative_rows(drawn, COLUMNS)],
    }
    return {
        CARD: _card(model, errors, facts, held_out, judged).encode(),
        PICTURE: _picture(rows, phases=are_phases(held_out)),
    }


def fit_baseline(images: Float[Tensor, "n c *space"], components: int) -> PCA:
    """Principal components of the same images, fewer than asked for where images are few."""
    rows = max(2, min(len(images), BASELINE_VALUES // images[0].numel()))
    shape = tuple(images.shape[1:])
    return PCA(shape, components=min(components, rows, images[0].numel())).fit(images[:rows])


def _card(
    model: Model,
    errors: Mapping[str, ReconstructionErrors],
    facts: Mapping[str, object],
    held_out: Tensor,
    draws: str,
) -> str:
    table = "\n".join(
        f"| {name} | {e.mse:.4f} | {e.ssim:.3f} | {e.two_point_mae:.5f} | {_ratio(e)} |"
        for name, e in errors.items()
    )
    lines = "\n".join(f"- **{title}**: {value}" for title, value in facts.items())
    size = "x".join(map(str, model.image_shape[1:]))
    phases = are_phases(held_out)
    lost = "and a cut loses interface" if phases else "and contrast between neighbours is lost"
    encodes, numbers = isinstance(model, Encoding), model.latent_dim
    drawn = (
        "the standard normal distribution, which is the model's prior"
        if is_standard_normal(model) or isinstance(model, Drawn) or not encodes
        else "a Gaussian with the mean and covariance of the training codes"
    )
    return f"""# {model.kind}: {size} images in {model.latent_dim} numbers

{lines}

## Reconstruction of {len(held_out)} held-out images

| model | MSE | SSIM | two-point MAE | interface ratio |
|---|---|---|---|---|
{table}

{PHASES_MEASURED if phases else LEVELS_MEASURED} PCA is fitted to the same training images.
{"" if encodes else NO_ENCODER.format(numbers=numbers)}
## Draws

These are draws from {drawn}, decoded.

{draws}
![held-out images, their reconstructions, and draws]({PICTURE})

The pictures are spread from the smallest {"phase fraction" if phases else "mean level"} to the
largest, and over the parents: each stands for equally many images.

## Limits

{LIMITS_OF_CODES.format(numbers=numbers, lost=lost) if encodes else ""}\
The model knows one image size and the kinds of structure it was trained on.
"""


def _ratio(errors: ReconstructionErrors) -> str:
    """Of images without any interface there is none."""
    return "-" if math.isnan(errors.interface_ratio) else f"{errors.interface_ratio:.2f}"


def _picture(rows: Mapping[str, np.ndarray], *, phases: bool) -> bytes:
    """PNG with one row of images a name; volumes are shown by their middle slice."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(1.2 * COLUMNS, 1.3 * len(rows)), layout="constrained")
    axes = figure.subplots(len(rows), 1, squeeze=False)[:, 0]
    for axis, (name, images) in zip(axes, rows.items(), strict=True):
        axis.set(xticks=[], yticks=[], ylabel=name)
        axis.set_frame_on(False)
        row = side_by_side([picture_of(image, phases=phases) for image in images], COLUMNS)
        axis.imshow(row, interpolation="nearest")
    if phases:
        add_phase_legend(figure, next(iter(rows.values())).shape[1])
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=80)
    return buffer.getvalue()


def side_by_side(
    pictures: Sequence[Float[np.ndarray, "h w 3"]], columns: int
) -> Float[np.ndarray, "h w_of_all 4"]:
    """One picture of a row of them, with room for so many columns; what stays empty is transparent.

    One axis of Matplotlib a row is drawn in a fraction of the time of one axis a picture.
    """
    height, width, _ = pictures[0].shape
    step = width + max(1, width // 16)
    row = np.zeros((height, columns * step, 4))
    for k, picture in enumerate(pictures):
        row[:, k * step : k * step + width, :3] = picture
        row[:, k * step : k * step + width, 3] = 1
    return row


def add_phase_legend(figure: "Figure", channels: int) -> None:
    """Name the colour of each phase above a figure of images with so many channels."""
    from matplotlib.patches import Patch

    patches = [
        Patch(facecolor=colour, edgecolor="#9aa5b1", label=f"phase {k}")
        for k, colour in enumerate(PHASE_COLOURS[: max(channels, 2)])
    ]
    figure.legend(handles=patches, loc="outside upper left", frameon=False, ncols=5, fontsize=8)
