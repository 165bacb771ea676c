"""The loop of a training: players in turn, exponential moving average, best moment, resume."""

import hashlib
import logging
import math
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from generative.batching import to_tensor
from generative.stages.config import TrainConfig
from generative.stages.players import Batch, Player, held
from generative.stages.stage import Stage
from generative.training.progress import TrainingProgress
from generative.training.state import TrainingState
from objectives.convolutions import sound

_log = logging.getLogger(__name__)

# Settings that a result does not depend on, or that have been taken into account already.
NOT_IN_THE_RESULT = {"checkpoint_seconds", "device", "progress", "stages"}


def descend(
    stage: Stage,
    images: Float[np.ndarray, "n c *space"],
    config: TrainConfig,
    folder: Path | str | None,
    *,
    validation: Float[Tensor, "v c *space"] | None = None,
    conditions: Float[np.ndarray, "n f"] | None = None,
    weights: Float[np.ndarray, " n"] | None = None,
) -> TrainingState:
    """Train one stage from the weights it has; it is left on the CPU, in evaluation mode.

    Parameters
    ----------
    stage
        What is trained.
    images
        Training images in [0, 1].
    config
        How to train, before what the stage does differently.
    folder
        Where the state is kept: the same call after a kill goes on from it.
    validation
        Images that the result is chosen on, of twenty moments of the run, or of those that are late
        enough (`Stage.chosen_from`).
    conditions
        Condition of each image.
    weights
        How often each image is drawn, with sum 1; equally often without them.
    """
    config = stage.settings(config)
    if conditions is not None:
        stage.tell(conditions)
    rows, source = stage.prepare(images, config)
    batches = _Batches(stage, rows, source, config, conditions=conditions, weights=weights)
    probe = None if validation is None else stage.probe(validation)
    device = config.torch_device
    sound(stage).to(device)
    _lay_out(stage, _memory_format(stage))
    stage.train()
    sides = _sides(stage, config)
    fingerprint = _fingerprint(stage, rows, probe, config)
    fingerprint["from"] = _weight_sum(stage)
    if conditions is not None:
        fingerprint |= {"conditions": _known(conditions)}
    if weights is not None:
        fingerprint |= {"weights": weights.tolist()}
    optimizers = {side.player.optimizer or side.player.name: side.optimizer for side in sides}
    state = TrainingState(stage, optimizers, folder, fingerprint)
    first = state.resume()
    state.save(first)  # a folder that cannot be written is noticed now, not after an hour
    saved = time.monotonic()
    with TrainingProgress(config.steps, first, shown=config.progress, title=stage.name) as bar:
        for step in range(first, config.steps):
            bar.update(step + 1, _step(stage, sides, batches, config, step))
            state.average(config.ema_decay, step)
            if probe is not None and _is_moment(step + 1, config.steps):
                late = step + 1 >= stage.chosen_from * config.steps
                error = state.averaged.error(probe.to(device)) if late else None
                if error is not None:
                    state.keep_if_best(error, step + 1)
                    bar.note("validation", error)
                if bar.shown:
                    bar.noted |= state.averaged.figures(probe.to(device))
            if time.monotonic() - saved > config.checkpoint_seconds:
                state.save(step + 1)
                saved = time.monotonic()
    state.save(config.steps)
    state.use_result()
    _check_finite(stage.result, config)
    _lay_out(stage.to("cpu").eval(), torch.contiguous_format)
    if probe is not None:
        state.warnings = stage.warnings(probe)
    for line in state.warnings:
        _log.warning("%s", line)
    return state


class _Batches:
    """Rows of a step: seed and step fix them, so a resumed run draws what another one does."""

    def __init__(
        self,
        stage: Stage,
        rows: np.ndarray,
        source: np.ndarray,
        config: TrainConfig,
        *,
        conditions: np.ndarray | None,
        weights: np.ndarray | None,
    ) -> None:
        self.rows, self.config, self.stage = rows, config, stage
        self.conditions = None if conditions is None else conditions[source]
        self.weights = None
        if weights is not None and stage.weighs:
            self.weights = weights[source] / weights[source].sum()

    def __call__(self, step: int, device: torch.device) -> Batch:
        """The batch of a step, on a device."""
        rng, size = np.random.default_rng([self.config.seed, step]), self.config.batch_size
        if self.weights is None:
            drawn = rng.integers(len(self.rows), size=size)
        else:
            drawn = rng.choice(len(self.rows), size=size, p=self.weights)
        rows = self.rows[drawn]
        if self.stage.augments:
            rows = self.config.augmentation(rows, rng)
        images = to_tensor(rows)
        if images.ndim == len(self.stage.image_shape) + 1:
            images = images.contiguous(memory_format=_memory_format(self.stage))

        def noise(numbers: int) -> Tensor:
            found = rng.standard_normal((size, numbers), dtype=np.float32)
            return torch.from_numpy(found).to(device)

        return Batch(
            images.to(device),
            noise,
            None if self.conditions is None else to_tensor(self.conditions[drawn]).to(device),
            step=step,
            progress=step / max(1, self.config.steps - 1),
        )


class _Side:
    """A player with its optimizer."""

    def __init__(
        self, player: Player, config: TrainConfig, optimizer: torch.optim.Optimizer | None = None
    ) -> None:
        self.player = player
        decay = config.weight_decay if player.weight_decay is None else player.weight_decay
        self.rate = player.learning_rate_factor * config.learning_rate
        self.optimizer = optimizer or torch.optim.AdamW(
            player.parameters, self.rate, betas=player.betas, weight_decay=decay
        )

    def move(self, total: Tensor, rate: float) -> None:
        """One step down the gradient of a loss, at a part of the learning rate."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate * rate
        self.optimizer.zero_grad(set_to_none=True)
        total.backward()
        if self.player.clip is not None:
            nn.utils.clip_grad_norm_(self.player.parameters, self.player.clip)
        self.optimizer.step()


def _sides(stage: Stage, config: TrainConfig) -> list[_Side]:
    """Every player of a stage; those of one optimizer share it.

    Raises
    ------
    ValueError
        Two players have one name, or share an optimizer and differ in what it is made of.
    """
    sides: list[_Side] = []
    first: dict[str, _Side] = {}
    for player in stage.players(config):
        if player.name in [side.player.name for side in sides]:
            raise ValueError(f"two players of stage {stage.name} are called {player.name}.")
        name = player.optimizer or player.name
        if name not in first:
            side = first[name] = _Side(player, config)
        elif _made_of(player) != _made_of(first[name].player):
            raise ValueError(
                f"players {first[name].player.name} and {player.name} share the optimizer {name}; "
                "give them the same parameters, learning_rate_factor, betas and weight_decay."
            )
        else:
            side = _Side(player, config, first[name].optimizer)
        sides.append(side)
    return sides


def _made_of(player: Player) -> tuple[object, ...]:
    parameters = tuple(id(parameter) for parameter in player.parameters)
    return parameters, player.learning_rate_factor, player.betas, player.weight_decay


def _of_others(side: _Side, sides: Sequence[_Side]) -> Iterator[nn.Parameter]:
    """Parameters of other players, but those that are this one's too."""
    own = {id(parameter) for parameter in side.player.parameters}
    for other in sides:
        yield from (p for p in other.player.parameters if id(p) not in own)


def _is_moment(step: int, steps: int) -> bool:
    """Twenty times in a run, its end among them."""
    return step % max(1, steps // 20) == 0 or step == steps


def _step(
    stage: Stage,
    sides: Sequence[_Side],
    batches: _Batches,
    config: TrainConfig,
    step: int,
) -> dict[str, float]:
    """Each player moves in turn; the terms of their losses."""
    device = next(stage.parameters()).device
    batch = batches(step, device)
    half = stage.convolves and _use_bfloat16(config, device)
    terms: dict[str, float] = {}
    for side in sides:
        if step % side.player.every:
            continue
        with held(_of_others(side, sides)):
            with torch.autocast(device.type, torch.bfloat16, enabled=half):
                loss = stage.loss(batch, side.player.name)
            if not math.isfinite(value := float(loss.total.detach())):
                raise _diverged(f"the loss became {value} at step {step}", config)
            side.move(loss.total, _schedule(step, config.steps))
        terms |= loss.terms
    return terms


def _check_finite(result: nn.Module, config: TrainConfig) -> None:
    """The last step has no loss after it that would show what it did."""
    for name, value in result.state_dict().items():
        if value.is_floating_point() and not torch.isfinite(value).all():
            raise _diverged(f"the weights {name} are not finite after the last step", config)


def _diverged(what: str, config: TrainConfig) -> FloatingPointError:
    return FloatingPointError(
        f"{what}. Lower learning_rate (now {config.learning_rate:g}) or set precision: float32, "
        "and train in another folder; the last state is kept."
    )


def _schedule(step: int, steps: int) -> float:
    """Warm-up over 50 steps, then a cosine from 1 to .02."""
    cosine = 0.5 * (1 + math.cos(math.pi * step / steps))
    return min(1.0, (step + 1) / 50) * (0.98 * cosine + 0.02)


def _memory_format(stage: Stage) -> torch.memory_format:
    """Channels last: with bfloat16 worth a factor of two on a CPU."""
    dims = len(stage.image_shape) - 1
    return torch.channels_last if dims == 2 else torch.channels_last_3d


def _lay_out(stage: Stage, memory_format: torch.memory_format) -> None:
    """Lay out the tensors of the rank of a batch of images.

    `Module.to` would do the same to tensors of the other rank, 4 or 5, which torch refuses: a
    learned field of a volume has four axes.
    """
    for tensor in (*stage.parameters(), *stage.buffers()):
        if tensor.dim() == 1 + len(stage.image_shape):
            tensor.data = tensor.data.to(tensor.dtype, memory_format=memory_format)


def _use_bfloat16(config: TrainConfig, device: torch.device) -> bool:
    if config.precision != "auto":
        return config.precision == "bfloat16"
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    # Processors without these instructions, or told not to use them, lose from bfloat16.
    told = torch.backends.cpu.get_cpu_capability() == "AVX512"
    return told and torch.cpu._is_avx512_bf16_supported()


def _fingerprint(
    stage: Stage, rows: np.ndarray, probe: Tensor | None, config: TrainConfig
) -> dict[str, object]:
    """What has to be the same for a run to be gone on with."""
    return {
        "model": stage.identity,
        "training": config.model_dump(
            exclude={"checkpoint_seconds", "device", "progress", "stages"}
        ),
        "images": _known(rows),
        "validation": None if probe is None else _known(probe.numpy()),
    }


def _weight_sum(model: nn.Module) -> float:
    """Tells apart the weights that two runs begin with."""
    return sum(float(p.detach().double().abs().sum()) for p in model.parameters())


def _known(rows: np.ndarray) -> list[object]:
    """Shape and digest of all values: other images can have the same sums."""
    found = hashlib.sha256(str(rows.dtype).encode())
    for row in rows:
        found.update(row.tobytes())
    return [list(rows.shape), found.hexdigest()]
