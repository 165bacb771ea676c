"""Networks of a pose-aware autoencoder: what looks at turned copies, and what draws a picture."""

import math

from jaxtyping import Float
from torch import Tensor, nn

from generative.networks.blocks import Upsample, convolution, pixel_shuffle

WAY = 8  # from a window to the coarsest grid, by three strides of 2


class Looker(nn.Module):
    """Images to features. No layer mixes rows: a copy of an image is seen like any other image."""

    def __init__(self, image_shape: tuple[int, ...], width: int, hidden: int, coarse: int) -> None:
        super().__init__()
        dims, inputs = len(image_shape) - 1, image_shape[0]
        sides = [math.ceil(side / coarse) for side in image_shape[1:]]
        cells = math.prod(math.ceil(side * coarse / WAY) for side in sides)
        layers: list[nn.Module] = []
        for i in range(round(math.log2(WAY // coarse))):
            layers += [convolution(dims, inputs, width << i, 3 if i else 5, stride=2), nn.SiLU()]
            inputs = width << i
        self.layers = nn.Sequential(
            *layers, nn.Flatten(), nn.Linear(inputs * cells, hidden), nn.SiLU()
        )

    def forward(self, images: Float[Tensor, "n c *space"]) -> Float[Tensor, "n h"]:
        """Features of each image, at the resolution that copies have."""
        return self.layers(images)


class Drawer(nn.Module):
    """Numbers to logits of a picture that is larger than a window, so that turns leave no corner.

    Parameters
    ----------
    image_shape
        ``(c, *space)`` of a window.
    inputs
        Numbers that a picture is drawn from.
    size
        Side of the picture over that of the window, at least; `size` is what it came to, along
        each axis the same.
    """

    def __init__(
        self, image_shape: tuple[int, ...], inputs: int, width: int, hidden: int, size: float
    ) -> None:
        super().__init__()
        dims = len(image_shape) - 1
        grid = tuple(math.ceil(size * side / WAY) for side in image_shape[1:])
        self.sides = tuple(WAY * n for n in grid)
        self.factors = (2,) * dims
        first = 4 * width
        self.layers = nn.Sequential(
            nn.Linear(inputs, hidden),
            nn.SiLU(),
            nn.Linear(hidden, first * math.prod(grid)),
            nn.SiLU(),
            nn.Unflatten(1, (first, *grid)),
            Upsample(self.factors),
            convolution(dims, first, 2 * width),
            nn.SiLU(),
            Upsample(self.factors),
            convolution(dims, 2 * width, width),
            nn.SiLU(),
            convolution(dims, width, 2**dims * image_shape[0]),
        )

    def forward(self, numbers: Float[Tensor, "n i"]) -> Float[Tensor, "n c *picture"]:
        """Logits of each picture."""
        return pixel_shuffle(self.layers(numbers), self.factors)
