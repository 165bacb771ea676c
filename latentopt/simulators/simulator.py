"""What all simulators have in common: declared metrics, a name, and what their values depend on."""

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

from pydantic import ConfigDict, Field, field_validator

from latentopt.microstructure import Microstructure
from latentopt.printable import is_plain
from latentopt.simulators.result import SimulationResult
from objectives.settings import Settings

__all__ = ["SaysReady", "Simulator", "SimulatorSpec", "simulation_id"]


class SimulatorSpec(Settings, ABC):
    """A simulator as data: frozen, written to the journal, called with one structure at a time."""

    # An error in Python does not tell the settings, in which somebody may have put a password.
    model_config = ConfigDict(hide_input_in_errors=True)

    # Fields that may change while a campaign goes on: no value depends on them.
    patience: ClassVar[frozenset[str]] = frozenset({"timeout_s"})

    kind: str
    units: dict[str, str] = Field(
        min_length=1,
        description='Unit of each metric that the simulator returns, by the metric\'s name; "1" '
        "where it has none.",
    )
    label: str | None = Field(
        None,
        pattern=r"^[\w-]+$",
        description="Name of the simulator, which tells two simulators of one kind apart. null "
        "takes the kind.",
    )
    version: str = Field(
        "",
        description="Version of the program. Change it when the program changes, so that older "
        "results are not used again.",
    )
    cache: bool = Field(
        True,
        description="Whether equal structures are simulated only once. Turn it off where results "
        "are random.",
    )

    @field_validator("units")
    @classmethod
    def _names_can_be_printed(cls, units: dict[str, str]) -> dict[str, str]:
        for name in units:
            if not is_plain(name):
                raise ValueError(
                    f"a metric's name should be text that can be printed, got {name!r}"
                )
        return units

    @property
    def name(self) -> str:
        """The label, or the kind: names its folder and its messages."""
        return self.label or self.kind

    def identity(self) -> dict[str, Any]:
        """The settings that its values depend on, as JSON can hold them."""
        return self.model_dump(mode="json", exclude={*self.patience, "label", "cache"})

    @property
    def reusable(self) -> bool:
        """Whether a result may be used for another trial with an equal structure."""
        return self.cache

    @abstractmethod
    def check(self, where: str) -> None:
        """Refuse to start where it cannot work: a `ConfigError` that begins with `where`."""

    @abstractmethod
    def __call__(self, microstructure: Microstructure, folder: Path) -> SimulationResult:
        """Result for one structure; `folder` is its own, and need not exist."""


def simulation_id(simulator: SimulatorSpec, microstructure: Microstructure) -> str:
    """SHA-256 of all that a value depends on, 64 hexadecimal digits.

    These are voxels and their shape, voxel size, names of phases, periodicity, and
    `SimulatorSpec.identity`: the trial and its latent point are not among them.
    """
    facts = {
        "voxel_sha256": microstructure.sha256,
        "voxel_size_m": microstructure.voxel_size_m,
        "phase_names": microstructure.phase_names,
        "periodic": microstructure.periodic,
        "simulator": simulator.identity(),
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


@runtime_checkable
class Simulator(Protocol):
    """A full microstructure to named values: the seam for programs outside Python."""

    @property
    def name(self) -> str:
        """Names its folder in that of a trial, and its messages; no other simulator has it."""
        ...

    @property
    def units(self) -> Mapping[str, str]:
        """Name of each value that a good result brings, and its unit ("1" where it has none)."""
        ...

    def __call__(self, microstructure: "Microstructure", folder: Path) -> "SimulationResult":
        """Result for one structure; `folder` is for its files, and not there yet."""
        ...


@runtime_checkable
class SaysReady(Protocol):
    """A simulator that can tell beforehand whether it will work here."""

    def check(self, where: str) -> None:
        """Refuse to start where it cannot work: a `ConfigError` about the setting `where`."""
        ...
