"""Networks that predict the velocity of a noisy code: on its grid, or as a plain vector."""

from typing import Literal

import torch
from jaxtyping import Float
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

FREQUENCIES = 16  # of the angle's Fourier features


class DenoiserConfig(BaseModel):
    """Size of a denoising network."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    network: Literal["mixer", "mlp"] = Field(
        "mixer", description="Mixes cells and channels of the code's grid in turn; or a plain MLP."
    )
    width: int = Field(24, ge=4, description="Channels of a cell (mixer) or of a layer (mlp).")
    hidden: int = Field(64, ge=4, description="Width inside a block.")
    blocks: int = Field(3, ge=1, description="Residual blocks.")


class Denoiser(nn.Module):
    """Velocity of noisy codes at an angle, under a condition.

    Parameters
    ----------
    cells
        Numbers in a code.
    conditions
        Numbers in a condition; all 0 is no condition.
    config
        Size of the network.
    """

    def __init__(self, cells: int, conditions: int, config: DenoiserConfig) -> None:
        super().__init__()
        context = 4 * FREQUENCIES
        self.conditions = conditions
        self.embed_angle = nn.Sequential(
            nn.Linear(2 * FREQUENCIES, context), nn.SiLU(), nn.Linear(context, context)
        )
        self.embed_condition = nn.Linear(conditions, context, bias=False) if conditions else None
        body = MIXERS[config.network]
        self.body = body(cells, context, config)
        self.register_buffer(
            "frequencies", torch.arange(1, FREQUENCIES + 1) / 2.0, persistent=False
        )

    def forward(
        self,
        x: Float[Tensor, "n d"],
        angle: Float[Tensor, "#n"],
        condition: Float[Tensor, "n f"] | None = None,
    ) -> Float[Tensor, "n d"]:
        """Velocity of each row; one angle may do for all, and a condition may be left out."""
        phase = angle[:, None] * self.frequencies
        context = self.embed_angle(torch.cat([phase.cos(), phase.sin()], dim=1))
        if self.embed_condition is not None and condition is not None:
            context = context + self.embed_condition(condition)
        return self.body(x, nn.functional.silu(context))


class _Modulated(nn.Module):
    """Layer norm whose scale and shift come from the context, and a gate for what follows."""

    def __init__(self, width: int, context: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.control = nn.Linear(context, 3 * width)
        nn.init.zeros_(self.control.weight)
        nn.init.zeros_(self.control.bias)

    def forward(self, x: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        scale, shift, gate = self.control(context).chunk(3, dim=1)
        if x.ndim == 3:  # the same for all cells
            scale, shift, gate = scale[:, None], shift[:, None], gate[:, None]
        return self.norm(x) * (1 + scale) + shift, gate


def _pair(width: int, hidden: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(width, hidden), nn.SiLU(), nn.Linear(hidden, width))


class _MLP(nn.Module):
    """Residual blocks over the whole code as a vector."""

    def __init__(self, cells: int, context: int, config: DenoiserConfig) -> None:
        super().__init__()
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
            h = h + gate * layer(inside)
        return self.leave(h)


class _Mixer(nn.Module):
    """Tokens are cells; blocks mix over cells, then over channels (Tolstikhin et al. 2021)."""

    def __init__(self, cells: int, context: int, config: DenoiserConfig) -> None:
        super().__init__()
        width = config.width
        self.enter = nn.Linear(1, width)
        self.place = nn.Parameter(0.02 * torch.randn(cells, width))
        self.norms = nn.ModuleList(_Modulated(width, context) for _ in range(2 * config.blocks))
        self.over_cells = nn.ModuleList(_pair(cells, config.hidden) for _ in range(config.blocks))
        self.over_channels = nn.ModuleList(
            _pair(width, config.hidden) for _ in range(config.blocks)
        )
        self.leave = nn.Linear(width, 1)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        h = self.enter(x[..., None]) + self.place
        for i, (cells, channels) in enumerate(
            zip(self.over_cells, self.over_channels, strict=True)
        ):
            inside, gate = self.norms[2 * i](h, context)
            h = h + gate * cells(inside.transpose(1, 2)).transpose(1, 2)
            inside, gate = self.norms[2 * i + 1](h, context)
            h = h + gate * channels(inside)
        return self.leave(h)[..., 0]


MIXERS = {"mixer": _Mixer, "mlp": _MLP}
