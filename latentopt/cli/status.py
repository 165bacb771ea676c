"""The command ``latentopt status``: a campaign as a table, a stream of lines or JSON."""

import json as encoder
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table

from latentopt.cli.options.campaigns import StatusOptions
from latentopt.durations import duration
from latentopt.printing import escape_markup as escape
from latentopt.printing import print
from latentopt.runs.baseline import baseline_of
from latentopt.runs.pareto import along
from latentopt.runs.quantities import objective_texts
from latentopt.runs.run import Run
from latentopt.runs.shortfall import none_best, shortfall_lines
from latentopt.runs.status import Status, engine_of, read_status
from latentopt.runs.trial import Trial
from latentopt.runs.verdict import found_briefly
from latentopt.settings.kinds import GIVEN_IN_PYTHON

__all__ = ["print_status", "status"]

_QUEUED = 5  # how many are named
_FRONT = 10  # trials of a front that are listed, from one end to the other
_SILENT = 1.0  # seconds without a trial under way before it is said what takes so long


def status(options: StatusOptions) -> None:
    """Print the status of a campaign, once or as it changes."""
    if options.watch:
        _watch(options.run, options.every, options.json)
    elif options.json:
        print(encoder.dumps(read_status(options.run).as_data(), indent=2))
    else:
        print_status(options.run)


def print_status(folder: Path) -> None:
    """Print the table."""
    _console().print(_page(read_status(folder)), soft_wrap=True)


def _watch(folder: Path, every: float, json: bool) -> None:
    """Show the status again and again until nothing is left to do, or until Ctrl-C."""
    console = _console()
    with suppress(KeyboardInterrupt):
        if console.is_terminal and not json:
            _refresh(console, folder, every)
        else:
            _print_changes(folder, every, json)


def _refresh(console: Console, folder: Path, every: float) -> None:
    with Live(console=console, auto_refresh=False) as view:
        while True:
            state = read_status(folder)
            view.update(_page(state), refresh=True)
            if _is_over(state):
                return
            time.sleep(every)


def _print_changes(folder: Path, every: float, json: bool) -> None:
    last = None
    while True:
        state = read_status(folder)
        if (line := _line(state, json)) != last:
            stamp = "" if json else f"{datetime.now():%H:%M:%S}  "
            print(f"{stamp}{line}", flush=True)
        if _is_over(state):
            return
        last = line
        time.sleep(every)


def _is_over(state: Status) -> bool:
    return state.driver is None and state.left == 0


def _console() -> Console:
    # A file or pipe has no width: rich would break lines at 80 characters.
    return Console(highlight=False, width=None if sys.stdout.isatty() else 200)


# -- text -----------------------------------------------------------------------------------------


def _line(state: Status, json: bool) -> str:
    if json:
        return encoder.dumps(state.as_data())
    return f"{_counts(state)}; {found_briefly(state.run)}"


def _counts(state: Status) -> str:
    counts = state.counts
    states = ", ".join(f"{name} {n}" for name, n in state.failed_by_state.items())
    parts = [
        f"{counts['completed']} of {state.run.config.trials} trials completed",
        f"{counts['failed']} failed" + (f" ({states})" if states else ""),
        f"{counts['pending']} under way",
    ]
    if counts["screened"]:
        parts.insert(2, f"{counts['screened']} screened out")
    if counts["copied"]:
        parts.append(f"{counts['copied']} more had a known structure, at no charge")
    if counts["imported"]:
        parts.append(f"{counts['imported']} imported")
    return ", ".join(parts)


def _what_goes_on(run: Run) -> str:
    """What goes on with a campaign: the command, unless parts of it were given in Python."""
    config = run.config
    specs = (config.strategy, config.engine, *config.evaluate)
    in_python = config.space == GIVEN_IN_PYTHON or any(one["kind"] == "python" for one in specs)
    return "the Python script that began it" if in_python else "latentopt optimize"


def _pace(state: Status) -> str:
    if state.driver is None:
        how = _what_goes_on(state.run)
        if state.run.final_gain is not None and not state.left:
            return f"no process runs it; {how} goes on with a lower stop_gain"
        left = "1 evaluation" if state.left == 1 else f"{state.left} evaluations"
        goes_on = f"; {how} goes on, {left} left" if state.left else ""
        return f"no process runs it{goes_on}"
    parts = [
        f"{state.driver} runs it, for {duration(state.driver_seconds)}; {engine_of(state.run)}"
    ]
    if (choosing := state.pace.choosing) is not None and choosing >= _SILENT:
        parts.append(f"choosing the next points for {duration(choosing)}")
    if (pace := state.evaluations_per_hour) is not None:
        left = state.seconds_left
        about = "" if left is None else f", about {duration(left)} left"
        parts.append(f"{pace:.3g} evaluations an hour lately{about}")
    return "; ".join(parts)


# -- tables ---------------------------------------------------------------------------------------


def _page(state: Status) -> Group:
    run = state.run
    constraints = ", ".join(run.config.constraints)
    goal = run.config.objective + (f"  subject to {constraints}" if constraints else "")
    parts: list = [
        f"[bold]{escape(str(run.folder))}[/]: maximize {escape(goal)}",
        escape(state.verdict.text),
        escape(_counts(state)),
        escape(_pace(state)),
        _best(state) if len(run.config.goal.objectives) == 1 else _front(run),
    ]
    parts += filter(None, (_running(state), _failures(state)))
    return Group(*parts)


def _best(state: Status) -> Table | str:
    run, best = state.run, state.run.best(3)
    if not best:
        missed = "".join(f"\n  {line}" for line in shortfall_lines(run))
        return escape(f"{none_best(run)}{missed}")
    names, texts = list(best[0].metrics), list(run.config.constraints)
    value = "posterior mean" if run.noisy else "value"
    table = _table(["best", value, *names, *(f"margin of {text}" for text in texts)])
    for trial in best:
        margins, believed = run.margins(trial), run.believed(trial)
        cells = [f"{believed.get(name, float('nan')):.4g}" for name in names]
        cells.insert(0, _with_error(run, trial))
        _row(table, [f"trial {trial.index}", *cells, *(f"{margins[text]:+.4g}" for text in texts)])
    if run.noisy and (observed := run.best_observed()) is not None:
        cells = [f"{value:.4g}" for value in (run.value(observed), *observed.metrics.values())]
        _row(table, [f"best measured (trial {observed.index})", *cells])
    baseline = baseline_of(run)
    if baseline is not None:
        value = baseline.value
        _row(table, [f"best of {baseline.name}", "none" if value is None else f"{value:.4g}"])
    return table


def _front(run: Run) -> Table | str:
    """The Pareto front of several objectives: all of them, and the metrics."""
    front = run.pareto()
    if not front:
        missed = "".join(f"\n  {line}" for line in shortfall_lines(run))
        return escape(f"{none_best(run)}{missed}")
    names, texts = list(front[0].metrics), list(run.config.constraints)
    heads = ["front", *objective_texts(run)]
    table = _table([*heads, *names, *(f"margin of {text}" for text in texts)])
    shown = along(front, _FRONT)
    for trial in shown:
        margins, believed = run.margins(trial), run.believed(trial)
        cells = [f"{value:.4g}" for value in run.objectives(trial)]
        cells += [f"{believed.get(name, float('nan')):.4g}" for name in names]
        _row(table, [f"trial {trial.index}", *cells, *(f"{margins[text]:+.4g}" for text in texts)])
    if len(shown) < len(front):
        _row(table, [f"{len(front) - len(shown)} more"])
    return table


def _with_error(run: Run, trial: Trial) -> str:
    """The objective of a trial; of a noisy one the posterior mean and its standard error."""
    value = run.posterior(trial)
    return f"{float(value):.4g}" + (f" ± {value.sem:.2g}" if run.noisy else "")


def _running(state: Status) -> Table | None:
    if not state.running and not state.queued:
        return None
    table = _table(["under way" if state.driver else "pending", "for"])
    for index, seconds in state.running.items():
        _row(table, [f"trial {index}", duration(seconds)])
    for index in state.queued[:_QUEUED]:
        _row(table, [f"trial {index}", "queued" if state.driver else "not running"])
    if len(state.queued) > _QUEUED:
        _row(table, [f"{len(state.queued) - _QUEUED} more", ""])
    return table


def _failures(state: Status) -> Table | None:
    failures = state.failures[:5]
    if not failures:
        return None
    table = _table(["last failures", "state", "reason"], numbers=False)
    for trial in failures:
        _row(table, [f"trial {trial.index}", trial.state or "", trial.reason or "not given"])
    return table


def _table(heads: Iterable[str], numbers: bool = True) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for k, head in enumerate(heads):
        table.add_column(escape(head), justify="right" if numbers and k else "left")
    return table


def _row(table: Table, cells: Iterable[str]) -> None:
    table.add_row(*(escape(cell) for cell in cells))
