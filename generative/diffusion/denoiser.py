"""Networks that predict the velocity of a noisy code: on its grid, or as a plain vector."""

import math
from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from objectives.settings import Settings

FREQUENCIES = 16  # of the Fourier features of time


class DenoiserConfig(Settings):
    """Size of a denoising network."""

    network: Literal["mixer", "mlp"] = Field(
        "mixer",
        description='Architecture of the denoising network. "mixer" mixes patches of the code '
        'grid and channels in turn (MLP-Mixer); "mlp" takes the code as a plain vector.',
    )
    width: int = Field(
        64,
        ge=4,
        description='Number of features between blocks: of each patch for "mixer", of the whole '
        'code for "mlp".',
    )
    hidden: int = Field(
        128,
        ge=4,
        description='Number of hidden units inside a block. "mixer" has half as many where it '
        "mixes patches.",
    )
    blocks: int = Field(4, ge=1, description="Number of residual blocks of the denoising network.")


class Denoiser(nn.Module):
    """Velocity of noisy codes at a time t of the TrigFlow parametrization, under a condition.

    Parameters
    ----------
    grid
        Shape of a code: 8x8, 4x4x4.
    conditions
        Numbers in a condition; all 0 is no condition.
    config
        Size of the network.
    """

    frequencies: Tensor

    def __init__(self, grid: Sequence[int], conditions: int, config: DenoiserConfig) -> None:
        super().__init__()
        context = 4 * FREQUENCIES
        self.conditions = conditions
        # The name is that of weights on disk.
        self.embed_angle = nn.Sequential(
            nn.Linear(2 * FREQUENCIES, context), nn.SiLU(), nn.Linear(context, context)
        )
        self.embed_condition = nn.Linear(conditions, context, bias=False) if conditions else None
        self.body = NETWORKS[config.network](tuple(grid), context, config)
        self.register_buffer(
            "frequencies", torch.arange(1, FREQUENCIES + 1) / 2.0, persistent=False
        )

    def forward(
        self,
        x: Float[Tensor, "n d"],
        time: Float[Tensor, "#n"],
        condition: Float[Tensor, "n f"] | None = None,
    ) -> Float[Tensor, "n d"]:
        """Velocity of each row; one time may do for all, and a condition may be left out."""
        phase = time[:, None] * self.frequencies
        context = self.embed_angle(torch.cat([phase.cos(), phase.sin()], dim=1))
        if self.embed_condition is not None and condition is not None:
            context = context + self.embed_condition(condition)
        return self.body(x, nn.functional.silu(context))


class _Modulated(nn.Module):
    """Layer norm whose scale and shift come from the context, and a gate for what follows."""

    def __init__(self, width: int, context: int) -> None:
        super().__init__()
        self.width = width
        self.control = nn.Linear(context, 3 * width)
        nn.init.zeros_(self.control.weight)
        nn.init.zeros_(self.control.bias)

    def forward(self, x: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        scale, shift, gate = self.control(context).chunk(3, dim=1)
        normed = nn.functional.layer_norm(x, (self.width,))
        return torch.addcmul(shift, normed, 1 + scale), gate


def _pair(width: int, hidden: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(width, hidden), nn.SiLU(), nn.Linear(hidden, width))


class _MLP(nn.Module):
    """Residual blocks over the whole code as a vector."""

    def __init__(self, grid: tuple[int, ...], context: int, config: DenoiserConfig) -> None:
        super().__init__()
        cells = math.prod(grid)
        self.enter = nn.Linear(cells, config.width)
        self.norms = nn.ModuleList(_Modulated(config.width, context) for _ in range(config.blocks))
        self.layers = nn.ModuleList(
            _pair(config.width, config.hidden) for _ in range(config.blocks)
        )
        self.leave = nn.Linear(config.width, cells)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        h = self.enter(x)
        for norm, layer in zip(self.norms, self.layers, strict=True):
            inside, gate = norm(h, context)
            h = torch.addcmul(h, gate, layer(inside))
        return self.leave(h)


class _Mixer(nn.Module):
    """Tokens are patches of 2 cells a side; mixes tokens, then channels (Tolstikhin et al. 2021).

    Tokens are the first axis of what is worked on, so that mixing them is one matrix product for
    all rows and channels.
    """

    def __init__(self, grid: tuple[int, ...], context: int, config: DenoiserConfig) -> None:
        super().__init__()
        width = config.width
        self.patches = _Patches(grid)
        tokens, cells = self.patches.tokens, self.patches.cells
        self.enter = nn.Linear(cells, width)
        self.place = nn.Parameter(0.02 * torch.randn(tokens, 1, width))
        self.norms = nn.ModuleList(_Modulated(width, context) for _ in range(2 * config.blocks))
        self.over_tokens = nn.ModuleList(
            _TokenPair(tokens, max(1, config.hidden // 2)) for _ in range(config.blocks)
        )
        self.over_channels = nn.ModuleList(
            _pair(width, config.hidden) for _ in range(config.blocks)
        )
        self.leave = nn.Linear(width, cells)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        h = self.enter(self.patches.cut(x)) + self.place
        layers = [
            f for pair in zip(self.over_tokens, self.over_channels, strict=True) for f in pair
        ]
        for norm, layer in zip(self.norms, layers, strict=True):
            inside, gate = norm(h, context)
            h = torch.addcmul(h, gate, layer(inside))
        return self.patches.join(self.leave(h))


class _Patches:
    """Codes to patches of 2 cells a side, of 1 along an axis of odd length, and back."""

    def __init__(self, grid: tuple[int, ...]) -> None:
        self.sides = [2 if side % 2 == 0 else 1 for side in grid]
        self.counts = [side // patch for side, patch in zip(grid, self.sides, strict=True)]
        self.tokens, self.cells = math.prod(self.counts), math.prod(self.sides)
        axes = range(1, 1 + 2 * len(grid))
        self.order = (*axes[::2], 0, *axes[1::2])  # counts, rows, cells

    def cut(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "t n k"]:
        """Tokens first, cells of a patch last."""
        pairs = [n for both in zip(self.counts, self.sides, strict=True) for n in both]
        return (
            x.reshape(x.shape[0], *pairs)
            .permute(self.order)
            .reshape(self.tokens, x.shape[0], self.cells)
        )

    def join(self, patches: Float[Tensor, "t n k"]) -> Float[Tensor, "n d"]:
        """The codes again."""
        rows = patches.shape[1]
        back = [self.order.index(axis) for axis in range(len(self.order))]
        return (
            patches.reshape(*self.counts, rows, *self.sides)
            .permute(back)
            .reshape(rows, self.tokens * self.cells)
        )


class _TokenPair(nn.Module):
    """Two dense layers over the first axis."""

    def __init__(self, tokens: int, hidden: int) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(tokens, hidden), nn.Linear(hidden, tokens)

    def forward(self, x: Float[Tensor, "t n w"]) -> Float[Tensor, "t n w"]:
        flat = x.reshape(x.shape[0], -1)
        inside = torch.addmm(self.first.bias[:, None], self.first.weight, flat)
        mixed = torch.addmm(
            self.second.bias[:, None], self.second.weight, nn.functional.silu(inside)
        )
        return mixed.view_as(x)


NETWORKS = {"mixer": _Mixer, "mlp": _MLP}
