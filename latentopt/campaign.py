"""A campaign: points proposed, decoded, evaluated and written down, so that nothing is lost."""

import logging
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from latentopt.campaign_progress import progress_bar, sigterm_interrupts
from latentopt.candidate_files import candidate_path, write_candidate
from latentopt.config import CampaignConfig, load_config
from latentopt.errors import CampaignError, EvaluationError
from latentopt.evaluation import Evaluation, as_numbers, problem_of
from latentopt.history import History
from latentopt.journal import Journal
from latentopt.journal_header import changed_settings, new_header
from latentopt.parts import (
    BUILT_IN_UNITS,
    GIVEN_IN_PYTHON,
    build_strategy,
    check_goal,
    fit_structure,
    load_space,
    resolve_objectives,
    spec_of,
)
from latentopt.run import Run, Trial, apply_event
from latentopt.space import LatentSpace

if TYPE_CHECKING:
    from ax.api.client import Client

_log = logging.getLogger(__name__)


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
    strategy
        An object with ``propose(history, q)``, in place of the config's spec.
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
        The folder holds a campaign with another space or goal, or cannot be written.
    CampaignLockedError
        Another process runs the campaign of this folder.
    JournalError
        The folder's journal is damaged.

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
        strategy: Any = None,
        folder: Path | str | None = None,
        **settings: Any,
    ) -> None:
        if config is not None and settings:
            raise TypeError(
                f"give a config or its fields, not both: got {', '.join(settings)} as well."
            )
        fields = settings if config is None else config.model_dump()
        if isinstance(space, Path | str):
            fields["space"] = space if space == "default" else str(Path(space).absolute())
        elif space is not None and config is None:
            fields["space"] = GIVEN_IN_PYTHON
        if folder is not None:
            fields["folder"] = str(folder)
        self.strategy = build_strategy(strategy or fields.get("strategy", "gp_typical"))
        fields["strategy"] = spec_of(self.strategy)
        objectives = fields.get("evaluate", ()) if objectives is None else objectives
        self.objectives, fields["evaluate"] = resolve_objectives(objectives)
        self.config = CampaignConfig.checked(fields)
        self._folder = self.config.path.absolute()  # an objective may change the working folder
        check_goal(self.config.goal, self.objectives, self.strategy)
        self.space = space if isinstance(space, LatentSpace) else load_space(self.config.space)
        self.config = fit_structure(self.config, self.space)
        self._evaluation = Evaluation(self.space, self.objectives, self.config.score)
        self._space_id = self.space.id
        self._events: list[dict[str, Any]] = []
        self._trials: dict[int, Trial] = {}
        self._experiment: Any = None
        self._journal: Journal | None = None
        self._open()

    @classmethod
    def from_yaml(cls, path: Path | str, **overrides: Any) -> "Campaign":
        """Campaign of a YAML file; keyword arguments replace its fields."""
        return cls(load_config(path, overrides))

    @classmethod
    def resume(
        cls,
        folder: Path | str,
        *,
        space: LatentSpace | Path | str | None = None,
        objectives: Any = None,
        strategy: Any = None,
    ) -> "Campaign":
        """Campaign of a folder that holds one; give again what was given in Python."""
        config = Run.read(folder).config
        return cls(config, space=space, objectives=objectives, strategy=strategy, folder=folder)

    # -- ask and tell -----------------------------------------------------------------------------

    def ask(self, q: int | None = None) -> list[Trial]:
        """Propose the next `q` points, by default a batch, and write them down.

        Each is decoded, and its structure kept in ``candidates/``, before this returns. Evaluate
        them as you like and `tell` or `fail` each by its index; until then they are pending.
        """
        q = self.config.batch if q is None else q
        if q < 1:
            raise ValueError(f"q should be at least 1 point, got {q}.")
        self._open()
        name = getattr(self.strategy, "kind", type(self.strategy).__name__)
        z = self.space.project(self.strategy.propose(self.history(), q).detach().double())
        if z.shape != (q, self.space.latent_dim):
            raise CampaignError(
                f"strategy {name} should propose shape ({q}, {self.space.latent_dim}), "
                f"got {tuple(z.shape)}."
            )
        first = len(self._trials)
        points = [{"index": first + i, "z": row} for i, row in enumerate(z.tolist())]
        self._record({"kind": "ask", "strategy": name, "trials": points})
        trials = [self._trials[point["index"]] for point in points]
        for trial in trials:
            self._keep_structure(trial)
        return trials

    def tell(
        self, index: int, metrics: Mapping[str, float], *, seconds: float | None = None
    ) -> Trial:
        """Complete a pending trial with its metrics; a value that is not finite marks it failed.

        Raises
        ------
        ValueError
            The trial is not pending; or a metric is not a number, or one that the goal needs is
            missing: the trial stays pending.
        """
        trial = self._pending(index)
        try:
            metrics = as_numbers(metrics)
        except EvaluationError as error:
            raise ValueError(f"trial {index}: {error}.") from None
        found = {**self._evaluation.latent_metrics(trial.z), **metrics}
        missing = [name for name in self.config.goal.metrics if name not in found]
        if missing:
            raise ValueError(
                f"trial {index} needs {', '.join(missing)} for its goal, got "
                f"{', '.join(metrics) or 'no metrics'}."
            )
        if not candidate_path(self._folder, index).exists():  # killed before it was kept
            self._keep_structure(trial)
        problem = problem_of(found, self.config.goal.metrics)
        if problem:
            return self.fail(index, problem, seconds=seconds)
        return self._end(trial, {"kind": "tell", "metrics": found, "seconds": seconds})

    def fail(self, index: int, reason: str, *, seconds: float | None = None) -> Trial:
        """Mark a pending trial failed; the campaign goes on and its strategy avoids the point."""
        trial = self._pending(index)
        return self._end(trial, {"kind": "fail", "reason": reason, "seconds": seconds})

    def history(self) -> History:
        """What the strategy will be told next."""
        by_status: dict[str, list[Trial]] = {"completed": [], "pending": [], "failed": []}
        for index in sorted(self._trials):
            by_status[self._trials[index].status].append(self._trials[index])
        completed = by_status["completed"]
        shared = set.intersection(*(set(t.metrics) for t in completed)) if completed else set()
        metrics = {
            name: torch.tensor([t.metrics[name] for t in completed], dtype=torch.float64)
            for name in sorted(shared)
        }
        return History(
            self.space,
            self.config.goal,
            seed=self.config.seed,
            z=self._points(completed),
            metrics=metrics,
            pending=self._points(by_status["pending"]),
            failed=self._points(by_status["failed"]),
            next_index=len(self._trials),
        )

    # -- run --------------------------------------------------------------------------------------

    def run(self, n: int | None = None, *, progress: bool = True) -> Run:
        """Evaluate until the budget of `trials` is spent.

        Trials that were pending, since an earlier run was stopped, are evaluated first. An
        objective that raises, or returns NaN, fails its own trial only. On Ctrl-C or SIGTERM the
        trial under way stays pending, and ``KeyboardInterrupt`` is raised.

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
        left = self.config.trials if n is None else n
        try:
            with sigterm_interrupts(), progress_bar(progress, lambda: self.result) as show:
                show()
                while left > 0 and (batch := self._next_batch()):
                    for trial in batch[:left]:
                        self._evaluate(trial)
                        show()
                    left -= len(batch)
        finally:
            self.close()
        return self.result

    @property
    def result(self) -> Run:
        """The campaign so far, as `Run.read` of its folder would give it."""
        return Run.of_events(self.config.path, self._events)

    def best(self, k: int = 1) -> list[Trial]:
        """Up to `k` completed trials that meet every constraint, best first."""
        return self.result.best(k)

    @property
    def client(self) -> "Client":
        """Live Ax client with every trial of the campaign; made when it is first asked for.

        Use it for Ax's analyses and storage. Points are proposed by `ask`: those that Ax proposes,
        when it is asked for some (after which it also predicts), stay out of the campaign.
        """
        if self._experiment is None:
            from latentopt.ax_experiment import AxExperiment  # imports for five seconds

            experiment = AxExperiment(self.config, self.space)
            for index in sorted(self._trials):
                experiment.record(self._trials[index])
            self._experiment = experiment
        return self._experiment.client

    def close(self) -> None:
        """Release the folder; the next `ask`, `tell` or `run` takes it again."""
        if self._journal is not None:
            self._journal.close()
            self._journal = None

    def __enter__(self) -> "Campaign":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    # -- within -----------------------------------------------------------------------------------

    def _open(self) -> None:
        """Take the folder, check that its campaign is this one, and replay it."""
        if self._journal is not None:
            return
        folder = self._folder
        journal = Journal(folder)
        try:
            if journal.repaired_bytes:
                _log.warning(
                    "%s: the journal's last line was torn; its %d bytes are in journal.torn.",
                    folder,
                    journal.repaired_bytes,
                )
            if not journal.events:
                units = dict(BUILT_IN_UNITS)
                for objective in self.objectives:
                    units |= objective.units
                journal.append(new_header(self.config, self._space_id, units))
            elif changed := changed_settings(journal.events, self.config, self._space_id, folder):
                journal.append({"kind": "settings", "config": changed})
        except BaseException:
            journal.close()
            raise
        self._journal = journal
        if journal.events != self._events:
            self._experiment = None
        self._events, self._trials = journal.events, {}
        for event in journal.events:
            apply_event(self._trials, event)

    def _record(self, event: dict[str, Any]) -> None:
        try:
            self._journal.append(event)
            for index in apply_event(self._trials, event):
                if self._experiment is not None:
                    self._experiment.record(self._trials[index])
        except CampaignError:  # nothing was written
            raise
        except BaseException:
            # Ctrl-C between file and memory: the file is right, and is replayed when next opened.
            self.close()
            self._experiment = None
            raise

    def _pending(self, index: int) -> Trial:
        self._open()
        if index not in self._trials:
            raise ValueError(f"there is no trial {index}; ask for points first.")
        if self._trials[index].status != "pending":
            raise ValueError(f"trial {index} is {self._trials[index].status} already.")
        return self._trials[index]

    def _end(self, trial: Trial, event: dict[str, Any]) -> Trial:
        try:
            self._record({**event, "trial": trial.index})
        except CampaignError as error:
            ended = ", ".join(
                f"{key} {event[key]}" for key in ("metrics", "reason") if key in event
            )
            raise type(error)(f"{error} Not saved: trial {trial.index}, {ended}.") from None
        return self._trials[trial.index]

    def _next_batch(self) -> list[Trial]:
        """Pending trials if there are any, else new ones, else none."""
        self._open()
        pending = [t for _, t in sorted(self._trials.items()) if t.status == "pending"]
        left = self.config.trials - len(self._trials)
        return pending or (self.ask(min(self.config.batch, left)) if left > 0 else [])

    def _evaluate(self, trial: Trial) -> None:
        if not candidate_path(self._folder, trial.index).exists():
            self._keep_structure(trial)
        start = time.perf_counter()
        try:
            metrics = self._evaluation.metrics(trial.z)
            problem = problem_of(metrics, self.config.goal.metrics)
        except EvaluationError as error:
            problem = str(error)
        seconds = round(time.perf_counter() - start, 4)
        if problem:
            self.fail(trial.index, problem, seconds=seconds)
        else:
            self.tell(trial.index, metrics, seconds=seconds)

    def _keep_structure(self, trial: Trial) -> None:
        with suppress(EvaluationError):  # a structure that is none fails when it is evaluated
            phases = self._evaluation.phases(trial.z)
            write_candidate(self._folder, trial.index, phases, trial.z)

    def _points(self, trials: list[Trial]) -> Tensor:
        rows = [trial.z.tolist() for trial in trials]
        return torch.tensor(rows, dtype=torch.float64).reshape(-1, self.space.latent_dim)
