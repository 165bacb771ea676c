"""Whether the draws of a generator are all alike, and the settings that mend it."""

from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

from generative.gans.settings import AdversarialConfig, PenaltyConfig
from objectives.fidelity.draws import COLLAPSED_RECALL
from objectives.fidelity.feature_sets import recall
from objectives.fidelity.two_point_scores import TwoPointScores

# Of draws that have collapsed. In a game at 32x32 that did, after a good moment (.23 and .89), they
# were 0 to .04 and 0 to .41 at eighteen moments; of other structures they are .96 and 1.03.
SPREAD = 0.25
NEIGHBOURS = 5
WON = 4.0  # margin at which a critic's loss is below .02, and the generator learns nothing of it
SUGGESTED = PenaltyConfig().weight


class Variety(NamedTuple):
    """How much of the images a set of draws covers, in two-point scores.

    Parameters
    ----------
    recall
        Share of the images that draws come near to (5 neighbours).
    spread
        Standard deviation of the draws over that of the images.
    """

    recall: float
    spread: float

    @property
    def collapsed(self) -> bool:
        """Whether next to nothing of the images is covered."""
        return self.recall < COLLAPSED_RECALL or self.spread < SPREAD


def variety(
    made: Float[Tensor, "n c *space"], images: Float[Tensor, "m c *space"]
) -> Variety | None:
    """Variety of draws; None for images too few, or too much alike, to tell."""
    if min(len(made), len(images)) <= 2 * NEIGHBOURS:
        return None
    try:
        scores = TwoPointScores(images)
    except ValueError:
        return None
    ours, real = scores(made), scores(images)
    return Variety(recall(ours, real, k=NEIGHBOURS), float(ours.var(0).mean().sqrt()))


def collapse_warning(stage: str, found: Variety, margin: float, config: AdversarialConfig) -> str:
    """A line for people: what has collapsed, how it shows, and what to set.

    Parameters
    ----------
    stage
        Its name.
    found
        Of its draws.
    margin
        Mean score of the critic for images less that for draws.
    config
        The settings of the run, of which those are named that are not set already.
    """
    weight = config.penalty.weight
    remedies = ["lower training.learning_rate, or train for more steps"]
    if margin > WON or weight < SUGGESTED / 10:
        remedies.insert(
            0, f"raise options.penalty.weight (now {weight:g}; the default of gan is {SUGGESTED:g})"
        )
    if config.game != "relativistic":
        remedies.append("set options.game: relativistic")
    if config.sets is None:
        remedies.append("set options.sets: {}, which compares sets of draws with sets of images")
    judged = (
        f"the critic scores validation images {margin:.2g} above them"
        f"{', so it has won' if margin > WON else ''}"
    )
    return (
        f"stage {stage} ends with draws that are nearly all alike: they come near to "
        f"{found.recall:.0%} of the validation images and vary {found.spread:.2g} times as much; "
        f"{judged}. To mend it, {'; '.join(remedies)}."
    )
