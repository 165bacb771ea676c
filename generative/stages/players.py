"""The sides of a training, each with an optimizer of its own, and what they see of a step."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from jaxtyping import Float
from torch import Tensor, nn


@dataclass(frozen=True, eq=False)
class Player:
    """One side of a training: parameters that are moved by one optimizer, AdamW.

    An autoencoder by itself is one player. Of an adversarial training, generator and discriminator
    are one each, and a penalty on the discriminator that counts at some steps only is a third, of
    the same parameters. Let such a player share the ``optimizer`` of the first: AdamW divides by
    the size of past gradients, so with an optimizer of its own the weight of a penalty would have
    no effect.

    Parameters
    ----------
    name
        What it is called when its loss is asked for, and in the kept state.
    parameters
        What it moves. While its loss is computed, the parameters of the other players are held.
    learning_rate_factor
        Its learning rate over that of the stage.
    betas
        Decay of the optimizer's two moments.
    weight_decay
        Weight decay of its optimizer; that of the stage if None.
    clip
        Largest norm of its gradient, which is shortened to that; None lets it be.
    optimizer
        Name of its optimizer. Players of one name share one, with its moments: they have the same
        parameters, learning rate, betas and weight decay. Its own name unless given.
    every
        Steps from one of its moves to the next. It moves at step 0, and is skipped in between.
    """

    name: str
    parameters: Sequence[nn.Parameter]
    learning_rate_factor: float = 1.0
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float | None = None
    clip: float | None = 1.0
    every: int = 1
    optimizer: str | None = None


@dataclass(frozen=True, eq=False)
class Batch:
    """What the players of a stage see of one step.

    Parameters
    ----------
    rows
        What is learned from: images, or what `Stage.prepare` made of them.
    noise
        Answers standard normal numbers ``(n, size)`` for a size. Another call answers others; all
        of them follow from the seed and the step.
    condition
        What the model is told of each row, where it is told anything.
    step
        Number of the step, from 0.
    progress
        Part of the run that is done: 0 at the first step, 1 at the last.
    shared
        What one player leaves to those that move after it at this step: structures that a
        generator has made, say, for the discriminator to judge.
    """

    rows: Float[Tensor, "n ..."]
    noise: Callable[[int], Tensor]
    condition: Float[Tensor, "n f"] | None = None
    step: int = 0
    progress: float = 0.0
    shared: dict[str, Tensor] = field(default_factory=dict)


@contextmanager
def held(parameters: Iterable[nn.Parameter]) -> Iterator[None]:
    """Within it these parameters are fixed: what is computed gives them no gradient."""
    fixed = [parameter for parameter in parameters if parameter.requires_grad]
    for parameter in fixed:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in fixed:
            parameter.requires_grad_(True)
