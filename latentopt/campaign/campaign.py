"""A campaign: points proposed, decoded, evaluated and written down, so that nothing is lost."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from latentopt.campaign.asking import asked_event, repeated_event
from latentopt.campaign.imports import Imported, plan_import, write_down
from latentopt.campaign.kept_structures import Phases, keep_structure
from latentopt.campaign.ledger import Ledger, names_unsaved
from latentopt.campaign.load import load_config
from latentopt.campaign.loop import run_loop
from latentopt.campaign.parts import CampaignParts
from latentopt.campaign.repeats import incumbents
from latentopt.campaign.retraining import check_retraining, is_due, present_space, retrain
from latentopt.campaign.start_points import start_points
from latentopt.campaign.stop_rule import StopRule
from latentopt.campaign.trial_history import history_of_trials
from latentopt.engines.process_worker import end_if_a_worker_starts
from latentopt.errors import CampaignError
from latentopt.evaluation.scoring import problem_of
from latentopt.history import History
from latentopt.measurement import journaled
from latentopt.runs.candidates import settle_waiting
from latentopt.runs.run import FailedState, Run, Trial
from latentopt.runs.true_values import noisy_metrics
from latentopt.settings.campaign import CampaignConfig
from latentopt.settings.credentials import kept_reason
from latentopt.space.latent_space import LatentSpace
from latentopt.space.named import load_space

if TYPE_CHECKING:
    from ax.api.client import Client


class Campaign:
    """A search for structures in a latent space, kept in a folder.

    The journal in the folder is written before and after each evaluation. A campaign that was
    stopped or killed, at whatever moment, goes on when it is made again with the same folder, and
    proposes what it would have proposed undisturbed.

    Parameters
    ----------
    config
        All settings; or leave it out and give the fields of `CampaignConfig` by name.
    space
        Latent space, or its folder; the one that the config names unless given.
    objectives
        What evaluates images, in place of the config's specs: objects of `objectives`, plain
        functions of images that return values by name, or specs.
    simulators
        What evaluates structures after them, in place of the config's specs: objects of
        `latentopt.simulators`, functions of a `Microstructure`, or specs.
    strategy
        An object with ``propose(history, q)``, in place of the config's spec.
    engine
        Where evaluations run, in place of the config's spec: a kind such as ``serial``, a spec, or
        a ready ``concurrent.futures.Executor``.
    folder
        In place of the config's.
    settings
        Fields of `CampaignConfig`, such as ``objective``, ``constraints``, ``evaluate``,
        ``trials``, ``batch`` and ``seed``.

    Raises
    ------
    ConfigError
        Settings that are wrong or do not fit together: one line a problem.
    CampaignError
        The folder holds a campaign with another space or goal, or cannot be written; another
        process runs it (`CampaignLockedError`); or its journal is damaged (`JournalError`).

    Examples
    --------
    ::

        campaign = Campaign(
            space=LatentSpace.default(),
            objective="k_xx - 2*k_yy",
            constraints=["volume_fraction <= 0.5"],
            evaluate=[EffectiveConductivity(), VolumeFraction()],
            folder="runs/light",
        )
        best = campaign.run().best(3)
    """

    def __init__(
        self,
        config: CampaignConfig | None = None,
        *,
        space: LatentSpace | Path | str | None = None,
        objectives: Any = None,
        simulators: Any = None,
        strategy: Any = None,
        engine: Any = None,
        folder: Path | str | None = None,
        **settings: Any,
    ) -> None:
        end_if_a_worker_starts()
        given = {
            "space": space,
            "objectives": objectives,
            "simulators": simulators,
            "strategy": strategy,
            "engine": engine,
            "folder": folder,
        }
        parts = CampaignParts.of(config, settings, given)
        self.space = space if isinstance(space, LatentSpace) else load_space(parts.config.space)
        self.parts = parts = parts.fitted(self.space)
        self.config, self.strategy, self.engine = parts.config, parts.strategy, parts.engine
        self.objectives, self.simulators = parts.objectives, parts.simulators
        self.screen = parts.screen
        self._folder = self.config.path.absolute()  # an objective may change the working folder
        self._stop_rule = StopRule(self.config.stop_gain, self.strategy)
        check_retraining(self.config, self.space)
        self._start = start_points(self.config, self.space)
        self._ledger = Ledger(self._folder, self.config, self.space.id, parts.units, parts.boundary)
        self._use_space(self.space)
        self._open()

    @classmethod
    def from_yaml(cls, path: Path | str, **overrides: Any) -> "Campaign":
        """Campaign of a YAML file; keyword arguments replace its fields. Errors as of the class."""
        return cls(load_config(path, overrides))

    @classmethod
    def resume(
        cls,
        folder: Path | str,
        *,
        space: LatentSpace | Path | str | None = None,
        objectives: Any = None,
        simulators: Any = None,
        strategy: Any = None,
        engine: Any = None,
    ) -> "Campaign":
        """Campaign of a folder that holds one; give again what was given in Python.

        Errors are those of the class; a `CampaignError` also says that there is no campaign.
        """
        return cls(
            Run.read(folder).config,
            space=space,
            objectives=objectives,
            simulators=simulators,
            strategy=strategy,
            engine=engine,
            folder=folder,
        )

    # -- ask and tell -----------------------------------------------------------------------------

    def ask(self, q: int | None = None) -> list[Trial]:
        """Propose the next `q` points to evaluate, by default a batch, and write them down.

        Each is decoded, and its structure kept in ``candidates/``, before this returns. Evaluate
        them as you like and `tell` or `fail` each by its index; until then they are pending. Where
        the config's `stop_gain` says that none is worth an evaluation, none is returned. Points
        that its `screen` rules out are written down too, and others proposed in their place; so are
        points that decode to a structure which was asked for before: they take over its result.
        With `repeats`, the last of the budget ask for the best structures once more.

        Raises
        ------
        ExhaustedError
            Only structures that are known were found, of the strategy and of draws.
        """
        q = self.config.batch if q is None else q
        if q < 1:
            raise ValueError(f"q should be at least 1 point, got {q}.")
        self._open(in_place=True)
        if self._stop_rule.rests(self._ledger.events) and not self.budget_left:
            return []
        if self.retraining_due and not self.pending():
            seed = self.history().seed_of(len(self._ledger.trials))
            space, event = retrain(self.result, self.evaluation, seed, self._folder)
            self._record(event)
            self._use_space(space)
        while True:
            event, structures = asked_event(
                self.parts, self.evaluation, self._ledger, self._stop_rule, q, start=self._start
            )
            trials = self._asked(event, structures)
            if trials or event is None or event["kind"] == "stop":
                return trials

    def repeat(self, index: int | None = None) -> Trial:
        """Ask for the structure of a completed trial once more, by default of one of the best.

        For objectives that are noisy: all results of a structure are combined. It is one of the
        `trials` of the budget; `tell` or `fail` it by its own index, or `run`.

        Raises
        ------
        CampaignError
            There is no such trial, it was not completed, or it was imported.
        """
        self._open(in_place=True)
        chosen = incumbents(self.result, 1) if index is None else [index]
        if not chosen:
            raise CampaignError("no trial meets the constraints yet; give the index of one.")
        return self._asked(*repeated_event(self._ledger, chosen))[0]

    @names_unsaved("metrics")
    def tell(
        self, index: int, metrics: Mapping[str, Any], *, seconds: float | None = None
    ) -> Trial:
        """Complete a pending trial with its metrics; a value that is not finite marks it failed.

        A metric that is noisy may come as a tuple ``(value, standard error)``.

        Raises
        ------
        ValueError
            The trial is not pending; or a metric is not a number, a standard error is negative or
            not finite, or a metric that the goal needs is missing: the trial stays pending.
        """
        trial = self._pending(index)
        found = self.evaluation.told(trial, metrics, self.config.goal.metrics)
        self.keep_structure(trial)  # unless it was before a kill
        problem = problem_of(found, self.config.goal.metrics)
        if problem:
            return self.fail(index, problem, state="invalid", seconds=seconds)
        return self._end(trial, {"kind": "tell", **journaled(found), "seconds": seconds})

    @names_unsaved("reason")
    def fail(
        self,
        index: int,
        reason: str,
        *,
        state: FailedState = "crashed",
        seconds: float | None = None,
    ) -> Trial:
        """Mark a pending trial failed; the campaign goes on.

        Its strategy avoids the point, unless its evaluation was ``lost``: then the point is not to
        blame. A ``ValueError`` refuses a trial that is not pending, and another state.
        """
        trial = self._pending(index)
        if state not in get_args(FailedState):
            raise ValueError(f"state should be one of {get_args(FailedState)}, got {state!r}.")
        event = {"kind": "fail", "reason": kept_reason(reason), "state": state, "seconds": seconds}
        return self._end(trial, event)

    def retry_failed(self) -> list[Trial]:
        """Make every trial that failed pending again, at no charge; those that it changed.

        What their structures are stays as it was: for after an objective or a machine was mended.
        """
        self._open()
        failed = [trial.index for trial in self._ledger.of_status("failed")]
        self._experiment = None  # Ax cannot take back the end of a trial
        return self._record({"kind": "retry", "trials": failed}) if failed else []

    def import_data(self, images: Any, metrics: Mapping[str, Any], **options: Any) -> Imported:
        """Add structures measured before as completed trials, which do not count as `trials`.

        Each gets the point that decodes to it most nearly; its candidate is the structure itself.
        Arguments, options and errors are those of `latentopt.campaign.imports.plan_import`; where
        it refuses, nothing is imported. The same data can be imported again: known structures are
        left out, and named in the answer.
        """
        self._open(in_place=True)
        plan = plan_import(self.result, self.evaluation, images, metrics, **options)
        write_down(plan, self._folder, self._ledger.trials, self.space.id, self._record)
        return plan.imported

    def pending(self) -> list[Trial]:
        """Trials that are to be evaluated and have no end yet, by index."""
        self._open()
        return [trial for trial in self._ledger.of_status("pending") if not trial.copied]

    @property
    def budget_left(self) -> int:
        """How many more points may be asked for; after an early end, those of `repeats` only."""
        return self.result.budget_left

    @property
    def retraining_due(self) -> bool:
        """Whether the model is retrained before another point is proposed."""
        return is_due(self.config, self._ledger.events, self._start, lambda: self.result)

    def keep_structure(self, trial: Trial, decoded: Phases | None = None) -> Phases | None:
        """The structure of a pending trial, in ``candidates/`` by now; None if it has none."""
        with self._ledger.in_place():
            read = self._ledger.run
            return keep_structure(self.evaluation, read, trial, self._folder, self._record, decoded)

    def history(self) -> History:
        """What the strategy will be told next."""
        trials = self._ledger.in_order
        return history_of_trials(trials, self.config, self.space, noisy_metrics(trials))

    # -- run --------------------------------------------------------------------------------------

    def run(self, n: int | None = None, *, progress: bool = True) -> Run:
        """Evaluate until the budget of `trials` is spent.

        Trials that were pending, since an earlier run was stopped, are evaluated first. An
        objective that raises, hangs, returns NaN or kills its worker fails its own trial only.

        On Ctrl-C what is under way stays pending, and ``KeyboardInterrupt`` is raised. On SIGTERM
        or SIGUSR1 nothing more is begun; what ends within the engine's ``drain_s`` is written
        down, the rest stays pending, and the run returns.

        Parameters
        ----------
        n
            Stop after this many evaluations.
        progress
            Show a bar with the best value so far.

        Returns
        -------
        All trials of the campaign. The folder is released: another process may go on with it.
        """
        try:
            run_loop(self, self.config.trials if n is None else n, progress=progress)
        finally:
            self.close()
        return self.result

    @property
    def result(self) -> Run:
        """The campaign so far, as `Run.read` of its folder would give it."""
        return self._ledger.run()

    def best(self, k: int = 1) -> list[Trial]:
        """Up to `k` completed trials that meet every constraint, best first."""
        return self.result.best(k)

    @property
    def client(self) -> "Client":
        """Live Ax client with every trial of the campaign; made when it is first asked for.

        Use it for Ax's analyses and storage. Asked for points, it gives those of the campaign's
        strategy (Ax's own, where Ax could not save that); they stay out of the campaign.
        """
        if self._experiment is None:
            from latentopt.campaign.ax_experiment import AxExperiment  # imports for five seconds

            self._experiment = AxExperiment(self.config, self.space, self._ledger.in_order)
        return self._experiment.client

    def close(self) -> None:
        """Release the folder; the next `ask`, `tell` or `run` takes it again."""
        self._ledger.close()

    def __enter__(self) -> "Campaign":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _open(self, *, in_place: bool = False) -> None:
        changed = self._ledger.open()
        if in_place:  # before anything costly, or of a retraining, is done for nothing
            self._ledger.check_in_place()
        if changed:
            settle_waiting(self._folder, self._ledger.trials.values())  # of an import, killed
            self._use_space(present_space(self._ledger.events, self._folder, self.space))

    def _use_space(self, space: LatentSpace) -> None:
        self.space, self._experiment = space, None
        self.evaluation = self.parts.evaluation(space, self._folder)

    def _record(self, event: dict[str, Any]) -> list[Trial]:
        try:
            changed = self._ledger.record(event)
            if self._experiment is not None:
                for trial in changed:
                    self._experiment.record(trial)
        except CampaignError:  # nothing was written
            raise
        except BaseException:
            # Ctrl-C between file and memory: the file is right, and is replayed when next opened.
            self.close()
            self._experiment = None
            raise
        return changed

    def _asked(self, event: Mapping[str, Any] | None, structures: Mapping[int, Any]) -> list[Trial]:
        """Write an ask and its structures down; the trials that are to be evaluated."""
        trials = [] if event is None else self._record({"space_id": self.space.id, **event})
        for trial in trials:
            if trial.index in structures:
                self.keep_structure(trial, structures[trial.index])
        return [trial for trial in trials if trial.status == "pending" and not trial.copied]

    def _pending(self, index: int) -> Trial:
        self._open()
        return self._ledger.pending(index)

    def _end(self, trial: Trial, event: dict[str, Any]) -> Trial:
        ended, *_ = self._record({**event, "trial": trial.index})  # and those that take it over
        return ended
