"""Settings of a latent diffusion that decodes in one step."""

from typing import Any, Literal

from pydantic import Field

from objectives.settings import Settings


class OneStepConfig(Settings):
    """What teaches a network, called once, where the flow of a latent diffusion ends."""

    share: float = Field(
        1.0,
        gt=0,
        le=1,
        description="Steps of this stage as a fraction of the training steps. Steps that are set "
        "for this stage alone take precedence.",
    )
    pairs: int = Field(
        60_000,
        ge=1,
        description="Number of noise points whose codes the flow computes before the first step, "
        "to be learned from. Each costs as much as one decoding by the flow. A short training "
        "computes fewer, so that each is learned from at least four times.",
    )
    evaluations: Literal[1, 2] = Field(
        2,
        description="Number of networks in the step, each evaluated once. 2 cost a tenth of a flow "
        "of 20 evaluations; 1 costs half of that, and is much farther from the end of the flow.",
    )
    decoder: bool = Field(
        False,
        description="Whether a decoder with half of the channels is trained, too, so that noise "
        "becomes an image in one network at a third of the cost. Everything is then decoded by it. "
        "If false, the decoder of the autoencoder is used.",
    )


def as_settings(value: Any) -> Any:
    """Truth values as what they are short for: true the defaults, false nothing."""
    if isinstance(value, bool):
        return {} if value else None
    return value
