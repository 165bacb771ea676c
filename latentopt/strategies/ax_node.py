"""Any strategy as a generation node of Ax, which survives saving to JSON and to a database.

Importing this module tells Ax's storage of `StrategyNode`; do so before loading a saved experiment.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from ax.adapter.registry import Generators
from ax.exceptions.core import UnsupportedError
from ax.generation_strategy.external_generation_node import ExternalGenerationNode
from ax.generation_strategy.generation_strategy import GenerationStrategy
from ax.storage.json_store.decoder import object_from_json
from ax.storage.json_store.registry import CORE_DECODER_REGISTRY, CORE_ENCODER_REGISTRY
from ax.utils.common.serialization import SerializationMixin

from latentopt.ax.agreement import check_agreement
from latentopt.ax.history import history_of_experiment
from latentopt.errors import CampaignError, ConfigError
from latentopt.goal import Goal
from latentopt.history import History
from latentopt.settings.spec import spec_of
from latentopt.space.embedded import EMBEDDED
from latentopt.space.latent_space import LatentSpace
from latentopt.space.named import load_space
from latentopt.strategies.build import build_strategy
from latentopt.strategies.registry import STRATEGIES
from latentopt.strategies.strategy import NamedStrategy

if TYPE_CHECKING:
    from ax.adapter.base import Adapter
    from ax.core.data import Data
    from ax.core.experiment import Experiment
    from ax.core.generator_run import GeneratorRun
    from ax.core.types import TParameterization
    from ax.generation_strategy.transition_criterion import TransitionCriterion
    from pydantic import BaseModel

__all__ = ["StrategyNode", "generation_strategy"]


def generation_strategy(
    strategy: "str | Mapping[str, Any] | BaseModel",
    space: Path | str | LatentSpace,
    objective: str,
    constraints: Iterable[str] = (),
    *,
    seed: int = 0,
) -> GenerationStrategy:
    """Generation strategy of one `StrategyNode`, for ``client.set_generation_strategy(...)``.

    Arguments and errors are those of `StrategyNode`.

    Examples
    --------
    ::

        space = LatentSpace.load("space/")
        client = Client()
        client.configure_experiment(parameters=space.ax_parameters())
        client.configure_optimization(objective="k_xx - 2*k_yy")
        client.set_generation_strategy(
            generation_strategy("structure", "space/", "k_xx - 2*k_yy")
        )
        for index, parameters in client.get_next_trials(4).items():
            images = space.decode(space.from_ax(parameters)[None])
            client.complete_trial(index, {"k_xx": ..., "k_yy": ...})
        client.save_to_json_file("ax.json")
    """
    node = StrategyNode(strategy, space, objective, constraints, seed=seed)
    return GenerationStrategy(name=node.name, nodes=[node])


class StrategyNode(ExternalGenerationNode):
    """A strategy of `STRATEGIES` that proposes the trials of an Ax experiment.

    It keeps no state: what it proposes follows from the experiment's trials, as
    `history_of_experiment` reads them. An experiment that was saved, also while trials ran or after
    some failed, goes on elsewhere with the points that it would have had. Points asked together are
    those asked one after the other without results in between.

    What predicts is not the strategy's model but Ax's default one, fitted to the same trials when
    something of Ax that shows a model asks for it: ``client.compute_analyses()``,
    ``client.get_pareto_frontier()``. ``client.predict`` asks for nothing: before one of these, and
    again after new points, it raises ``UnsupportedError``. The best observed trial is what
    ``client.get_best_parameterization(use_model_predictions=False)`` returns.

    Parameters
    ----------
    strategy
        Kind, such as ``"structure"``; spec, such as ``{"kind": "structure", "initial": 20}``; or
        an object of a class in `STRATEGIES`. A strategy of your own cannot be saved by Ax.
    space
        Folder of a saved space; or ``"default"``, or the default space itself. It is read again
        where a saved experiment goes on, and has to be the same space.
    objective, constraints
        What the strategy works towards, as `Goal.parse` reads them. Ax's own optimization config
        has to say the same, which is checked when the first point is asked for.
    seed
        Fixes the strategy's random choices.
    name
        Of the node; the strategy's kind unless given.
    transition_criteria
        Ax's conditions for going on to another node of the same generation strategy.
    should_deduplicate
        Ask again, up to five times, for a point that has a trial already.
    space_id
        Given where a saved node is read: the space is then loaded, and compared with this id, when
        the first point is asked for, so that an experiment can be read without its space.

    Raises
    ------
    ConfigError
        For a strategy, objective or constraint that cannot be read.
    ModelFileError
        For a folder that holds no space.
    ValueError
        For a space in memory: save it first, and give its folder.
    """

    def __init__(
        self,
        strategy: "str | Mapping[str, Any] | BaseModel",
        space: Path | str | LatentSpace,
        objective: str,
        constraints: Iterable[str] = (),
        *,
        seed: int = 0,
        name: str | None = None,
        transition_criteria: "Sequence[TransitionCriterion] | None" = None,
        should_deduplicate: bool = True,
        space_id: str | None = None,
    ) -> None:
        self.strategy = _built_in(strategy)
        self.goal, self.seed = Goal.parse(objective, constraints), seed
        self._texts = objective, tuple(constraints)
        self._folder = _folder(space)
        self._space: LatentSpace | None = None
        if space_id is None:
            self._space = load_space(self._folder)
            space_id = self._space.id
        self.space_id = space_id
        self._history: History | None = None
        self._proposed: torch.Tensor | None = None
        self._asked = False
        self._adapter: Adapter | None = None
        super().__init__(
            name=name or self.strategy.kind,
            should_deduplicate=should_deduplicate,
            transition_criteria=transition_criteria,
        )
        # Ax would answer a repeated point with one of Sobol's in the box, far outside the data.
        self.fallback_specs = {}

    @property
    def space(self) -> LatentSpace:
        """The space of the points.

        Raises
        ------
        CampaignError
            Another space is in the folder now.
        """
        if self._space is None:
            space = load_space(self._folder)
            if space.id != self.space_id:
                raise CampaignError(
                    f"{self._folder}: holds space {space.id}, but the experiment was saved with "
                    f"space {self.space_id}; put that one back."
                )
            self._space = space
        return self._space

    def update_generator_state(self, experiment: "Experiment", data: "Data") -> None:
        """Read the experiment anew; called by Ax before it asks for points.

        Raises
        ------
        ConfigError
            The experiment's own goal is another one.
        """
        check_agreement(self.goal, experiment.optimization_config)
        self._history = history_of_experiment(
            experiment, self.space, self.goal, seed=self.seed, data=data
        )
        self._proposed = self._history.pending[:0]

    def get_next_candidate(
        self, pending_parameters: "list[TParameterization]"
    ) -> "TParameterization":
        """Parameters of the next point; those proposed since the experiment was read are pending.

        What Ax calls pending is not used: there, abandoned trials are among them.
        """
        told, proposed = self._history, self._proposed
        assert told is not None  # Ax updates the state before it asks
        assert proposed is not None
        now = replace(
            told,
            pending=torch.cat([told.pending, proposed]),
            next_index=told.next_index + len(proposed),
        )
        z = self.space.project(self.strategy.propose(now, 1).detach().double())
        self._proposed = torch.cat([proposed, z])
        (parameters,) = self.space.to_ax(z)
        return dict(parameters)

    # -- what Ax calls ----------------------------------------------------------------------------

    def gen(self, **options: Any) -> "GeneratorRun | None":
        """Generator run of the next points."""
        self._asked, self._adapter = True, None  # a model would not know what comes now
        try:
            return super().gen(**options)
        finally:
            self._asked = False

    def _fit(self, experiment: "Experiment", data: "Data | None" = None, **options: Any) -> None:
        if self._asked:
            super()._fit(experiment, data, **options)
        else:  # by an analysis, which wants a model to show
            self._adapter = Generators.BOTORCH_MODULAR(experiment=experiment, data=data)

    @property
    def _fitted_adapter(  # ty: ignore[incompatible-property-override]  Ax's external node shows none
        self,
    ) -> "Adapter | None":
        return self._adapter

    def _gen(self, *args: Any, **options: Any) -> "GeneratorRun":
        if options.get("fixed_features") is not None:
            raise UnsupportedError(
                f"strategy {self.strategy.kind} takes no fixed parameters; ask for trials "
                "without them."
            )
        return super()._gen(*args, **options)

    # -- saving -----------------------------------------------------------------------------------

    @classmethod
    def serialize_init_args(cls, obj: SerializationMixin) -> dict[str, Any]:
        """Arguments that make this node again, for Ax's storage."""
        assert isinstance(obj, StrategyNode)
        objective, constraints = obj._texts
        return {
            "strategy": spec_of(obj.strategy),
            "space": obj._folder,
            "objective": objective,
            "constraints": list(constraints),
            "seed": obj.seed,
            "name": obj.name,
            "transition_criteria": list(obj.transition_criteria),
            "should_deduplicate": obj.should_deduplicate,
            "space_id": obj.space_id,
        }

    @classmethod
    def deserialize_init_args(
        cls,
        args: dict[str, Any],
        decoder_registry: Any = None,
        class_decoder_registry: Any = None,
    ) -> dict[str, Any]:
        """The arguments, of what Ax's storage kept of them."""
        registries = {
            "decoder_registry": decoder_registry,
            "class_decoder_registry": class_decoder_registry,
        }
        given = {name: registry for name, registry in registries.items() if registry is not None}
        return {key: object_from_json(value, **given) for key, value in args.items()}


def _node_to_json(node: StrategyNode) -> dict[str, Any]:
    return {"__type": StrategyNode.__name__, **StrategyNode.serialize_init_args(node)}


CORE_ENCODER_REGISTRY[StrategyNode] = _node_to_json
CORE_DECODER_REGISTRY[StrategyNode.__name__] = StrategyNode


def _built_in(strategy: "str | Mapping[str, Any] | BaseModel") -> NamedStrategy:
    built = build_strategy(strategy)
    if type(built) not in STRATEGIES.values() or not isinstance(built, NamedStrategy):
        raise ConfigError(
            f"strategy: {type(built).__name__} is your own, which Ax cannot save; "
            f"give one of {', '.join(STRATEGIES)}."
        )
    return built


def _folder(space: Path | str | LatentSpace) -> str:
    if isinstance(space, LatentSpace):
        if space.id == LatentSpace.default().id:
            return "default"
        raise ValueError(
            "space should be a folder, which Ax can save, got a LatentSpace in memory; write it "
            "with space.save(folder) and give the folder."
        )
    return str(space) if space in EMBEDDED else str(Path(space).absolute())
