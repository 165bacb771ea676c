"""A critic that is told what images are asked for."""

import math

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from generative.networks.residual import SLOPE, ResidualReader

HIDDEN = 64  # numbers in which a condition is told


class ProjectionCritic(nn.Module):
    r"""Scores of images, and of how well they fit to what they are asked for.

    .. math:: D(x, y) = \psi(\phi(x)) + \langle V(y), \phi(x) \rangle

    A condition of zeros, which asks for nothing, leaves the score of the image, as none given does.

    Parameters
    ----------
    reader
        Images to features, and these to a score.
    conditions
        Numbers in a condition, see `Conditions`.

    References
    ----------
    .. [1] Miyato and Koyama (2018), cGANs with projection discriminator, eq. 3.
    .. [2] Ding et al. (2021), CcGAN (a network in place of a table, for continuous properties).
    """

    def __init__(self, reader: ResidualReader, conditions: int) -> None:
        super().__init__()
        self.reader, features = reader, reader.head.in_features
        # Without offsets: of nothing asked nothing comes.
        self.first = nn.Linear(conditions, HIDDEN, bias=False)
        self.last = nn.Linear(HIDDEN, features, bias=False)
        self.scale = 1 / math.sqrt(features)

    def forward(
        self, images: Float[Tensor, "n c *space"], condition: Float[Tensor, "n f"] | None = None
    ) -> Float[Tensor, "n 1"]:
        """Score of each image, whose values are from -1 to 1, under its condition if given."""
        features = self.reader.features(images)
        score = self.reader.head(features)
        if condition is None:
            return score
        told = self.last(functional.leaky_relu(self.first(condition), SLOPE))
        return score + self.scale * (told * features).sum(1, keepdim=True)
