"""How a network is trained."""

from typing import Literal

import torch
from pydantic import Field

from generative.data.augment import Augmentation
from objectives.settings import Settings


class StageConfig(Settings):
    """What one stage of a training does differently; null leaves it as it is."""

    steps: int | None = Field(
        None,
        ge=1,
        description="Number of optimization steps of this stage. null takes the stage's own "
        "number.",
    )
    batch_size: int | None = Field(
        None,
        ge=2,
        description="Number of images in a batch of this stage, or of codes for the prior. null "
        "takes the stage's own number.",
    )
    learning_rate: float | None = Field(
        None,
        gt=0,
        description="Peak learning rate of the AdamW optimizer in this stage. null takes the "
        "stage's own rate.",
    )


class TrainConfig(Settings):
    """How a network is trained.

    The same seed on the same machine gives the same weights, whether or not the run was
    interrupted: it fixes initial weights, batches, augmentation and noise.
    """

    steps: int = Field(
        4000,
        ge=1,
        description="Number of optimization steps. Stages that refine a model take a fraction of "
        "it.",
    )
    batch_size: int = Field(64, ge=2, description="Number of images in a batch.")
    learning_rate: float = Field(
        3e-3,
        gt=0,
        description="Peak learning rate of the AdamW optimizer. It rises over the first 50 steps "
        "and then falls along a cosine to 2 % of the peak.",
    )
    weight_decay: float = Field(
        1e-4, ge=0, description="Weight decay of the AdamW optimizer. 0 applies none."
    )
    kl_warmup: float = Field(
        0.2,
        ge=0,
        le=1,
        description="Fraction of the steps over which the Kullback-Leibler weight rises to its "
        "full value. 0 applies the full weight from the first step.",
    )
    ema_decay: float = Field(
        0.998,
        ge=0,
        lt=1,
        description="Decay of the exponential moving average of the weights in each step. The "
        "averaged weights are the result; 0 averages none.",
    )
    augmentation: Augmentation = Field(
        Augmentation(),
        description="Random transformations of the training images, applied anew each time an "
        "image is used.",
    )
    seed: int = Field(
        0,
        ge=0,
        lt=2**63,
        description="Seed of all random choices: initial weights, batches, augmentation and noise.",
    )
    device: str = Field(
        "auto",
        description='Device to train on: "cpu", "cuda", or "auto", which takes a GPU where there '
        "is one.",
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto",
        description='Number format of the convolutions. "bfloat16" about halves the time of a '
        'step on hardware that has it; "auto" uses it there and float32 elsewhere.',
    )
    checkpoint_seconds: float = Field(
        20.0,
        gt=0,
        description="Seconds between checkpoints, which is the most work that a killed run loses.",
    )
    progress: bool = Field(
        True,
        description="Whether to show a progress bar, or lines of progress where there is no "
        "terminal.",
    )
    stages: dict[str, StageConfig] = Field(
        default_factory=dict,
        description="Settings of single stages of a model, by the name of the stage. They "
        "replace those of the whole training.",
    )

    @property
    def torch_device(self) -> torch.device:
        """The device that ``device`` stands for here."""
        automatic = "cuda" if torch.cuda.is_available() else "cpu"
        return torch.device(automatic if self.device == "auto" else self.device)

    def own_of(self, stage: str) -> dict[str, object]:
        """What is set for one stage."""
        return self.stages[stage].model_dump(exclude_none=True) if stage in self.stages else {}
