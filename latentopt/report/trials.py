"""The trials of a run on its page: best, progress, margins, failures and the whole table."""

from collections import defaultdict
from collections.abc import Sequence

from latentopt.printable import escape_html as escape
from latentopt.report.charts import best_so_far, constraint_margins, is_feasible, outcomes
from latentopt.report.html import chart, note, number, section, table, warning
from latentopt.report.structures import cards
from latentopt.runs.baseline import Baseline
from latentopt.runs.journal import lock_holder
from latentopt.runs.quantities import objective_texts, plain_name, unit_of, with_unit
from latentopt.runs.run import Run
from latentopt.runs.shortfall import nearest_first, shortfall_lines
from latentopt.runs.verdict import verdict_of

__all__ = [
    "best_section",
    "header",
    "margins_section",
    "outcomes_section",
    "progress_section",
]

_CARDS = 6
_LISTED = 8  # trials named in a row of failures


def header(run: Run, baselines: Sequence[Baseline]) -> str:
    """Goal and figures of the run."""
    completed = [trial for trial in run.trials if trial.status == "completed"]
    counts = {
        status: sum(trial.status == status for trial in run.trials)
        for status in ("failed", "screened")
    }
    several = len(run.config.goal.objectives) > 1
    facts = {
        "trials": len(run.trials),
        "completed": len(completed),
        "feasible": sum(is_feasible(run, trial) for trial in completed),
        "failed": counts["failed"],
        **({"screened out": counts["screened"]} if counts["screened"] else {}),
    }
    if several:
        facts["on the front"] = len(run.pareto())
    else:
        facts |= _best_values(run)
    for baseline in () if several else baselines:
        value = baseline.value
        facts[f"best of {baseline.name}"] = "none" if value is None else number(value)
    items = "".join(
        f"<div><dt>{escape(k)}</dt><dd>{escape(str(v))}</dd></div>" for k, v in facts.items()
    )
    constraints = " and ".join(f"<code>{escape(text)}</code>" for text in run.config.constraints)
    return (
        f"<header><h1>{escape(run.config.name)}</h1>{_verdict(run)}"
        f"<p>Maximize <code>{escape(run.config.objective)}</code>"
        f"{' subject to ' + constraints if constraints else ''}.</p>{_names(run)}"
        f'<dl class="facts">{items}</dl></header>'
    )


def _names(run: Run) -> str:
    """What the metrics of the goal are, in plain words and with their units."""
    said = {
        name: with_unit(plain_name(run, name), unit_of(run, name)).strip()
        for name in run.config.goal.metrics
    }
    rows = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(text)}</dd></div>"
        for name, text in said.items()
        if text
    )
    return f'<dl class="names">{rows}</dl>' if rows else ""


def _verdict(run: Run) -> str:
    """How the run stands, in words."""
    verdict = verdict_of(run, is_running=lock_holder(run.folder) is not None)
    state = verdict.state.replace(" ", "-")
    return f'<p class="verdict {state}">{escape(verdict.text)}</p>'


def _best_values(run: Run) -> dict[str, str]:
    """The best value; of noisy ones its posterior mean with the error, beside the best measured."""
    best, observed = run.best(1), run.best_observed()
    if not best or observed is None:
        return {"best value": "none"}
    value = run.posterior(best[0])
    if not run.noisy:
        return {"best value": f"{number(float(value))} (trial {best[0].index})"}
    measured = f"{number(run.value(observed))} (trial {observed.index})"
    mean = f"{number(float(value))} ± {number(value.sem)} (trial {best[0].index})"
    return {"best value, posterior mean": mean, "best measured": measured}


def best_section(run: Run) -> str:
    """Cards of the best trials, or of those that come closest."""
    best = run.best(_CARDS)
    if best:
        return section("Best candidates", cards(run, best))
    completed = [trial for trial in run.trials if trial.status == "completed"]
    if not completed:
        return section("Best candidates", warning("No trial has completed yet."))
    missed = "".join(note(line) for line in shortfall_lines(run))
    text = (
        warning("No trial meets every constraint.") + missed + note("The ones that come closest:")
    )
    return section("Best candidates", text + cards(run, nearest_first(run, completed)[:_CARDS]))


def progress_section(run: Run, baselines: Sequence[Baseline]) -> str:
    """Best so far of each objective against the baselines."""
    if not any(trial.status == "completed" for trial in run.trials):
        return ""
    text = (
        "Value of every trial that completed. The line is the best value so far of a trial that "
        "meets every constraint."
    )
    several = len(run.config.goal.objectives) > 1
    charts = [
        chart(f"progress{k or ''}", best_so_far(run, baselines, k), f"{objective} by trial. {text}")
        for k, objective in enumerate(objective_texts(run))
    ]
    title = "Best so far in each objective" if several else "Best so far"
    return section(title, note(text) + "".join(charts))


def margins_section(run: Run) -> str:
    """A chart for each constraint."""
    if not run.config.constraints:
        return section("Constraint margins", note("There are no constraints."))
    charts = [
        chart(f"margin{k}", drawn, f"Margin of {constraint} by trial, met from 0 up")
        for k, (constraint, drawn) in enumerate(
            zip(dict.fromkeys(run.config.constraints), constraint_margins(run), strict=False)
        )
    ]
    return section("Constraint margins", "".join(charts)) if charts else ""


def outcomes_section(run: Run) -> str:
    """What trials came to, and the failed ones by how they failed and why."""
    if not run.trials:
        return ""
    drawn = outcomes(run)
    counts = ", ".join(f"{bar['x'][0]} {bar['name']}" for bar in drawn["data"])
    parts = [chart("outcomes", drawn, f"What trials came to: {counts}")]
    groups = defaultdict(list)
    for trial in run.trials:
        if trial.status == "failed":
            groups[trial.state or "", trial.reason or "not given"].append(trial.index)
    if groups:
        rows = [
            (state, str(len(indices)), _list(indices), reason)
            for (state, reason), indices in sorted(groups.items(), key=lambda item: -len(item[1]))
        ]
        parts.append(
            "<h3>Failed trials</h3>"
            + table("Failed trials by reason", ("state", "trials", "which", "reason"), rows)
        )
    return section("Outcomes", "".join(parts))


def _list(indices: list[int]) -> str:
    """Trials by index.

    >>> _list([3, 5])
    '3, 5'
    """
    more = f" and {len(indices) - _LISTED} more" if len(indices) > _LISTED else ""
    return ", ".join(str(index) for index in indices[:_LISTED]) + more
