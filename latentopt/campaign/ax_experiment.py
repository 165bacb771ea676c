"""A campaign as an Ax experiment: the same trials in an Ax client, for its analyses and storage."""

from collections.abc import Iterable

from ax.api.client import Client

from generative.errors import ModelFileError
from latentopt.ax.goal import AxGoal
from latentopt.ax.history import EXACT, EXACT_SEM
from latentopt.ax.quiet import quiet_ax
from latentopt.runs.run import Trial
from latentopt.settings.campaign import CampaignConfig
from latentopt.settings.kinds import GIVEN_IN_PYTHON
from latentopt.space.latent_space import LatentSpace
from latentopt.space.named import load_space
from latentopt.strategies.ax_node import generation_strategy
from latentopt.strategies.fallback import never_compile
from latentopt.strategies.registry import STRATEGIES


class AxExperiment:
    """An Ax client that is told what happens in a campaign.

    Trials have the campaign's indices there, because both count from 0 in one order, until Ax is
    asked for points of its own, which stay out of the campaign. Metrics and goal are there as
    `AxGoal` tells of them.

    Asked for points, Ax gives those of the campaign's strategy, by a `StrategyNode`. Where Ax could
    not save that, for a strategy of the user's own or a space that is in no folder, it gives those
    of its own default.

    Parameters
    ----------
    config
        Name, goal and strategy of the experiment.
    space
        Its parameters are those of `LatentSpace.ax_parameters`.
    trials
        Recorded at once, in their order.
    """

    def __init__(
        self, config: CampaignConfig, space: LatentSpace, trials: Iterable[Trial] = ()
    ) -> None:
        never_compile()  # the client is the user's, who may ask Ax's default for points
        self.space, self._goal = space, AxGoal(config.goal)
        with quiet_ax():
            self.client = Client(random_seed=config.seed)
            self.client.configure_experiment(parameters=space.ax_parameters(), name=config.name)
            self.client.configure_optimization(self._goal.objective, self._goal.constraints)
            folder = _folder_of(space, config.space)
            if folder is not None and config.strategy["kind"] in STRATEGIES:
                self.client.set_generation_strategy(
                    generation_strategy(
                        config.strategy,
                        folder,
                        config.objective,
                        config.constraints,
                        seed=config.seed,
                    )
                )
            else:
                # Ax's analyses and Pareto front ask for one; ours are points enough to begin with.
                self.client.configure_generation_strategy(
                    initialization_budget=0, initialize_with_center=False
                )
        self._in_ax: dict[int, int] = {}  # our index to Ax's
        for trial in trials:
            self.record(trial)

    def record(self, trial: Trial) -> None:
        """Bring one trial of the client up to date; trials must first come in order.

        A trial that a surrogate screened out is one that was stopped early, with what it gave; one
        that was lost, for no fault of its point, is stale: Ax may propose it again.
        """
        with quiet_ax():
            if trial.index not in self._in_ax:
                (parameters,) = self.space.to_ax(trial.point[None])
                # Without a name: Ax takes equal points for one arm, which cannot have two.
                self._in_ax[trial.index] = self.client.attach_trial(parameters)
            index = self._in_ax[trial.index]
            if trial.status == "completed":
                self.client.complete_trial(index, raw_data=self._told(trial))
            elif trial.status == "screened":
                self.client.attach_data(index, raw_data=self._told(trial))
                self.client.mark_trial_early_stopped(index)
            elif trial.status == "failed" and trial.state == "lost":
                self.client._experiment.trials[index].mark_stale(unsafe=True)
            elif trial.status == "failed":
                self.client.mark_trial_failed(index, failed_reason=trial.reason)

    def _told(self, trial: Trial) -> dict[str, float | tuple[float, float]]:
        metrics = self._goal.metrics(trial.metrics)
        sems = self._goal.sems(trial.metrics, trial.sem)
        experiment = self.client._experiment
        properties = experiment.trials[self._in_ax[trial.index]]._properties
        properties[EXACT] = dict(trial.metrics)
        if trial.sem:
            properties[EXACT_SEM] = dict(trial.sem)
        known = experiment.metrics
        self.client.configure_tracking_metrics([name for name in metrics if name not in known])
        return {n: (value, sems[n]) if n in sems else value for n, value in metrics.items()}


def _folder_of(space: LatentSpace, name: str) -> str | None:
    """The name of the space in the config if this space can be read from there again."""
    try:
        saved = load_space("default" if name == GIVEN_IN_PYTHON else name)
    except ModelFileError:
        return None
    if saved.id != space.id:
        return None
    return "default" if name == GIVEN_IN_PYTHON else name
