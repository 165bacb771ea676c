"""The structure of each trial of a campaign: its digest in the journal, its voxels in a file.

The journal is told the digest with the point, before the file is written. What is evaluated and
what is exported is the structure in the file, so a file that is missing, or holds another
structure, is made again before its trial is evaluated.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from latentopt.candidate_files import candidate_path, read_structure, set_aside, write_candidate
from latentopt.errors import CampaignError, EvaluationError
from latentopt.microstructure import to_images, to_phases, voxel_sha256
from latentopt.run import Trial

if TYPE_CHECKING:
    from latentopt.campaign import Campaign
    from latentopt.evaluation import Evaluation

__all__ = ["image_to_score", "keep_structure", "with_digests"]

_log = logging.getLogger(__name__)


def with_digests(
    event: Mapping[str, Any], evaluation: "Evaluation"
) -> tuple[dict[str, Any], dict[int, np.ndarray]]:
    """The event of an ask with the digest of each structure, and the structures by trial.

    A point that decodes to none, such as one with a voxel that is no number, has neither.
    """
    points, structures = [], {}
    for point in event["trials"]:
        try:
            phases = evaluation.phases(np.array(point["z"], dtype=np.float64))
        except EvaluationError:  # its evaluation fails, and says why
            points.append(point)
            continue
        structures[point["index"]] = phases
        points.append({**point, "voxel_sha256": voxel_sha256(phases)})
    return {**event, "trials": points}, structures


def keep_structure(
    folder: Path,
    trial: Trial,
    evaluation: "Evaluation",
    record: Callable[[dict[str, Any]], Any],
    decoded: np.ndarray | None = None,
) -> np.ndarray | None:
    """The structure of a pending trial, which is in its file when this returns.

    Parameters
    ----------
    folder
        The campaign's folder.
    trial
        Not evaluated yet.
    evaluation
        Decodes its z, if the file does not hold its structure.
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
            pass
    if decoded is None:
        try:
            decoded = evaluation.phases(trial.z)
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


def image_to_score(campaign: "Campaign", trial: Trial) -> Float[Tensor, "1 c *space"]:
    """The image of a trial that objectives are given: of the structure in its file.

    Raises
    ------
    EvaluationError
        Its z decodes to no structure.
    """
    evaluation = campaign.evaluation
    if evaluation.score == "decoded":  # the grey image is nowhere but in z
        images = evaluation.image(trial.z)
        campaign.keep_structure(trial, to_phases(images)[0].cpu().numpy())
        return images
    phases = campaign.keep_structure(trial)
    if phases is None:
        return evaluation.scored(trial.z)  # says what is wrong with it
    return to_images(torch.from_numpy(phases)[None], campaign.space.image_shape[0])
