"""Generator and reader of DCGAN, in 2-D and 3-D, for images of any size."""

import math
from collections.abc import Callable
from itertools import pairwise

from jaxtyping import Float
from torch import Tensor, nn

from generative.networks.blocks import BATCH_NORM, CONVOLUTION

TRANSPOSED: dict[int, Callable[..., nn.Module]] = {2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
SMALLEST = 4  # voxels of the first grid along the shortest side
LARGEST_FACTOR = 8  # of the width of the finest scale


def plan_scales(image_shape: tuple[int, ...], width: int) -> tuple[tuple[int, ...], list[int]]:
    """First grid, and the channels of each scale from the coarsest to the finest.

    Each scale has twice the size of the one before; what exceeds the image is cropped.

    >>> plan_scales((1, 64, 64), 64)
    ((4, 4), [512, 256, 128, 64])
    >>> plan_scales((1, 21, 21, 21), 64)
    ((6, 6, 6), [128, 64])
    """
    space = image_shape[1:]
    doublings = max(1, int(math.log2(min(space) / SMALLEST)))
    grid = tuple(-(-side // 2**doublings) for side in space)
    return grid, [width * min(2**i, LARGEST_FACTOR) for i in reversed(range(doublings))]


class DCGANGenerator(nn.Module):
    """Codes to logits of images by transposed convolutions (Radford et al. 2016).

    Parameters
    ----------
    image_shape
        ``(c, *space)``.
    latent_dim
        Numbers in a code.
    width
        Channels of the finest scale; the coarsest of four has eight times as many.
    """

    def __init__(self, image_shape: tuple[int, ...], latent_dim: int, width: int) -> None:
        super().__init__()
        self.image_shape, dims = image_shape, len(image_shape) - 1
        grid, widths = plan_scales(image_shape, width)
        layers: list[nn.Module] = [
            TRANSPOSED[dims](latent_dim, widths[0], grid, bias=False),
            BATCH_NORM[dims](widths[0]),
            nn.ReLU(),
        ]
        for before, after in pairwise(widths):
            layers += [
                TRANSPOSED[dims](before, after, 4, 2, 1, bias=False),
                BATCH_NORM[dims](after),
                nn.ReLU(),
            ]
        layers.append(TRANSPOSED[dims](widths[-1], image_shape[0], 4, 2, 1))
        self.body = nn.Sequential(*layers)
        _draw_weights(self)

    def forward(self, code: Float[Tensor, "n d"]) -> Float[Tensor, "n c *space"]:
        """Logits of an image for each code."""
        logits = self.body(code[(..., *[None] * (len(self.image_shape) - 1))])
        return logits[(..., *(slice(side) for side in self.image_shape[1:]))]


class DCGANReader(nn.Module):
    """Images to numbers by strided convolutions: the score of a critic, or a code.

    Parameters
    ----------
    image_shape
        ``(c, *space)``.
    outputs
        How many numbers.
    width
        Channels of the first layer.
    """

    def __init__(self, image_shape: tuple[int, ...], outputs: int, width: int) -> None:
        super().__init__()
        dims = len(image_shape) - 1
        _, widths = plan_scales(image_shape, width)
        widths, sides = widths[::-1], list(image_shape[1:])
        layers: list[nn.Module] = []
        for before, after in pairwise([image_shape[0], *widths]):
            norm = [BATCH_NORM[dims](after)] if layers else []  # none behind the image
            layers += [
                CONVOLUTION[dims](before, after, 4, 2, 1, bias=not norm),
                *norm,
                nn.LeakyReLU(0.2),
            ]
            sides = [side // 2 for side in sides]
        layers.append(CONVOLUTION[dims](widths[-1], outputs, tuple(sides)))
        self.body = nn.Sequential(*layers)
        _draw_weights(self)

    def forward(self, images: Float[Tensor, "n c *space"]) -> Float[Tensor, "n k"]:
        """Numbers of each image, whose values are from -1 to 1."""
        return self.body(images).flatten(1)


def _draw_weights(network: nn.Module) -> None:
    """First weights of spread .02, as the paper has them."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Conv3d | nn.ConvTranspose2d | nn.ConvTranspose3d):
            nn.init.normal_(layer.weight, 0, 0.02)
