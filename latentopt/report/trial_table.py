"""Every trial of a run as a table that can be sorted, filtered and taken along as CSV."""

import base64
from collections.abc import Iterator

from latentopt.csv_tables import csv_table
from latentopt.printable import escape_html as escape
from latentopt.report.charts import is_feasible
from latentopt.report.html import number, scrolled, section
from latentopt.runs.quantities import objective_texts, plain_name, unit_of, with_unit
from latentopt.runs.run import Run, Trial

__all__ = ["all_trials_section", "trials_csv"]

_KINDS = {
    "feasible": "feasible",
    "breaks": "breaks a constraint",
    "failed": "failed",
    "screened": "screened out",
    "pending": "under way",
}

Cell = str | int | float | None


def all_trials_section(run: Run) -> str:
    """The table with its controls; empty without trials."""
    if not run.trials:
        return ""
    heads = "".join(_head(title, words, numeric) for title, words, numeric in _columns(run))
    numeric = [kind for _, _, kind in _columns(run)]
    rows = "\n".join(_row(run, trial, numeric) for trial in run.trials)
    shown = f"<table class=sortable id=trials><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody>"
    body = _controls(run) + scrolled("All trials", f"{shown}</table>", tall=True)
    return section("All trials", body)


def trials_csv(run: Run) -> str:
    """The table as CSV, every number in full."""
    return csv_table(
        [[title for title, _, _ in _columns(run)], *(_cells(run, t) for t in run.trials)]
    )


def _controls(run: Run) -> str:
    data = base64.b64encode(trials_csv(run).encode("utf-8")).decode()
    present = {_kind(run, trial) for trial in run.trials}
    options = "".join(
        f'<option value="{kind}">{text}</option>'
        for kind, text in _KINDS.items()
        if kind in present
    )
    return (
        '<div class="controls"><label>Find <input type="search" data-filter="trials"></label>'
        f'<label>Show <select data-kind="trials"><option value="">all</option>{options}</select>'
        f'</label><output data-count="trials" aria-live="polite">{len(run.trials)} of '
        f"{len(run.trials)} trials</output>"
        f'<a download="trials.csv" href="data:text/csv;charset=utf-8;base64,{data}">'
        "Download as CSV</a></div>"
    )


def _metric_names(run: Run) -> list[str]:
    return list(dict.fromkeys(name for trial in run.trials for name in trial.metrics))


def _error_names(run: Run) -> list[str]:
    return list(dict.fromkeys(name for trial in run.trials for name in trial.sem))


def _columns(run: Run) -> list[tuple[str, str, bool]]:
    """Title of each column, what it is in plain words, and whether it holds numbers."""
    columns = [
        ("trial", "", True),
        ("status", "", False),
        ("constraints", "", False),
        ("strategy", "", False),
        ("time [s]", "", True),
        *((f"objective {text}", "", True) for text in objective_texts(run)),
    ]
    columns += [
        (with_unit(name, unit_of(run, name)), plain_name(run, name), True)
        for name in _metric_names(run)
    ]
    columns += [
        (with_unit(f"{name}_sem", unit_of(run, name)), "standard error", True)
        for name in _error_names(run)
    ]
    return [*columns, ("reason", "", False)]


def _cells(run: Run, trial: Trial) -> Iterator[Cell]:
    """Cells of one trial, as many as there are columns."""
    completed = trial.status == "completed"
    kept = "met" if is_feasible(run, trial) else "broken"
    yield trial.index
    yield trial.status
    yield kept if completed and run.config.constraints else ""
    yield _origin(trial)
    yield trial.seconds
    yield from run.objectives(trial) if completed else [None] * len(run.config.goal.objectives)
    yield from (trial.metrics.get(name) for name in _metric_names(run))
    yield from (trial.sem.get(name) for name in _error_names(run))
    yield trial.reason or ""


def _kind(run: Run, trial: Trial) -> str:
    if trial.status != "completed":
        return trial.status
    return "feasible" if is_feasible(run, trial) else "breaks"


def _head(title: str, words: str, numeric: bool) -> str:
    small = f"<small>{escape(words)}</small>" if words else ""
    style = ' class="number"' if numeric else ""
    return (
        f'<th scope="col" aria-sort="none"{style}><button type="button">{escape(title)}</button>'
        f"{small}</th>"
    )


def _row(run: Run, trial: Trial, numeric: list[bool]) -> str:
    index, *cells = _cells(run, trial)
    shown = "".join(_cell(cell, kind) for cell, kind in zip(cells, numeric[1:], strict=True))
    return (
        f'<tr data-kind="{_kind(run, trial)}">'
        f'<th scope="row" class="number" data-value="{index}">{index}</th>{shown}</tr>'
    )


def _cell(value: Cell, numeric: bool) -> str:
    if not numeric:
        return f"<td>{escape(value)}</td>"
    if value is None:
        return '<td class="number"></td>'
    return f'<td class="number" data-value="{float(value)!r}">{number(float(value))}</td>'


def _origin(trial: Trial) -> str:
    """What proposed a trial, and whose structure it has."""
    if trial.copied:
        return f"{trial.strategy}, structure of trial {trial.same_as}"
    return trial.strategy + (f" of trial {trial.repeat_of}" if trial.repeat_of is not None else "")
