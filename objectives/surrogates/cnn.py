"""A small ensemble of convolutional networks, whose disagreement says how far to trust it."""

import logging
import math
from typing import Any, Literal

import torch
from jaxtyping import Float, Float64
from pydantic import Field
from torch import Tensor, nn

from objectives.convolutions import sound
from objectives.surrogates.surrogate import LEAST_VARIANCE, Surrogate, root

_log = logging.getLogger(__name__)

# About 50,000 weights a network in either dimension.
WIDTHS = {2: (16, 32, 48, 64), 3: (12, 20, 28, 36)}
HIDDEN = 64
BATCH = 32
PART = 2**20  # voxels asked together: the first layer makes 4 numbers of each
LEAST_HELD_OUT = 4


class CNN(Surrogate):
    r"""Ensemble of convolutional networks, trained on shifted and mirrored images.

    The networks differ in their first weights and in the order of their data. A tenth of the images
    (at least four) trains none of them: the standard deviation is
    :math:`\sqrt{s^2 + b}` with s the spread of the networks' answers [1]_ and b such that the held
    out errors have variance 1 in its unit. It follows the device of the images given to `fit`, and
    logs its progress to ``objectives.surrogates.cnn``, with the share of the fit that is done.

    References
    ----------
    .. [1] Lakshminarayanan, Pritzel, Blundell (2017), Simple and Scalable Predictive Uncertainty
       Estimation using Deep Ensembles.

    >>> images = torch.rand(12, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    >>> mean, std = CNN(members=2, steps=2).fit(images, images.mean((1, 2, 3))).predict(images)
    >>> mean.shape, bool((std > 0).all())
    (torch.Size([12]), True)
    """

    kind: Literal["cnn"] = "cnn"
    members: int = Field(
        default=4,
        ge=2,
        description="Number of networks in the ensemble. Their disagreement is part of the "
        "standard deviation.",
    )
    steps: int = Field(
        default=800,
        ge=1,
        description="Number of training steps of each network, with 32 images in a batch.",
    )
    learning_rate: float = Field(
        default=3e-3,
        gt=0,
        description="Peak learning rate of the AdamW optimizer. It rises over the first tenth of "
        "the steps and then falls along a cosine.",
    )
    periodic: bool | None = Field(
        default=None,
        description="Whether the images repeat beyond their faces: convolutions then pad "
        "circularly, and training shifts images at random. null takes what the grid says, or "
        "periodic if there is no grid.",
    )
    flips: bool = Field(
        default=True,
        description="Whether training mirrors images at random. Turn it off for a property that "
        "mirroring changes, such as k_xy.",
    )

    def _least_images(self) -> int:
        return 3 * LEAST_HELD_OUT

    def _learn(
        self, images: Float[Tensor, "n c *space"], targets: Float64[Tensor, "n m"]
    ) -> dict[str, Tensor]:
        if min(images.shape[2:]) < 2:
            raise ValueError(
                f"images should have sides of 2 voxels or more, got {tuple(images.shape)}. "
                "Drop the axis that is one voxel thick."
            )
        x, y = images.float(), targets.float()
        order = torch.randperm(len(x)).to(x.device)
        held_out, training = order.tensor_split([max(LEAST_HELD_OUT, len(x) // 10)])
        members = [self._network(x.shape[1], x.ndim - 2, y.shape[1]) for _ in range(self.members)]
        for index, member in enumerate(members):
            self._train(member.to(x.device), x[training], y[training], index)
        with torch.no_grad():
            mean, spread = _mean_and_variance(members, x[held_out])
        # A variance known from k errors only predicts as Student's t, k / (k - 2) times wider.
        wider = len(held_out) / (len(held_out) - 2)
        errors = wider * (mean - targets[held_out]).square()
        learned = {
            f"{index}.{name}": tensor
            for index, member in enumerate(members)
            for name, tensor in member.state_dict().items()
        }
        return {**learned, "unexplained_variance": _unexplained_variance(errors, spread)}

    def _prepare(self, state: dict[str, Tensor]) -> Any:
        first, outputs = state["0.0.weight"], len(state["unexplained_variance"])
        members = []
        with torch.random.fork_rng(devices=[]):  # first weights are drawn, then replaced
            for index in range(self.members):
                member = self._network(first.shape[1], first.ndim - 2, outputs)
                start = f"{index}."
                member.load_state_dict(
                    {n.removeprefix(start): t for n, t in state.items() if n.startswith(start)}
                )
                members.append(member.eval())
        return members, state["unexplained_variance"]

    def _ask(
        self, ready: Any, images: Float[Tensor, "n c *space"]
    ) -> tuple[Float64[Tensor, "n m"], Float64[Tensor, "n m"]]:
        members, unexplained = ready
        members = [member.to(images.device) for member in members]
        size = max(1, PART // images[0].numel())
        parts = [_mean_and_variance(members, part.float()) for part in images.split(size)]
        mean = torch.cat([value for value, _ in parts])
        spread = torch.cat([variance for _, variance in parts])
        return mean, root(spread + unexplained.to(spread))

    def _network(self, channels: int, dim: int, outputs: int) -> nn.Sequential:
        """Halves the grid layer by layer, then averages over it: shifts by whole strides pass."""
        conv = nn.Conv2d if dim == 2 else nn.Conv3d
        norm = nn.BatchNorm2d if dim == 2 else nn.BatchNorm3d
        pad = "circular" if self.images_repeat else "zeros"
        layers: list[nn.Module] = []
        before = channels
        for width in WIDTHS[dim]:
            size = 3 if layers else 5
            kernel = conv(before, width, size, 2, size // 2, padding_mode=pad, bias=False)
            layers += [kernel, norm(width), nn.SiLU()]
            before = width
        pool = nn.AdaptiveAvgPool2d(1) if dim == 2 else nn.AdaptiveAvgPool3d(1)
        head = [nn.Linear(before, HIDDEN), nn.SiLU(), nn.Linear(HIDDEN, outputs)]
        return sound(nn.Sequential(*layers, pool, nn.Flatten(), *head))

    def _train(
        self,
        network: nn.Sequential,
        x: Float[Tensor, "n c *space"],
        y: Float[Tensor, "n m"],
        index: int,
    ) -> None:
        optimizer = torch.optim.AdamW(network.parameters(), self.learning_rate, weight_decay=1e-4)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, self._share_of_rate)
        network.train()
        rows = torch.empty(0, dtype=torch.long)
        for step in range(self.steps):
            while len(rows) < BATCH:
                rows = torch.cat([rows, torch.randperm(len(x))])
            batch, rows = rows[:BATCH].to(x.device), rows[BATCH:]
            loss = (network(_centred(self._vary(x[batch]))) - y[batch]).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            if (step + 1) % 100 == 0 or step + 1 == self.steps:
                done = f"network {index + 1}/{self.members}, step {step + 1}/{self.steps}"
                share = (index + (step + 1) / self.steps) / self.members
                _log.info("%s, loss %.4f", done, loss.item(), extra={"share": share})
        network.eval()

    def _share_of_rate(self, step: int) -> float:
        """Up over the first tenth, then down a half cosine to nothing."""
        done = (step + 1) / self.steps
        return done / 0.1 if done < 0.1 else 0.5 * (1 + math.cos(math.pi * (done - 0.1) / 0.91))

    def _vary(self, x: Float[Tensor, "n c *space"]) -> Float[Tensor, "n c *space"]:
        """Other images with the same y."""
        axes = list(range(2, x.ndim))
        if self.images_repeat:
            x = x.roll([int(torch.randint(x.shape[axis], ())) for axis in axes], axes)
        if self.flips:
            for axis in axes:
                chosen = (torch.rand(len(x)) < 0.5).to(x.device)
                x = torch.where(chosen.reshape(-1, *[1] * (x.ndim - 1)), x.flip(axis), x)
        return x


def _centred(x: Float[Tensor, "n c *space"]) -> Float[Tensor, "n c *space"]:
    return 2 * x - 1


def _mean_and_variance(
    members: list[nn.Sequential], x: Float[Tensor, "n c *space"]
) -> tuple[Float64[Tensor, "n m"], Float64[Tensor, "n m"]]:
    answers = torch.stack([member(_centred(x)).double() for member in members])
    return answers.mean(0), answers.var(0)


def _unexplained_variance(
    errors: Float64[Tensor, "n m"], spread: Float64[Tensor, "n m"]
) -> Float64[Tensor, "m"]:
    """The b at which squared errors over (spread + b) have mean 1, by bisection; about 0 if none.

    >>> _unexplained_variance(torch.full((3, 1), 5.0).double(), torch.full((3, 1), 2.0).double())
    tensor([3.0000], dtype=torch.float64)
    """
    low = torch.full_like(errors[0], LEAST_VARIANCE)
    high = errors.amax(0).clamp_min(LEAST_VARIANCE)
    for _ in range(60):
        middle = (low + high) / 2
        too_small = (errors / (spread + middle)).mean(0) > 1
        low, high = torch.where(too_small, middle, low), torch.where(too_small, high, middle)
    return high
