"""How a pose-aware autoencoder is trained: pose while all is drawn alike, then content."""

from abc import abstractmethod
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from generative.model import Model, reconstruct
from generative.stages.config import TrainConfig
from generative.stages.loss import Loss
from generative.stages.players import Batch
from generative.stages.stage import Stage

POSE_SHARE = 0.1  # of the steps, before content begins
RISE = 0.2  # part of the steps over which content comes in


class PoseAware(Model):
    """A model with an evidence bound over pose and content."""

    @property
    @abstractmethod
    def noise_size(self) -> int:
        """Standard normal numbers that `bound` takes a row."""

    @abstractmethod
    def bound(
        self, images: Float[Tensor, "n c *space"], noise: Float[Tensor, "n s"], gate: float
    ) -> tuple[Float[Tensor, ""], dict[str, float]]:
        """Negative evidence bound of an image up to a constant, and the terms of it."""

    @abstractmethod
    def encode(self, images: Float[Tensor, "n c *space"]) -> Float[Tensor, "n d"]:
        """Content of each image."""


class PoseStage(Stage):
    """Pose, with one picture for all structures: content cannot take the pose up meanwhile."""

    name = "pose"
    optimizes = "evidence lower bound with one picture for all images"
    convolves = False  # places between voxels need single precision
    goes_on = False

    def __init__(self, model: PoseAware) -> None:
        super().__init__(model)
        self.model = model

    def defaults(self, config: TrainConfig) -> dict[str, Any]:
        """A tenth of the steps."""
        return {"steps": max(1, round(POSE_SHARE * config.steps))}

    @property
    def result(self) -> nn.Module:
        """The model."""
        return self.model

    def gate(self, progress: float) -> float:
        """How much of the content is drawn."""
        return 0.0

    def loss(self, batch: Batch, player: str) -> Loss:
        """The negative bound, of a voxel."""
        noise = batch.noise(self.model.noise_size)
        total, terms = self.model.bound(batch.rows, noise, self.gate(batch.progress))
        return Loss(total / batch.rows[0].numel(), terms)


class ContentStage(PoseStage):
    """Content and pose together: content comes in over the first fifth of the steps."""

    name = "content"
    optimizes = "evidence lower bound, exactly summed over turns"
    covers = ("pose",)
    goes_on = True
    chosen_from = RISE

    def defaults(self, config: TrainConfig) -> dict[str, Any]:
        """Those of the whole."""
        return {}

    def gate(self, progress: float) -> float:
        """How much of the content is drawn."""
        return min(1.0, progress / RISE)

    def error(self, probe: Float[Tensor, "v c *space"]) -> float:
        """Mean squared error of a voxel, each structure drawn where it lies."""
        return float(((reconstruct(self.model, probe) - probe) ** 2).mean())
