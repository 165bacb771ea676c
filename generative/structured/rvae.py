"""Variational autoencoder whose code is what a structure is, apart from where it lies and how."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from generative.model import Pose, check_code, check_images_shape
from generative.stages.stage import Stages
from generative.structured.frame_stage import Framed, FrameStage
from generative.structured.pose_networks import Drawer, Looker
from generative.structured.pose_stages import ContentStage, PoseStage
from generative.structured.posterior import Found, from_standard_normal, gaussian
from generative.structured.resampling import (
    cropped,
    permutations_of,
    permuted,
    points_of,
    resampled,
    turned_back,
    within_ball,
)
from generative.structured.rotations import (
    CUBE_TURNS,
    FREE,
    exponential,
    log_cell,
    logarithm,
    reach_of,
    turns_of,
)
from generative.structured.rvae_settings import RVAEConfig, check

TURNS = 8  # of the plane
COARSE = {2: 1, 3: 2}  # voxels to one, where copies are looked at and poses are compared
LEAST_SPREAD = 0.05  # of a voxel about its reconstruction
FIRST_SPREAD = math.sqrt(0.1)
TOLD = 20.0  # weight of a turn that is told, as of a label in Kingma et al. (2014), eq. 9
FOLLOWING = 0.02  # part of the way that the spread goes at a step


class RVAE(Framed):
    """Images to a few numbers that do not change when a structure is turned or shifted, and back.

    The encoder looks at turned copies of an image with one network, scores each and refines its
    angle; the evidence bound is summed over them exactly. The decoder draws one picture, larger
    than the image, which is resampled at each pose.

    Parameters
    ----------
    image_shape
        ``(c, h, w)`` with sides of 16 to 96, or ``(c, d, h, w)`` with sides of 12 to 32; all sides
        alike unless ``rotation`` is false. Channels may be phases, grey levels, or one place at
        several times.
    **options
        Fields of `RVAEConfig`.

    Raises
    ------
    ValueError
        For a shape outside these limits or an option out of range.

    Examples
    --------
    >>> model = RVAE((1, 24, 24), latent_dim=2)
    >>> images = torch.rand(3, 1, 24, 24)
    >>> model.encode(images).shape, model.pose(images).angle.shape
    (torch.Size([3, 2]), torch.Size([3]))

    References
    ----------
    .. [1] Bepler et al. (2019), Explicitly disentangling image content from translation and
       rotation with spatial-VAE.
    .. [2] Nasiri and Bepler (2022), Unsupervised object representation learning using translation
       and rotation group equivariant VAE: a mixture over turns.
    .. [3] Rybkin, Daniilidis and Levine (2021), Simple and effective VAE training with calibrated
       decoders: the spread of a voxel is the error that there is.
    """

    kind = "rvae"
    options_class = RVAEConfig
    turns: Tensor  # (k, dims, dims)
    log_spread: Tensor  # of a voxel about its reconstruction
    points: Tensor  # of voxels, (*space, dims)
    few_points: Tensor
    moves: Tensor
    over: Tensor  # side of the picture over that of the image, of x, y(, z)
    half_sides: Tensor  # in voxels

    def __init__(self, image_shape: Sequence[int], **options: Any) -> None:
        super().__init__()
        self.config = config = RVAEConfig(image_shape=tuple(image_shape), **options)
        check(config)
        self.image_shape = config.image_shape
        self.latent_dim = config.latent_dim
        self.dims = len(self.image_shape) - 1
        self.coarse = COARSE[self.dims]
        count = (CUBE_TURNS if self.dims == 3 else config.turns or TURNS) if config.rotation else 1
        period = self.dims, count, config.fold
        self.reach, self.log_cell = reach_of(*period), log_cell(*period)
        turns = turns_of(*period) if config.rotation else torch.eye(self.dims)[None]
        self.register_buffer("turns", turns, persistent=False)
        size = config.canvas or ({2: 1.45, 3: 1.25}[self.dims] if config.rotation else 1.0)
        hidden, free = config.hidden, FREE[self.dims]
        self.look = Looker(self.image_shape, config.width, hidden, self.coarse)
        self.score = nn.Linear(hidden, 1)
        self.refine = nn.Linear(hidden, 2 * (free + self.dims))
        for parameter in self.refine.parameters():  # begins at the turns themselves
            nn.init.zeros_(parameter)
        self.content = nn.Sequential(
            nn.Linear(hidden, hidden), nn.SiLU(), nn.Linear(hidden, 2 * self.latent_dim)
        )
        self.draw = Drawer(self.image_shape, self.latent_dim, config.width, hidden, size)
        self.register_buffer("log_spread", torch.tensor(math.log(FIRST_SPREAD)))
        space = self.image_shape[1:]
        few = tuple(math.ceil(side / self.coarse) for side in space)
        over = [canvas / side for canvas, side in zip(self.draw.sides, space, strict=True)]
        for name, tensor in {
            "points": points_of(space),
            "few_points": points_of(few),
            "over": torch.tensor(over[::-1]),
            "moves": permutations_of(points_of(few), turns) if self.dims == 3 else torch.empty(0),
            "half_sides": torch.tensor([side / 2 for side in space[::-1]]),
        }.items():
            self.register_buffer(name, tensor, persistent=False)
        self.eval()

    def options(self) -> dict[str, Any]:
        """What builds this network again, as its keyword arguments."""
        return self.config.model_dump()

    def stages(self) -> Stages:
        """Pose first, while all structures are drawn alike; then content; then one frame for all.

        The last in 2-D only, of structures that are turned.
        """
        framed = (FrameStage(self),) if self.dims == 2 and self.config.rotation else ()
        return (PoseStage(self), ContentStage(self), *framed)

    # -- what a structure is ---------------------------------------------------------------------

    def encode(self, images: Float[Tensor, "n c *space"]) -> Float[Tensor, "n d"]:
        """Mean of the content's posterior: no randomness, row by row."""
        check_images_shape(images, self.image_shape)
        return self.find(images).mean

    def decode(self, code: Float[Tensor, "n d"]) -> Float[Tensor, "n c *space"]:
        """Structures that are not turned or shifted, in [0, 1]; differentiable."""
        check_code(code, self.latent_dim)
        return cropped(self.draw(code), self.image_shape[1:]).sigmoid()

    # -- where it lies ---------------------------------------------------------------------------

    def pose(self, images: Float[Tensor, "n c *space"]) -> Pose:
        """The most probable pose of each image, row by row."""
        return self.code_and_pose(images)[1]

    def code_and_pose(
        self, images: Float[Tensor, "n c *space"]
    ) -> tuple[Float[Tensor, "n d"], Pose]:
        """Content and most probable pose of each image, row by row."""
        check_images_shape(images, self.image_shape)
        found = self.find(images)
        return found.mean, self._most_probable(found)

    def _most_probable(self, found: Found) -> Pose:
        rows, turn = torch.arange(len(found.mean)), found.log_turn.argmax(1)
        rotations = found.turns @ exponential(found.small)
        rotation = rotations[rows, turn]
        shifts = (rotations @ found.shift[..., None])[..., 0] * self.half_sides
        shift = shifts[rows, turn]
        angle = logarithm(rotation).flip(-1)
        q = found.log_turn.exp()[..., None]
        away = logarithm(rotation.mT[:, None] @ rotations)
        if self.dims == 2:
            away = self._within_period(away)
        turned = (q * (away**2 + found.small_spread**2)).sum((1, 2)).sqrt()
        own = (rotations**2 @ found.shift_spread[..., None] ** 2)[..., 0] * self.half_sides**2
        moved = (q * ((shifts - shift[:, None]) ** 2 + own)).sum(1).sqrt()
        return Pose(
            angle=-angle[:, 0] if self.dims == 2 else angle,
            shift=shift.flip(-1),
            angle_spread=turned,
            shift_spread=moved.flip(-1),
        )

    def decode_at(self, code: Float[Tensor, "n d"], pose: Pose) -> Float[Tensor, "n c *space"]:
        """Structures turned and shifted to where a pose says they lie, in [0, 1]."""
        check_code(code, self.latent_dim)
        angle = -pose.angle[:, None] if self.dims == 2 else pose.angle.flip(-1)
        rotation = exponential(angle)
        shift = pose.shift.flip(-1) / self.half_sides
        frame = (shift[:, None] @ rotation)[:, None, 0]  # R^T m: in the frame of the structure
        return self.seen(self.draw(code), self.points, rotation[:, None], frame)[:, 0]

    # -- the bound -------------------------------------------------------------------------------

    def seen(
        self,
        pictures: Float[Tensor, "n c *picture"],
        points: Float[Tensor, "*seen dims"],
        rotation: Float[Tensor, "n k dims dims"],
        shift: Float[Tensor, "n k dims"] | None = None,
    ) -> Float[Tensor, "n k c *seen"]:
        """Drawn pictures, as logits, in windows at each pose: values in [0, 1]."""
        return resampled(pictures, points, rotation, shift, size=self.over).sigmoid()

    def coarsened(self, images: Float[Tensor, "n c *space"]) -> Float[Tensor, "n c *few"]:
        """Images at the resolution at which copies are looked at and poses compared."""
        if self.coarse == 1:
            return images
        return functional.interpolate(images, self.few_points.shape[:-1], mode="area")

    def find(
        self,
        images: Float[Tensor, "n c *space"],
        first: Float[Tensor, "dims dims"] | None = None,
    ) -> Found:
        """Posterior of pose and content.

        Parameters
        ----------
        images
            Values in [0, 1].
        first
            Rotation that the turns begin from; the identity unless given.
        """
        free = FREE[self.dims]
        turns = self.turns if first is None else first @ self.turns
        few = self.coarsened(images)
        if first is None and self.dims == 3:
            copies = permuted(few, self.moves)
        else:
            copies = turned_back(few, self.few_points, turns)
        if self.config.rotation:
            copies = copies * within_ball(self.few_points)
        features = self.look(copies.flatten(0, 1)).reshape(-1, len(turns), self.config.hidden)
        log_turn = self.score(features)[..., 0].log_softmax(1)
        small, shift, *spreads = self.refine(features).split([free, self.dims] * 2, -1)
        relative = [(spread - 2).clamp(-6, 1).exp() for spread in spreads]
        pooled = torch.einsum("nk,nkf->nf", log_turn.exp(), features)
        mean, log_variance = self._content(pooled)
        reach, moved = float(self.config.rotation) * self.reach, self.config.shift
        return Found(
            log_turn=log_turn,
            small=reach * small.tanh(),
            shift=3 * moved * (shift / 3).tanh(),
            small_spread=reach * relative[0],
            shift_spread=moved * relative[1],
            turns=turns,
            features=features,
            mean=mean,
            log_variance=log_variance,
        )

    def _content(self, features: Float[Tensor, "n h"]) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of the content, of features of upright copies."""
        mean, log_variance = self.content(features).chunk(2, -1)
        return mean, log_variance.clamp(-10, 4)

    @property
    def noise_size(self) -> int:
        """Standard normal numbers that `bound` takes a row."""
        return self.latent_dim + len(self.turns) * (FREE[self.dims] + self.dims) + FREE[self.dims]

    def bound(
        self, images: Float[Tensor, "n c *space"], noise: Float[Tensor, "n s"], gate: float
    ) -> tuple[Float[Tensor, ""], dict[str, float]]:
        """Negative evidence bound of an image up to a constant, and the terms of it.

        The sum over turns is exact, small rotations, shifts and content are drawn. The spread of a
        voxel follows the error that there is: while every pose fits badly, all turns stay probable.

        Parameters
        ----------
        images
            Values in [0, 1].
        noise
            Standard normal draws; `noise_size` numbers of each image.
        gate
            Factor of the content that is drawn, in [0, 1]: with 0 all pictures are alike.
        """
        n, k, free, dims = len(images), len(self.turns), FREE[self.dims], self.dims
        z, small, shift, begin = self._split(noise)
        found = self.find(images, begin)
        code = found.mean + z * (0.5 * found.log_variance).exp()
        pictures = self.draw(gate * code)
        small = found.small + small.reshape(n, k, free) * found.small_spread
        shift = found.shift + shift.reshape(n, k, dims) * found.shift_spread
        seen = self.seen(pictures, self.few_points, found.turns @ exponential(small), shift)
        few = self.coarsened(images)
        error = ((seen - few[:, None]) ** 2).flatten(2).sum(-1)
        turn = found.log_turn.exp()
        squared = (turn * error).sum(1).mean()
        voxels = few[0].numel()
        spread = self._followed(squared / voxels)
        kl = self._divergences(found, turn)
        total = squared / (2 * spread**2) + self.config.beta * sum(kl.values())
        terms = {"mse": squared.item() / voxels} | {name: v.item() for name, v in kl.items()}
        return total, terms

    def upright(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n q"]:
        """Content of each image, then its angle (x to y) and its shift in the frame."""
        found = self.find(images)
        rows, turn = torch.arange(len(images)), found.log_turn.argmax(1)
        angle = logarithm(found.turns[turn]) + found.small[rows, turn]
        return torch.cat([found.mean, angle, found.shift[rows, turn]], 1)

    def told(
        self,
        images: Float[Tensor, "n c h w"],
        pose: Float[Tensor, "n 3"],
        noise: Float[Tensor, "n s"],
    ) -> tuple[Float[Tensor, ""], dict[str, float]]:
        """The negative bound where pose is known, and how improbable the encoder finds it.

        Parameters
        ----------
        images, noise
            As of `bound`.
        pose
            Angle (x to y) and shift in the frame of each.
        """
        z, _, _, begin = self._split(noise)
        found, angle, shift = self.find(images, begin), pose[:, :1], pose[:, 1:]
        away = self._within_period(angle - logarithm(found.turns)[:, 0])
        rows, turn = torch.arange(len(images)), away.abs().argmin(1)
        # Content of the copy that is told: a sum over turns would hold the old frame.
        mean, log_variance = self._content(found.features[rows, turn])
        code = mean + z * (0.5 * log_variance).exp()
        there = exponential(angle)[:, None]
        seen = self.seen(self.draw(code), self.points, there, shift[:, None])[:, 0]
        squared = ((seen - images) ** 2).flatten(1).sum(1).mean()
        spread = self._followed(squared / images[0].numel())
        small = found.small_spread[rows, turn]
        improbable = -TOLD * found.log_turn[rows, turn].mean()
        improbable = improbable + gaussian(away[rows, turn, None] - found.small[rows, turn], small)
        if self.config.shift:
            off = shift - found.shift[rows, turn]
            improbable = improbable + gaussian(off, found.shift_spread[rows, turn])
        kl = from_standard_normal(mean, log_variance)
        total = squared / (2 * spread**2) + self.config.beta * kl + improbable
        terms = {"mse": squared.item() / images[0].numel(), "kl_content": kl.item()}
        return total, terms | {"pose": improbable.item()}

    def _split(self, noise: Float[Tensor, "n s"]) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        """Noise of content, small rotations and shifts, and the rotation that turns begin from."""
        k, free = len(self.turns), FREE[self.dims]
        z, small, shift, begin = noise.split([self.latent_dim, k * free, k * self.dims, free], 1)
        if not self.config.rotation:
            return z, small, shift, None
        # Uniform in the plane; in space any spread does.
        return z, small, shift, exponential(math.pi * torch.erf(begin[0] / math.sqrt(2)))

    def _within_period(self, angle: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """Angles of the plane about 0: structures are the same after a period."""
        period = 2 * math.pi / self.config.fold
        return torch.remainder(angle + period / 2, period) - period / 2

    def _followed(self, squared: Float[Tensor, ""]) -> Float[Tensor, ""]:
        """Spread of a voxel, after a step towards the error that there is."""
        if self.training:
            with torch.no_grad():
                now = squared.sqrt().clamp_min(LEAST_SPREAD).log()
                self.log_spread.lerp_(now, FOLLOWING)
        return self.log_spread.exp()

    def _divergences(
        self, found: Found, turn: Float[Tensor, "n k"]
    ) -> dict[str, Float[Tensor, ""]]:
        """Kullback-Leibler divergences of an image, in nats."""
        kl = {"kl_content": from_standard_normal(found.mean, found.log_variance)}
        if self.config.rotation:
            free = found.small.shape[-1]
            entropy = found.small_spread.log().sum(-1)
            entropy = entropy + 0.5 * free * math.log(2 * math.pi * math.e)
            cell = found.log_turn + math.log(len(self.turns)) + self.log_cell - entropy
            kl["kl_rotation"] = (turn * cell).sum(1).mean()
        if self.config.shift:
            spread = found.shift_spread / self.config.shift
            shift = (found.shift / self.config.shift) ** 2 + spread**2 - 1 - 2 * spread.log()
            kl["kl_shift"] = (turn * 0.5 * shift.sum(-1)).sum(1).mean()
        return kl
