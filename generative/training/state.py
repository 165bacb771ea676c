"""State of a training run: kept in one file, gone on with after a kill."""

import copy
import hashlib
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from generative.errors import ModelFileError
from generative.files.folder import write_durably, writing
from generative.files.tensors import bytes_to_tensors, note_of, tensors_to_bytes
from generative.stages.stage import Stage

STATE = "training"  # and, with several stages, the name of the stage
MADE_OF = "made_of"  # note of what is kept beside a state, with the digest of what it is made of
FORMAT = "3"  # 2: an optimizer for each player; from 3 on the digest is of the note as well
_NOTE = {"step", "fingerprint", "best", "sha256"}  # of every format; since 2 with its number
_LONGEST_HEADER = 2**26


def state_path(folder: Path | str, stage: str) -> Path:
    """Where the state of a stage is kept."""
    name = STATE if stage == STATE else f"{STATE}-{stage}"
    return Path(folder) / f"{name}.safetensors"


def remove_states(folder: Path | str) -> None:
    """Delete the states of a training that has come to its end, and no file of another kind."""
    for path in Path(folder).glob(f"{STATE}*.safetensors"):
        if _is_state(path):
            path.unlink()


def _is_state(path: Path) -> bool:
    return bool({"fingerprint", MADE_OF} & note_of_file(path).keys())


def note_of_file(path: Path) -> dict[str, str]:
    """The strings in the header of a safetensors file, cut short or not; none if it has none."""
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            note = json.loads(file.read(min(length, _LONGEST_HEADER)))["__metadata__"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return {}
    return note if isinstance(note, dict) else {}


class TrainingState:
    """Weights, their exponential moving average, the optimizers' moments, and the step they are of.

    Of the stage's ``result`` parameters and the running statistics of batch norms, which belong to
    them, are averaged; other buffers are copied, and what is not of the result is not averaged.

    Parameters
    ----------
    stage
        What is being trained.
    optimizers
        That of each player, by its name.
    folder
        Where `STATE` is kept; ``None`` keeps nothing.
    fingerprint
        Settings and data of the run: a state with others is refused.

    Attributes
    ----------
    warnings
        What the stage says of its result, once the training has ended.
    """

    def __init__(
        self,
        stage: Stage,
        optimizers: Mapping[str, torch.optim.Optimizer],
        folder: Path | str | None,
        fingerprint: dict[str, object],
    ) -> None:
        self.stage, self.optimizers = stage, optimizers
        self.path = None if folder is None else state_path(folder, stage.name)
        self.fingerprint = json.dumps(fingerprint, sort_keys=True)
        self.averaged = copy.deepcopy(stage).eval()
        self.average_ = self.averaged.result.state_dict()  # the same memory
        self._means = _averaged_names(stage.result)
        self.best_: dict[str, torch.Tensor] = {}
        self.best_error, self.best_step = math.inf, 0
        self.warnings: tuple[str, ...] = ()

    def average(self, decay: float, step: int) -> None:
        """Move the exponential moving average towards the present weights."""
        decay = min(decay, (1 + step) / (10 + step))  # the first steps count less
        with torch.no_grad():
            for name, value in self.stage.result.state_dict().items():
                if name in self._means:
                    self.average_[name].lerp_(value, 1 - decay)
                else:
                    self.average_[name].copy_(value)

    def keep_if_best(self, error: float, step: int) -> None:
        """Remember the averaged weights of this step if no earlier ones had a smaller error."""
        if error < self.best_error:
            self.best_ = {name: value.clone() for name, value in self.average_.items()}
            self.best_error, self.best_step = error, step

    def use_result(self) -> None:
        """Give the result the best averaged weights, or the last ones where none were compared."""
        self.stage.result.load_state_dict(self.best_ or self.average_)

    def save(self, step: int) -> None:
        """Keep the state after ``step`` steps; the file appears whole or not at all."""
        if self.path is None:
            return
        tensors = {f"model.{k}": v for k, v in self.stage.state_dict().items()}
        tensors |= {f"average.{k}": v for k, v in self.average_.items()}
        tensors |= {f"best.{k}": v for k, v in self.best_.items()}
        for player, optimizer in self.optimizers.items():
            for i, moments in optimizer.state_dict()["state"].items():
                tensors |= {f"optimizer.{player}.{i}.{k}": v for k, v in moments.items()}
        note = {
            "format": FORMAT,
            "step": str(step),
            "fingerprint": self.fingerprint,
            "best": f"{self.best_error!r} {self.best_step}",
        }
        note["sha256"] = digest(tensors, note)
        waiting = self.path.with_name(f".{self.path.name}.new")
        with writing(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            try:
                write_durably(waiting, tensors_to_bytes(tensors, note))
                os.replace(waiting, self.path)
            finally:
                waiting.unlink(missing_ok=True)

    def resume(self) -> int:
        """Take up the kept state, if any; the number of steps already done.

        Raises
        ------
        ModelFileError
            If the file is damaged, or belongs to other data or settings.
        """
        if self.path is None or not self.path.exists():
            return 0
        data = self.path.read_bytes()
        try:
            note = note_of(data)
            tensors = bytes_to_tensors(data)
            version = _format_of(note, tensors)
            same, step = note["fingerprint"] == self.fingerprint, int(note["step"])
            best_error, best_step = note["best"].split()
            self.best_error, self.best_step = float(best_error), int(best_step)
        except (ValueError, KeyError, TypeError) as error:
            raise ModelFileError(
                f"{self.path}: the state of this run is damaged. Delete the file to start again."
            ) from error
        if version > int(FORMAT):
            raise ModelFileError(
                f"{self.path}: was kept by a newer version of latentopt. Finish this run with that "
                "version, or delete the file to start again."
            )
        if version == 1:
            raise ModelFileError(
                f"{self.path}: was kept by an earlier version of latentopt, which had one "
                "optimizer for all parameters. Finish this run with that version, or delete the "
                "file to start again."
            )
        if not same:
            raise ModelFileError(
                f"{self.path}: belongs to a run with other images or settings. "
                "Choose another folder, or delete the file to start again here."
            )
        try:
            self._restore(tensors)
        except (KeyError, RuntimeError) as error:
            raise ModelFileError(
                f"{self.path}: was kept by another version of latentopt, whose stage holds other "
                "parts. Finish this run with that version, or delete the file to start this stage "
                "again."
            ) from error
        return step

    def _restore(self, tensors: dict[str, torch.Tensor]) -> None:
        groups: dict[str, dict[str, torch.Tensor]] = {
            "model": {},
            "average": {},
            "best": {},
            "optimizer": {},
        }
        for name, value in tensors.items():
            group, _, key = name.partition(".")
            groups[group][key] = value
        self.stage.load_state_dict(groups["model"])
        self.averaged.result.load_state_dict(groups["average"])
        self.best_ = {
            name: value.to(self.average_[name].device) for name, value in groups["best"].items()
        }
        for player, optimizer in self.optimizers.items():
            settings = optimizer.state_dict()
            for key, value in groups["optimizer"].items():
                owner, index, moment = key.rsplit(".", 2)
                if owner == player:
                    settings["state"].setdefault(int(index), {})[moment] = value
            optimizer.load_state_dict(settings)


def _averaged_names(result: nn.Module) -> set[str]:
    """Names of the parameters, and of the running mean and variance of batch norms."""
    names = {name for name, _ in result.named_parameters(remove_duplicate=False)}
    for name, part in result.named_modules(remove_duplicate=False):
        if isinstance(part, _BatchNorm):
            start = f"{name}." if name else ""
            names |= {f"{start}running_mean", f"{start}running_var"}
    return names


def _format_of(note: Mapping[str, str], tensors: Mapping[str, torch.Tensor]) -> int:
    """Number of the format of a whole file; what is damaged is of no format, old or new.

    Raises
    ------
    ValueError
        If anything in it has changed since it was kept.
    """
    version = int(note.get("format", 1))
    names = _NOTE if version == 1 else _NOTE | {"format"}
    if version < 3:  # the note was not in the digest: its names, at least, are all there
        whole = note.keys() == names and digest(tensors) == note["sha256"]
    else:
        rest = {name: value for name, value in note.items() if name != "sha256"}
        whole = digest(tensors, rest) == note["sha256"]
    if not whole:
        raise ValueError("something in it has changed")
    return version


def digest(tensors: Mapping[str, torch.Tensor], note: Mapping[str, str] | None = None) -> str:
    """sha256 of all numbers, and of a note: safetensors alone does not notice a flipped bit."""
    found = hashlib.sha256()
    for name, value in sorted(tensors.items()):
        found.update(name.encode())
        found.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    if note is not None:
        kinds = {name: (str(value.dtype), list(value.shape)) for name, value in tensors.items()}
        found.update(json.dumps([kinds, note], sort_keys=True).encode())
    return found.hexdigest()
