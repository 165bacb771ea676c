"""The structure of each trial of a campaign: its digest in the journal, its voxels in a file.

The journal is told the digest with the point, before the file is written. What is evaluated and
what is exported is the structure in the file, so a file that is missing, or holds another
structure, is made again before its trial is evaluated.
"""

import hashlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from latentopt.errors import CampaignError, EvaluationError
from latentopt.evaluation.evaluation import Evaluation
from latentopt.microstructure import to_images, to_phases, voxel_sha256
from latentopt.runs.candidates import candidate_path, read_structure, set_aside, write_candidate
from latentopt.runs.run import Run, Trial
from latentopt.space.latent_space import LatentSpace
from latentopt.space.named import load_space

__all__ = [
    "Phases",
    "evaluation_in_space_of",
    "image_to_score",
    "keep_structure",
    "space_of",
    "with_digest",
]

_log = logging.getLogger(__name__)
Phases = UInt8[np.ndarray, "*space"]  # of each voxel of a structure


def with_digest(
    point: Mapping[str, Any], evaluation: Evaluation
) -> tuple[dict[str, Any], Phases | None]:
    """A point of an ask with the digest of its structure, and the structure.

    It has that of its grey image besides, where that is what is evaluated. A point that decodes to
    no structure, such as one with a voxel that is no number, has neither.
    """
    try:
        image = evaluation.image(np.array(point["z"], dtype=np.float64))
    except EvaluationError:  # its evaluation fails, and says why
        return dict(point), None
    phases = to_phases(image)[0].cpu().numpy()
    digests = {"voxel_sha256": voxel_sha256(phases)}
    if evaluation.score == "decoded":
        grey = np.ascontiguousarray(image.cpu().numpy(), dtype="<f4")
        digests["image_sha256"] = hashlib.sha256(grey.tobytes()).hexdigest()
    return {**point, **digests}, phases


def keep_structure(
    evaluation: Evaluation,
    read: Callable[[], Run],
    trial: Trial,
    folder: Path,
    record: Callable[[dict[str, Any]], Any],
    decoded: Phases | None = None,
) -> Phases | None:
    """The structure of a pending trial, which is in its file when this returns.

    Parameters
    ----------
    evaluation
        Decodes the trial's z, if the file does not hold its structure.
    read
        Gives the campaign so far: it knows of other spaces that were searched.
    trial
        Not evaluated yet.
    folder
        The campaign's folder.
    record
        Writes an event to the journal: the digest, where z gives other voxels than it did before,
        on another machine, say.
    decoded
        What z has just been decoded to; it is the structure then.

    Returns
    -------
    None if z decodes to no structure.
    """
    path = candidate_path(folder, trial.index)
    if decoded is None and trial.voxel_sha256 is not None and path.exists():
        try:
            return read_structure(folder, trial)
        except CampaignError:
            pass  # said below, if it cannot be made again otherwise
    if decoded is None:
        try:
            decoded = evaluation_in_space_of(trial, evaluation, read).phases(trial.z)
        except EvaluationError:
            return None
    digest = voxel_sha256(decoded)
    if digest != trial.voxel_sha256:
        record({"kind": "structure", "trial": trial.index, "voxel_sha256": digest})
        trial = replace(trial, voxel_sha256=digest)
    if path.exists():
        try:
            return read_structure(folder, trial)
        except CampaignError as error:
            problem = str(error).split(";")[0]
            _log.warning("%s; it is decoded again, and %s kept.", problem, set_aside(path).name)
    write_candidate(folder, trial.index, decoded, trial.z)
    return decoded


def image_to_score(
    trial: Trial,
    evaluation: Evaluation,
    own: Callable[[], Evaluation],
    keep: Callable[..., Phases | None],
) -> Float[Tensor, "1 c *space"]:
    """The image of a trial that objectives are given: of the structure in its file.

    Parameters
    ----------
    trial
        Pending.
    evaluation
        Of the campaign.
    own
        Gives the evaluation in the space of the trial (`evaluation_in_space_of`): that space is
        read only where the structure has to be decoded.
    keep
        Called with the trial, and with its structure where that is known: `keep_structure`.

    Raises
    ------
    EvaluationError
        Its z decodes to no structure.
    """
    if evaluation.score == "decoded":  # the grey image is nowhere but in z
        images = own().image(trial.z)
        keep(trial, to_phases(images)[0].cpu().numpy())
        return images
    phases = keep(trial)
    if phases is None:
        return own().scored(trial.z)  # says what is wrong with it
    return to_images(torch.from_numpy(phases)[None], evaluation.space.image_shape[0])


def evaluation_in_space_of(
    trial: Trial, evaluation: Evaluation, read: Callable[[], Run]
) -> Evaluation:
    """The campaign's, in the space of the trial: its model may have been retrained since."""
    if trial.space_id in (None, evaluation.space.id):
        return evaluation
    return replace(evaluation, space=space_of(read(), trial.space_id))


def space_of(run: Run, space_id: str) -> LatentSpace:
    """One of the spaces that a campaign has searched, from where its journal says it is.

    Raises
    ------
    CampaignError
        It was given in Python, or is another one now.
    ModelFileError
        It cannot be read.
    """
    places = {run.space_id: run.config.space} | {name: str(place) for name, place in run.retrained}
    if space_id not in places:
        raise CampaignError(f"{run.folder}: its journal knows of no space {space_id}.")
    return _load(places[space_id], space_id)


@lru_cache(maxsize=1)
def _load(place: str, space_id: str) -> LatentSpace:
    space = load_space(place)
    if space.id != space_id:
        raise CampaignError(
            f"{place} holds space {space.id}, and not {space_id} that the campaign searched; "
            "restore that folder from a copy."
        )
    return space
