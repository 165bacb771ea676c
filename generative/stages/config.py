"""How a network is trained."""

from typing import Literal

import torch
from pydantic import Field

from generative.data.augment import Augmentation
from objectives.settings import Settings


class StageConfig(Settings):
    """What one stage of a training does differently; null leaves it as it is."""

    steps: int | None = Field(None, ge=1, description="Optimization steps.")
    batch_size: int | None = Field(None, ge=2, description="Rows a step.")
    learning_rate: float | None = Field(None, gt=0, description="Peak of AdamW's.")


class TrainConfig(Settings):
    """How a network is trained.

    The same seed on the same machine gives the same weights, whether or not the run was
    interrupted: it fixes initial weights, batches, augmentation and noise.
    """

    steps: int = Field(4000, ge=1, description="Optimization steps.")
    batch_size: int = Field(64, ge=2, description="Images a step.")
    learning_rate: float = Field(
        3e-3, gt=0, description="Peak of AdamW's: 50 steps of warm-up, then a cosine to 2 %."
    )
    weight_decay: float = Field(1e-4, ge=0, description="Of AdamW.")
    kl_warmup: float = Field(0.2, ge=0, le=1, description="Part of the steps KL takes to grow.")
    ema_decay: float = Field(0.998, ge=0, lt=1, description="Of the averaged weights, the result.")
    augmentation: Augmentation = Field(Augmentation(), description="Done to each image drawn.")
    seed: int = Field(0, ge=0, lt=2**63, description="Fixes every random choice.")
    device: str = Field("auto", description='"cpu", "cuda", or "auto": a GPU where there is one.')
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="bfloat16 halves a step where the processor has it; auto finds out."
    )
    checkpoint_seconds: float = Field(20.0, gt=0, description="The most a killed run loses.")
    progress: bool = Field(True, description="Show a bar, or lines where there is no terminal.")
    stages: dict[str, StageConfig] = Field(
        default_factory=dict, description="Changes for single stages of a model that has several."
    )

    @property
    def torch_device(self) -> torch.device:
        """The device that ``device`` stands for here."""
        automatic = "cuda" if torch.cuda.is_available() else "cpu"
        return torch.device(automatic if self.device == "auto" else self.device)

    def own_of(self, stage: str) -> dict[str, object]:
        """What is set for one stage."""
        return self.stages[stage].model_dump(exclude_none=True) if stage in self.stages else {}
