"""The last part of a pose-aware training: structures that are alike get one frame."""

from abc import abstractmethod
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Integer
from torch import Tensor

from generative.batching import map_rows
from generative.stages.config import TrainConfig
from generative.stages.loss import Loss
from generative.stages.players import Batch
from generative.structured.frames import Frames, common_frames
from generative.structured.pose_stages import ContentStage, PoseAware
from generative.structured.rotations import exponential

MOST = 400  # pictures that are compared with one another
POSE = 3  # numbers of a pose in the plane
SHARE = 0.4  # of the steps


class Framed(PoseAware):
    """A pose-aware model that can be told where structures lie."""

    @abstractmethod
    def upright(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n q"]:
        """Content of each image, then its angle (x to y) and its shift in the frame."""

    @abstractmethod
    def told(
        self,
        images: Float[Tensor, "n c h w"],
        pose: Float[Tensor, "n 3"],
        noise: Float[Tensor, "n s"],
    ) -> tuple[Float[Tensor, ""], dict[str, float]]:
        """The negative bound where pose is known, and how improbable the encoder finds it."""


class FrameStage(ContentStage):
    """Poses of training images are changed to those of common frames, and then are learned.

    The bound does not say which way up a structure is drawn, so it may change from one structure to
    the next. Here it is told: by `common_frames` of what the decoder draws.
    """

    name = "frames"
    optimizes = "evidence lower bound, with structures that are alike in one frame"
    augments = False  # its rows have a pose
    covers = ()
    chosen_from = 0.5

    def __init__(self, model: Framed) -> None:
        super().__init__(model)
        self.model: Framed = model
        self.frames: Frames | None = None

    def defaults(self, config: TrainConfig) -> dict[str, Any]:
        """Two fifths of the steps, as large as those before: pictures are turned anew."""
        return {"steps": max(1, round(SHARE * config.steps))}

    def prepare(
        self, images: Float[np.ndarray, "n c *space"], config: TrainConfig
    ) -> tuple[Float[np.ndarray, "m ..."], Integer[np.ndarray, " m"]]:
        """Each image, and behind its voxels its angle and shift in the common frame."""
        device = next(self.model.parameters()).device
        with torch.no_grad():
            rows = torch.from_numpy(images)
            found = map_rows(
                lambda part: self.model.upright(part.to(device)).cpu(), rows, rows[0].numel()
            )
            some = np.linspace(0, len(found) - 1, min(MOST, len(found))).round().astype(int)
            code = found[some, :-POSE]
            frames = common_frames(self.model.decode(code.to(device)).cpu())
            near = torch.cat(
                [torch.cdist(part, code).argmin(1) for part in found[:, :-POSE].split(4096)]
            )
        self.frames = frames
        angle, shift = found[:, -POSE], found[:, -POSE + 1 :] + frames.origin[near]
        turn = frames.angle[near]
        moved = (exponential(turn[:, None]) @ shift[:, :, None])[..., 0]
        pose = torch.cat([(angle - turn)[:, None], moved], 1)
        return torch.cat([rows.flatten(1), pose], 1).numpy(), np.arange(len(images))

    def findings(self) -> dict[str, object]:
        """Groups of structures that hang together."""
        if self.frames is None:
            return {}
        sizes = np.sort(np.bincount(self.frames.group))[::-1] / len(self.frames.group)
        shares = ", ".join(f"{share:.0%}" for share in sizes[:10])
        more = ", ..." if len(sizes) > 10 else ""
        return {
            "Groups of structures that change into one another": f"{len(sizes)} ({shares}{more})"
        }

    def gate(self, progress: float) -> float:
        """All of the content."""
        return 1.0

    def loss(self, batch: Batch, player: str) -> Loss:
        """The negative bound with the pose told, of a voxel."""
        images = batch.rows[:, :-POSE].reshape(-1, *self.image_shape)
        noise = batch.noise(self.model.noise_size)
        total, terms = self.model.told(images, batch.rows[:, -POSE:], noise)
        return Loss(total / images[0].numel(), terms)
