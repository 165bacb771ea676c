"""Weighted retraining: every so often the model is trained on towards the best structures so far.

Off unless asked for. The new space is kept in the campaign's folder under an id of its own, and all
trials get the point that decodes to their structure there; what was evaluated stays what it was.
"""

import logging
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from generative.batching import to_tensor
from generative.data.augment import Augmentation
from generative.data.duplicates import image_digests
from generative.files.folder import json_bytes, write_durably
from generative.model import Encoding, Model
from generative.registry import MODELS
from generative.stages.resampling import resampled_rows
from generative.stages.stage import check_goes_on
from generative.training.state import remove_states
from generative.training.train import TrainConfig, finetune
from latentopt.campaign.proposal import not_yet_asked
from latentopt.campaign.rank_weights import rank_weights
from latentopt.campaign.retraining_images import decoded_points, training_images
from latentopt.errors import CampaignError, ConfigError, EvaluationError
from latentopt.evaluation.evaluation import Evaluation
from latentopt.microstructure import to_images
from latentopt.runs.run import Run, Trial
from latentopt.settings.campaign import CampaignConfig, RetrainConfig
from latentopt.space.classes import Classes
from latentopt.space.files import SETTINGS, is_space
from latentopt.space.inversion import InversionConfig, invert
from latentopt.space.latent_space import LatentSpace

__all__ = ["check_retraining", "is_due", "present_space", "retrain", "retrain_space"]

_log = logging.getLogger(__name__)

LOOKED_AT = 8  # decoded training points, before a campaign begins
RECORD = "retraining.json"  # what a space was retrained from; also beside a state that waits
_FIT = InversionConfig(steps=50)
_AS_IT_IS = Augmentation(flips=False, rotations=False)  # a turned structure has other properties


def check_retraining(config: CampaignConfig, space: LatentSpace) -> None:
    """Refuse a `retrain` that could never end well, before a trial is paid for.

    Raises
    ------
    ConfigError
        For a model or goal that retraining does not go with, ``data`` that cannot be read, or fewer
        images than the model learns from.
    """
    if config.retrain is None:
        return
    model = space.model
    if not isinstance(model, Model) or type(model) not in MODELS.values():
        raise ConfigError(
            f"a {type(model).__name__} cannot be retrained, only models of "
            f"generative.MODELS ({', '.join(MODELS)}); leave it out.",
            at="campaign.retrain",
        )
    try:
        check_goes_on(model.kind, model.stages())
    except ValueError as error:
        raise ConfigError(f"{error} Or leave it out.", at="campaign.retrain") from None
    if not isinstance(model, Encoding):
        raise ConfigError(
            f"a {model.kind} has no encoder to find the points of images in the retrained space; "
            "leave it out.",
            at="campaign.retrain",
        )
    if "distance_from_data" in config.goal.metrics:
        raise ConfigError(
            "distance_from_data means something else in each space; leave it out "
            "of objective and constraints, or leave out retrain.",
            at="campaign.retrain",
        )
    _check_images(config.retrain, space, model)


def _check_images(config: RetrainConfig, space: LatentSpace, model: Model) -> None:
    """Refuse images that the model cannot learn from; where two suffice, some are looked at."""
    least = model.least_images
    if least > 2 or config.data is not None:
        known = training_images(space, config)
    else:
        known = decoded_points(space, LOOKED_AT)
        least = min(least, len(known))  # these are not all there are
    images, source = known.images, known.source
    if len(images) < least:
        raise ConfigError(
            f"a {model.kind} of {space.latent_dim} numbers learns from "
            f"{least} images or more, got {len(images)} ({source}). Set images to {least} or more, "
            "give more data, or leave retrain out.",
            at="campaign.retrain",
        )
    if (images == images[:1]).all():
        raise ConfigError(
            f"all images are the same ({source}), so there is nothing to learn. "
            "Give data with others, or leave retrain out.",
            at="campaign.retrain",
        )


def is_due(
    config: CampaignConfig,
    events: Sequence[Mapping[str, Any]],
    start: Float[np.ndarray, "s d"] | None,
    read: Callable[[], Run],
) -> bool:
    """Whether `every` evaluations have ended since the last retraining, and any is feasible.

    Not while points of the start file are left: they are points of the space before.
    """
    if config.retrain is None:
        return False
    run = read()
    last = next((e["evaluated"] for e in reversed(events) if e["kind"] == "space"), 0)
    due = _evaluated(run.trials) - last >= config.retrain.every and bool(run.feasible)
    return due and not not_yet_asked(start, events)


def present_space(
    events: Sequence[Mapping[str, Any]], folder: Path, space: LatentSpace
) -> LatentSpace:
    """The space that a campaign searches now: the last that it has retrained, else `space`.

    Raises
    ------
    CampaignError
        The folder of that space is missing, damaged or holds another one.
    """
    last = next((event for event in reversed(events) if event["kind"] == "space"), None)
    if last is None or last["space_id"] == space.id:
        return space
    try:
        found = LatentSpace.load(folder / last["folder"])
    except (OSError, ValueError) as error:
        raise CampaignError(f"the campaign goes on in a space that is gone: {error}") from error
    if found.id != last["space_id"]:
        raise CampaignError(
            f"{folder / last['folder']}: holds space {found.id}, the campaign goes on in "
            f"{last['space_id']}; restore that folder from a copy."
        )
    return found


def retrain(
    run: Run, evaluation: Evaluation, seed: int, folder: Path
) -> tuple[LatentSpace, dict[str, Any]]:
    """The next space of a campaign, saved, and the event that makes it the present one.

    Until that event is written the campaign has its old space, which `evaluation` decodes
    in. A retraining that was killed goes on from its last state, and gives the same space.

    Raises
    ------
    CampaignError
        It is not asked for, or it failed: the loss is not finite, the disk is full, images are
        gone. Nothing is lost, and the next call tries again, by other settings if they were
        changed.
    """
    config = run.config.retrain
    if config is None:
        raise CampaignError("the campaign has no settings of a retraining; set retrain.")
    with _resumable(folder, run):
        return _retrain(run, config, evaluation, seed, folder)


@contextmanager
def _resumable(folder: Path, run: Run) -> Iterator[None]:
    """Say of any failure that the campaign has lost nothing, and how it goes on."""
    try:
        yield
    except Exception as error:  # whatever the training or its files raise
        text = " ".join(str(error).split()) or "no reason given"
        raise CampaignError(
            f"{folder}: the model could not be retrained ({type(error).__name__}: {text}). All "
            f"{len(run.trials)} trials are kept. Mend that, or change retrain "
            "(learning_rate, steps, images, data) or leave it out, and run the same command again."
        ) from error


def _retrain(
    run: Run, config: RetrainConfig, evaluation: Evaluation, seed: int, folder: Path
) -> tuple[LatentSpace, dict[str, Any]]:
    old = evaluation.space
    best = run.best(len(run.trials))
    one = len(run.config.goal.objectives) == 1
    values = (
        [float(run.posterior(t)) for t in best]
        if one
        else [-float(place) for place in range(len(best))]
    )
    data = training_images(old, config)
    images = np.concatenate([_structures(run, evaluation, best), data.images])
    weights = rank_weights(np.array(values), k=config.weight_k, unvalued=len(data))
    classes = None if data.classes is None else data.classes.after(len(best))
    place = f"spaces/{1 + len(run.retrained)}"
    record = {
        "from": old.id,
        "data": data.source,
        "trials": len(run.trials),
        "weights": weights[: len(best)].tolist(),
        "settings": config.model_dump(mode="json"),
    }
    _log.info("Retraining on %d structures and %d images (%s).", len(best), len(data), data.source)
    space = _kept_space(folder / place, record)
    if space is None:
        space = retrain_space(
            old, images, weights, config, seed=seed, folder=folder / place, classes=classes
        )
        known = [digests for digests in (old.trained_on,) if digests is not None]
        space.trained_on = np.unique(np.concatenate([*known, image_digests(images)]))
        _save(space, folder / place, record, old.documents.get(SETTINGS))
        space = LatentSpace.load(folder / place)
    found = invert(space, to_tensor(_structures(run, evaluation, run.trials)), _FIT)
    points = dict(zip((str(t.index) for t in run.trials), found.z.tolist(), strict=True))
    return space, {
        "kind": "space",
        "space_id": space.id,
        "folder": place,
        "evaluated": _evaluated(run.trials),
        "misfit": round(float(found.voxels_after.mean()), 6),
        "z": points,
    }


def retrain_space(
    space: LatentSpace,
    images: Float[np.ndarray, "n c *space"],
    weights: Float[np.ndarray, " n"],
    config: RetrainConfig,
    *,
    seed: int,
    folder: Path | None = None,
    classes: Classes | None = None,
) -> LatentSpace:
    """A space whose model has learned images by their weights, and which is white over them.

    A network is trained on from its weights, by each of its stages that `finetune` goes through;
    principal components are fitted anew.

    Parameters
    ----------
    space
        Is left as it is.
    images
        Training images and structures ``(n, c, *space)`` in [0, 1].
    weights
        How often each is seen; they sum to 1.
    folder
        Keeps the state of the training: the same call after a kill goes on from it.
    classes
        The class of each image, which the new space keeps.
    """
    if not isinstance(space.model, Model):
        raise TypeError(f"a {type(space.model).__name__} has no training to go on with.")
    settings = TrainConfig(
        steps=config.steps,
        batch_size=min(64, len(images)),
        learning_rate=config.learning_rate,
        kl_warmup=0.0,
        augmentation=_AS_IT_IS,
        seed=seed,
        progress=False,
    )
    model = finetune(space.model, images, weights, config=settings, folder=folder)
    model = model.requires_grad_(False)
    # More of them than numbers in a code: fewer are nothing to be white over.
    rows = resampled_rows(weights, seed, least=space.latent_dim + 1)
    # Each image once for the reference: distances to neighbours mean nothing among copies.
    return LatentSpace.fit(
        model,
        images[rows],
        reference=images,
        classes=classes,
        inversion_steps=space.inversion_steps,
    )


def _evaluated(trials: Iterable[Trial]) -> int:
    return sum(t.counts and t.status in ("completed", "failed") for t in trials)


def _structures(run: Run, evaluation: Evaluation, trials: Iterable[Trial]) -> np.ndarray:
    """The structure of each trial as it was evaluated, as an image."""
    channels, *shape = evaluation.space.image_shape
    phases = []
    for trial in trials:
        try:
            phases.append(run.structure(trial, shape=tuple(shape)))
        except CampaignError as error:
            phases.append(_decoded(evaluation, trial, shape))
            if trial.voxel_sha256 is not None or trial.status == "completed":
                _log.warning("What its point decodes to is learned in its place: %s", error)
    return to_images(np.stack(phases), channels=channels)


def _decoded(evaluation: Evaluation, trial: Trial, shape: Sequence[int]) -> np.ndarray:
    """What stands in for a structure whose file is lost: its point decodes to nearly the same."""
    try:
        return evaluation.phases(trial.point)
    except EvaluationError:  # it never had a structure, and failed
        return np.zeros(shape, np.uint8)


def _kept_space(folder: Path, record: Mapping[str, Any]) -> LatentSpace | None:
    """What an earlier call with this record has finished; of another record nothing is kept."""
    path = folder / RECORD
    if path.is_file() and path.read_bytes() == json_bytes(record):
        return LatentSpace.load(folder) if is_space(folder) else None
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    write_durably(path, json_bytes(record))
    return None


def _save(
    space: LatentSpace, folder: Path, record: Mapping[str, Any], training: bytes | None
) -> None:
    """Write the space; where its first training images are from stays with it."""
    lines = [
        "# A retrained latent space",
        "",
        f"Trained on from space {record['from']} on the best structures of a campaign after "
        f"{record['trials']} trials, {len(record['weights'])} of them feasible, and on "
        f"{record['data']}, with weights by rank. Its fidelity was not measured: "
        "`latentopt evaluate` does that.",
        "",
    ]
    card = "\n".join(lines).encode()
    space.documents = {RECORD: json_bytes(record), "README.md": card}
    if training is not None:
        space.documents[SETTINGS] = training
    space.save(folder, overwrite=True)  # within the campaign's own folder
    remove_states(folder)
