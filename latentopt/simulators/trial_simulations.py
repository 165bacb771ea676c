"""The simulations of a campaign's trials: folders, cache, and an answer to whatever goes wrong."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from latentopt.errors import EvaluationError
from latentopt.measurement import with_sems
from latentopt.microstructure import Microstructure, to_phases
from latentopt.printable import one_line
from latentopt.settings.campaign import CampaignConfig
from latentopt.simulators.cache import ResultCache
from latentopt.simulators.result import STATES, SimulationResult
from latentopt.simulators.simulator import Simulator, SimulatorSpec, simulation_id

__all__ = ["CampaignSimulations", "TrialSimulation", "simulate"]


@dataclass(frozen=True)
class CampaignSimulations:
    """The simulators of a campaign and what they are told of its structures.

    Parameters
    ----------
    simulators
        In the order they run.
    folder
        ``simulations`` in the campaign's folder.
    voxel_size_m
        Edge of a voxel along each axis.
    phase_names
        Of phase 0, 1, ...
    periodic
        Whether structures repeat beyond their faces, along each axis.
    provenance
        What the structures' files say of their origin, besides trial and z.
    """

    simulators: tuple[Simulator, ...]
    folder: Path
    voxel_size_m: tuple[float, ...]
    phase_names: tuple[str, ...]
    periodic: tuple[bool, ...]
    provenance: Mapping[str, Any]

    @classmethod
    def of(
        cls,
        simulators: tuple[Simulator, ...],
        config: CampaignConfig,
        folder: Path,
        *,
        dims: int,
        space_id: str,
    ) -> "CampaignSimulations | None":
        """Simulations of the campaign in a folder, whose structures have `dims` axes, if any."""
        if not simulators:
            return None
        assert config.phase_names is not None  # the config is fitted to a space
        sizes = config.grid.edges_um(dims)
        return cls(
            simulators,
            folder / "simulations",
            voxel_size_m=tuple(size * 1e-6 for size in sizes),
            phase_names=config.phase_names,
            periodic=(config.periodic,) * dims,
            provenance={"campaign": config.name, "seed": config.seed, "space_id": space_id},
        )

    def of_trial(
        self, z: Float[ndarray, "d"], trial: int, *, again: bool = False
    ) -> "tuple[TrialSimulation, ...]":
        """One objective for each simulator, which knows the trial it is for.

        Where it is simulated `again`, what is known of an equal structure is not used.
        """
        about = replace(self, provenance={**self.provenance, "trial": trial, "z": z.tolist()})
        folder = self.folder / f"{trial:04d}"
        return tuple(
            TrialSimulation(simulator, about, folder / simulator.name, again)
            for simulator in self.simulators
        )


@dataclass(frozen=True)
class TrialSimulation:
    """One simulator for one trial, as an objective of its image: what runs in worker processes.

    Parameters
    ----------
    simulator
        One of `SIMULATORS`, or an object of that shape.
    about
        What is known of the structure, the trial and its z included.
    folder
        For the files of this simulation.
    again
        Whether it is simulated even if the result for an equal structure is known.
    """

    simulator: Simulator
    about: CampaignSimulations
    folder: Path
    again: bool = False
    names_itself: ClassVar[bool] = True  # in its errors, which say all there is to say

    @property
    def kind(self) -> str:
        """Name of the simulator, for messages."""
        return self.simulator.name

    @property
    def units(self) -> Mapping[str, str]:
        """Units of the simulator's metrics."""
        return self.simulator.units

    def __call__(self, images: Float[Tensor, "1 c *space"]) -> dict[str, float]:
        """Metrics of the structure in the one image.

        Raises
        ------
        EvaluationError
            The result is not ``ok``; the error's ``state`` says what it is, and the message why.
        """
        structure = Microstructure(
            to_phases(images)[0].cpu().numpy(),
            self.about.voxel_size_m,
            self.about.phase_names,
            self.about.periodic,
            self.about.provenance,
        )
        result = self._result(structure)
        if result.state != "ok":
            why = f": {result.message}" if result.message else ""
            raise EvaluationError(f"{self.simulator.name} {result.state}{why}", result.state)
        return with_sems(result.metrics, result.sem or {})

    def _result(self, structure: Microstructure) -> SimulationResult:
        known = isinstance(self.simulator, SimulatorSpec) and self.simulator.reusable
        if not known or self.again:
            return simulate(self.simulator, structure, self.folder)
        cache = ResultCache(self.about.folder / "cache")
        key = simulation_id(self.simulator, structure)
        result = cache.get(key)
        if result is None:
            result = simulate(self.simulator, structure, self.folder)
            cache.put(key, result)
        return result


def simulate(simulator: Simulator, structure: Microstructure, folder: Path) -> SimulationResult:
    """Result of one simulator for one structure, also where it raises or returns something else.

    Parameters
    ----------
    simulator
        One of `SIMULATORS`, or an object of that shape.
    structure
        Structure to simulate.
    folder
        For the files of this simulation; the simulator makes it if it needs one.
    """
    try:
        result = simulator(structure, folder)
    except Exception as error:  # whatever a user's solver raises ends this simulation only
        state = getattr(error, "state", None)
        if state in STATES and state != "ok":
            return SimulationResult(state, message=one_line(error))
        text = one_line(f"{type(error).__name__}: {error}").removesuffix(":")
        return SimulationResult("crashed", message=f"raised {text}")
    # A result that a user's own code made may hold anything.
    if not isinstance(result, SimulationResult) or result.state not in STATES:
        got = one_line(repr(result), 100)
        return SimulationResult("crashed", message=f"returned {got}, not a SimulationResult")
    message = one_line(result.message)
    if result.state != "ok":
        return replace(result, metrics={}, message=message, sem=None)
    checked = SimulationResult.of_metrics(result.metrics, simulator.units, message, result.sem)
    return replace(checked, seconds=result.seconds)
