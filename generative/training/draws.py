"""What a model makes of draws of its prior, and the section of its card that judges them."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from generative.autoencoders.gaussian_codes import gaussian_codes
from generative.batching import map_rows
from generative.model import (
    Drawn,
    Encoding,
    Model,
    Structured,
    decode_like,
    is_standard_normal,
)
from objectives.fidelity.draws import COLLAPSED_RECALL, DrawFigures

CODES = 2048  # training codes, at most, whose Gaussian is drawn from
FEWEST, MOST = 20, 500  # draws that are judged
VOXELS_DRAWN = 2**22  # by all of them, unless that leaves too few
UNDECIDED = 0.5  # share of voxels of no phase at which the other figures mean little
VOXELS_SEARCHED = 2**27  # of training structures that may have been copied: 0.5 GB

# Title, name of the figure, and how many of a share are counted.
COLUMNS = (
    ("Frechet distance in two-point scores", "frechet_two_point", 1),
    ("in two-point features", "frechet_two_point_features", 1),
    ("in a random network", "frechet_random_cnn", 1),
    ("precision in a random network", "precision_random_cnn", 1),
    ("recall in two-point scores", "recall_two_point", 1),
    ("lone voxels in 10,000", "lone_voxels", 10_000),
    ("thin voxels in 1,000", "thin_voxels", 1_000),
    ("undecided voxels", "undecided_voxels", 1),
    ("copies", "copied", 1),
)
EXPLAINED = """\
Each row is a set of {size} structures, compared with {held_out} held-out ones. The other real
structures are training images: no model can be expected to do better.

- A Frechet distance tells how far mean and spread of two sets are apart. It is never 0 for sets of
  this size: read it beside that of the other real structures. Two-point scores are the largest
  principal components of the two-point statistics, at most 10. Two-point features are phase
  fractions, correlations and interface, each of equal weight. The random network has fixed random
  weights, and no training asks for its answers.
- Precision is the share of draws that look like a held-out structure. Recall is the share of
  held-out structures that some draw looks like: it is small if all draws are alike.
{alone}
- A copy is a training image, shifted, mirrored or turned{searched}. The training images themselves
  would have 1.
"""
ALONE = """\
- Lone voxels are unlike all of their neighbours, thin ones unlike both along an axis. With them a
  model can meet statistics by structures that no eye would take for real. Undecided voxels are more
  than 0.25 away from a phase, before the draws are cut into phases. All other figures are of cut
  structures."""
NO_PHASES = """\
- Lone and thin voxels are not counted, because the images are grey levels."""
TOO_FEW = """\
They are not judged: {held_out} held-out and {training} training images are too few to compare sets
of structures with ({fewest} of each are needed).
"""


@dataclass(frozen=True, eq=False)
class Draws:
    """Draws of the prior of a model, decoded.

    Parameters
    ----------
    code
        Where they are.
    images
        What they decode to.
    spread
        Root of the mean variance of a number of a code.
    """

    code: Float[Tensor, "n d"]
    images: Float[Tensor, "n c *space"]
    spread: float


def draw(model: Model, training: Float[Tensor, "m c *space"], n: int) -> Draws:
    """Draws from the prior of a model that has one.

    Of another from the Gaussian with the mean and covariance of the training codes. Where a model
    keeps the pose apart, each is turned and shifted as some training image is.
    """
    with torch.no_grad():
        if isinstance(model, Drawn):
            code = model.draw_codes(n, seed=0)
        elif isinstance(model, Encoding) and not is_standard_normal(model):
            known = map_rows(model.encode, training[:CODES], training[0].numel())
            code = gaussian_codes(known, n)
        else:
            code = torch.randn(n, model.latent_dim, generator=torch.Generator().manual_seed(0))
        images = _decoded(model, code, training)
    return Draws(code, images, float(code.double().var(0, correction=0).mean().sqrt()))


def _decoded(model: Model, code: Tensor, training: Tensor) -> Tensor:
    """Structures of codes; where the pose is kept apart, in poses of training images."""
    if not isinstance(model, Structured):
        return map_rows(model.decode, code, training[0].numel())
    generator = torch.Generator().manual_seed(0)
    shown = training[torch.randint(len(training), (len(code),), generator=generator)]
    return decode_like(model, code, shown)


def draws_to_judge(
    training: Float[Tensor, "n c *space"], held_out: Float[Tensor, "m c *space"]
) -> int:
    """How many draws a card can judge; 0 if there are too few images to compare them with."""
    affordable = max(FEWEST, VOXELS_DRAWN // held_out[0].numel())
    n = min(MOST, affordable, len(training), len(held_out))
    return n if n >= FEWEST else 0


def draws_section(
    model: Model,
    draws: Draws,
    training: Float[Tensor, "n c *space"],
    held_out: Float[Tensor, "m c *space"],
) -> str:
    """Draws as a set beside other real structures and shuffled voxels, in the words of a card.

    Parameters
    ----------
    model
        Trained.
    draws
        `draws_to_judge` or more.
    training, held_out
        Images it was trained on, which are the other real structures, and images it has not seen.
    """
    n = draws_to_judge(training, held_out)
    parts = [_table(draws, training, held_out, n)] if n else []
    if not n:
        few = {"held_out": len(held_out), "training": len(training), "fewest": FEWEST}
        parts.append(TOO_FEW.format(**few))
    if isinstance(model, Encoding):
        parts.append(_round_trip(model, draws))
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _table(draws: Draws, training: Tensor, held_out: Tensor, n: int) -> str:
    known = _spread_out(training, max(FEWEST, VOXELS_SEARCHED // training[0].numel()))
    judge = DrawFigures(_spread_out(held_out, n), _spread_out(training, n), training=known)
    figures = judge(draws.images)
    rows = {
        "draws of the model": figures,
        "other real structures (floor)": judge.floor,
        "these with voxels shuffled (control)": judge.control,
    }
    shown = [column for column in COLUMNS if column[1] in figures]
    lines = [
        " | ".join(["| set", *(title for title, _, _ in shown)]) + " |",
        "|---" * (1 + len(shown)) + "|",
        *(
            " | ".join([f"| {title}", *(_cell(row, name, per) for _, name, per in shown)]) + " |"
            for title, row in rows.items()
        ),
    ]
    explained = EXPLAINED.format(
        size=n,
        held_out=n if n == len(held_out) else f"{n} of the {len(held_out)}",
        alone=ALONE if judge.phases else NO_PHASES,
        searched="" if len(known) == len(training) else f" ({len(known)} of them are searched)",
    )
    return "\n\n".join(["\n".join(lines), explained, *_warnings(figures, judge.floor)])


def _warnings(figures: dict[str, float], floor: dict[str, float]) -> list[str]:
    lines = []
    grey = figures.get("undecided_voxels", 0.0)
    if grey > UNDECIDED:
        lines.append(
            f"**The draws are of no phase**: {grey:.0%} of their voxels are undecided, and the "
            "other figures are of what a cut makes of them. Train for more steps."
        )
    ours, real = figures.get("recall_two_point"), floor.get("recall_two_point")
    if ours is None or real is None or ours >= COLLAPSED_RECALL or real < 5 * COLLAPSED_RECALL:
        return lines
    return [
        *lines,
        f"**The draws lack variety**: they come near to {ours:.0%} of the held-out structures, "
        f"other real ones to {real:.0%}. A search in this space finds a small part of what there "
        "is.",
    ]


def _round_trip(model: Encoding, draws: Draws) -> str:
    with torch.no_grad():
        again = map_rows(model.encode, draws.images, draws.images[0].numel())
    rms = float((again - draws.code).double().square().mean().sqrt())
    return (
        f"Of {len(again)} draws that were decoded and encoded again, the numbers of the code came "
        f"back to within {rms / max(draws.spread, 1e-12):.2g} of their\nstandard deviation (root "
        "mean square; 1 is no better than to answer with the mean code)."
    )


def _cell(figures: dict[str, float], name: str, per: int) -> str:
    if name not in figures:
        return "-"
    value = per * figures[name]
    if name.startswith("frechet"):
        return f"{value:.3g}"
    return f"{value:.2f}" if per == 1 else f"{value:.1f}"


def _spread_out(images: Tensor, n: int) -> Tensor:
    """So many of the images, evenly spread over all of them."""
    return images if len(images) <= n else images[torch.linspace(0, len(images) - 1, n).long()]
