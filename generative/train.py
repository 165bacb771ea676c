"""Train a network: progress, exponential moving average, resume after a kill, one seed."""

import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from generative.checkpoint import save_model
from generative.data.augment import Augmentation
from generative.data.check import check_images
from generative.errors import DataError
from generative.model_card import CardContent, write_model_card
from generative.progress import TrainingProgress
from generative.reconstruction import reconstruct
from generative.training_state import TrainingState

VALIDATION_IMAGES = 512  # enough to compare moments of a run


class TrainConfig(BaseModel):
    """How a network is trained.

    The same seed on the same machine gives the same weights, whether or not the run was
    interrupted: it fixes initial weights, batches, augmentation and noise.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    steps: int = Field(4000, ge=1, description="Optimization steps.")
    batch_size: int = Field(64, ge=2, description="Images a step.")
    learning_rate: float = Field(
        3e-3, gt=0, description="Peak of AdamW's: 50 steps of warm-up, then a cosine to 2 %."
    )
    weight_decay: float = Field(1e-4, ge=0, description="Of AdamW.")
    kl_warmup: float = Field(0.2, ge=0, le=1, description="Part of the steps KL takes to grow.")
    ema_decay: float = Field(0.998, ge=0, lt=1, description="Of the averaged weights, the result.")
    augmentation: Augmentation = Field(Augmentation(), description="Done to each image drawn.")
    seed: int = Field(0, ge=0, description="Fixes every random choice.")
    device: str = Field("auto", description='"cpu", "cuda", or "auto": a GPU where there is one.')
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="bfloat16 halves a step where the processor has it; auto finds out."
    )
    checkpoint_seconds: float = Field(20.0, gt=0, description="The most a killed run loses.")
    progress: bool = Field(True, description="Show a bar, or lines where there is no terminal.")


def train(
    model: nn.Module,
    images: Float[np.ndarray, "n c *space"],
    *,
    validation: Float[np.ndarray, "v c *space"] | None = None,
    config: TrainConfig | None = None,
    folder: Path | str | None = None,
    card: CardContent | None = None,
) -> nn.Module:
    """Train a network that has a ``loss``, such as `ConvVAE`, in place.

    Its initial weights are drawn anew from the seed. With a folder, the state is kept there every
    few seconds: the same call after a kill goes on from it and arrives at the same weights. At
    the end the folder is a model folder that `load_model` reads.

    Parameters
    ----------
    model
        Its ``loss(images, noise=, kl_weight=)`` returns what to minimize.
    images
        Training images in [0, 1].
    validation
        Images of other parents. The averaged weights that reconstruct them best, of twenty moments
        of the run, are the result: with few images the last ones may know them by heart.
    config
        How to train.
    folder
        Where the state of the run is kept and the model is saved.
    card
        What the model card of the folder reports; without it the folder has no card.

    Returns
    -------
    The model, holding a moving average of its weights, on the CPU and in evaluation mode.

    Raises
    ------
    DataError
        For fewer than two images, or images of the wrong shape or not in [0, 1].
    FloatingPointError
        If the loss stops being finite.
    ModelFileError
        If the folder holds the state of another run, or a damaged one.
    OSError
        If the folder cannot be written: before the first step, or when the disk is full.
    """
    config = config or TrainConfig()
    if len(images) < 2 or tuple(images.shape[1:]) != model.image_shape:
        raise DataError(
            f"training needs at least 2 images of shape {model.image_shape}, got an array of shape "
            f"{images.shape}. Cut patches of that size, or make a model for this shape."
        )
    images = check_images(images)
    probe = None if validation is None else to_tensor(check_images(validation[:VALIDATION_IMAGES]))
    _draw_weights(model, config.seed)
    state = _descend(model, images, config, folder, probe=probe)
    if folder is not None:
        facts = {"Training images": len(images), "Training": _settings(config)}
        if state.best_step:
            facts["Weights"] = f"of step {state.best_step}, the best on the validation images"
        files = {} if card is None else _write_card(model, images, card, facts)
        save_model(model, folder, files=files)
    return model


def finetune(
    model: nn.Module,
    images: Float[np.ndarray, "n c *space"],
    weights: Float[np.ndarray, " n"],
    *,
    config: TrainConfig,
    folder: Path | str | None = None,
) -> nn.Module:
    """A copy of a trained network, trained on from where it is, on images drawn by their weights.

    Parameters
    ----------
    model
        Is left as it is.
    images
        Of the shape of the model, in [0, 1].
    weights
        How often each image is drawn; they sum to 1.
    config
        How to train; a small learning rate keeps what the network knows.
    folder
        Where the state of the run is kept: the same call after a kill goes on from it.

    Raises
    ------
    DataError
        For images of the wrong shape or not in [0, 1], or weights that are none.
    FloatingPointError, ModelFileError, OSError
        As `train`.
    """
    if tuple(images.shape[1:]) != model.image_shape:
        raise DataError(
            f"training needs images of shape {model.image_shape}, got an array of shape "
            f"{images.shape}."
        )
    if weights.shape != (len(images),) or not (weights >= 0).all() or abs(weights.sum() - 1) > 1e-6:
        raise DataError(
            f"weights should be {len(images)} numbers of sum 1, one for each image, none below 0."
        )
    tuned = type(model)(**model.options())
    tuned.load_state_dict(model.state_dict())
    _descend(tuned, check_images(images), config, folder, weights=weights)
    return tuned


def _descend(
    model: nn.Module,
    images: np.ndarray,
    config: TrainConfig,
    folder: Path | str | None,
    *,
    probe: Tensor | None = None,
    weights: np.ndarray | None = None,
) -> TrainingState:
    """Train a network from the weights it has; it is left on the CPU, in evaluation mode."""
    device = _device(config.device)
    model.to(device, memory_format=_memory_format(model)).train()
    optimizer = torch.optim.AdamW(
        model.parameters(), config.learning_rate, weight_decay=config.weight_decay
    )
    fingerprint = _fingerprint(model, images, probe, config)
    if weights is not None:
        fingerprint |= {"weights": weights.tolist(), "from": _weight_sum(model)}
    state = TrainingState(model, optimizer, folder, fingerprint)
    first = state.resume()
    state.save(first)  # a folder that cannot be written is noticed now, not after an hour
    saved = time.monotonic()
    with TrainingProgress(config.steps, first, shown=config.progress) as bar:
        for step in range(first, config.steps):
            bar.update(step + 1, _step(model, optimizer, images, config, step, weights))
            state.average(config.ema_decay, step)
            if probe is not None and _is_moment(step + 1, config.steps):
                error = _validation_error(state.averaged, probe.to(device))
                state.keep_if_best(error, step + 1)
                bar.note("validation", error)
            if time.monotonic() - saved > config.checkpoint_seconds:
                state.save(step + 1)
                saved = time.monotonic()
    state.save(config.steps)
    state.use_result()
    model.to("cpu", memory_format=torch.contiguous_format).eval()
    return state


def _write_card(
    model: nn.Module, images: np.ndarray, card: CardContent, facts: Mapping[str, object]
) -> dict[str, bytes]:
    held_out = to_tensor(card.held_out)
    return write_model_card(model, to_tensor(images), held_out, facts={**card.facts, **facts})


def _is_moment(step: int, steps: int) -> bool:
    """Twenty times in a run, its end among them."""
    return step % max(1, steps // 20) == 0 or step == steps


def _validation_error(model: nn.Module, images: Tensor) -> float:
    """Mean squared error of a voxel, of images the training has not seen."""
    return float(((reconstruct(model, images) - images) ** 2).mean())


def _step(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    images: np.ndarray,
    config: TrainConfig,
    step: int,
    weights: np.ndarray | None = None,
) -> dict[str, float]:
    # Seed and step fix the batch, so a resumed run draws what an uninterrupted one does.
    rng = np.random.default_rng([config.seed, step])
    if weights is None:
        rows = rng.integers(len(images), size=config.batch_size)
    else:
        rows = rng.choice(len(images), size=config.batch_size, p=weights)
    drawn = config.augmentation(images[rows], rng)
    batch = to_tensor(drawn)
    noise = torch.from_numpy(rng.standard_normal((len(rows), model.latent_dim), dtype=np.float32))
    device = next(model.parameters()).device
    for group in optimizer.param_groups:
        group["lr"] = config.learning_rate * _schedule(step, config.steps)
    batch = batch.to(device, memory_format=_memory_format(model))
    with torch.autocast(device.type, torch.bfloat16, enabled=_use_bfloat16(config, device)):
        warmup = min(1.0, (step + 1) / max(1.0, config.kl_warmup * config.steps))
        loss = model.loss(batch, noise=noise.to(device), kl_weight=warmup)
    if not math.isfinite(loss.terms["loss"]):
        raise FloatingPointError(
            f"the loss became {loss.terms['loss']} at step {step}. Lower learning_rate (now "
            f"{config.learning_rate:g}) or set precision: float32, and train in another folder; "
            "the last state is kept."
        )
    optimizer.zero_grad(set_to_none=True)
    loss.total.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return loss.terms


def _schedule(step: int, steps: int) -> float:
    """Warm-up over 50 steps, then a cosine from 1 to .02."""
    cosine = 0.5 * (1 + math.cos(math.pi * step / steps))
    return min(1.0, (step + 1) / 50) * (0.98 * cosine + 0.02)


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(name)


def _memory_format(model: nn.Module) -> torch.memory_format:
    """Channels last: with bfloat16 worth a factor of two on a CPU."""
    dims = len(model.image_shape) - 1
    return torch.channels_last if dims == 2 else torch.channels_last_3d


def _use_bfloat16(config: TrainConfig, device: torch.device) -> bool:
    if config.precision != "auto":
        return config.precision == "bfloat16"
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    # Processors without these instructions lose from bfloat16.
    return torch.cpu._is_avx512_bf16_supported()


def _draw_weights(model: nn.Module, seed: int) -> None:
    """Initial weights from the seed alone, whatever has been drawn before."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would seed GPUs as well
        fresh = type(model)(**model.options())
    model.load_state_dict(fresh.state_dict())


def _settings(config: TrainConfig) -> str:
    chosen = config.model_dump(exclude={"checkpoint_seconds", "progress", "augmentation"})
    chosen |= config.augmentation.model_dump()
    return ", ".join(f"{name} {value}" for name, value in chosen.items())


def _fingerprint(
    model: nn.Module, images: np.ndarray, validation: Tensor | None, config: TrainConfig
) -> dict[str, object]:
    """What has to be the same for a run to be gone on with."""
    return {
        "model": {"kind": model.kind, **model.options()},
        "training": config.model_dump(exclude={"checkpoint_seconds", "device", "progress"}),
        "images": _sample(images),
        "validation": None if validation is None else _sample(validation.numpy()),
    }


def _weight_sum(model: nn.Module) -> float:
    """Tells apart the weights that two runs begin with."""
    return sum(float(p.detach().double().abs().sum()) for p in model.parameters())


def _sample(images: np.ndarray) -> list[object]:
    probe = images[:: max(1, len(images) // 16)]
    return [list(images.shape), float(np.asarray(probe, np.float64).sum())]


def to_tensor(images: Float[np.ndarray, "n c *space"]) -> Float[Tensor, "n c *space"]:
    """Images as a float32 tensor, without a copy where they are float32 already."""
    return torch.from_numpy(np.ascontiguousarray(images, dtype=np.float32))
