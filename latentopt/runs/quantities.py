"""What the numbers of a run are: plain names of its metrics, units of its objectives."""

import re
from collections.abc import Iterable

from latentopt.goal import Constraint, Distance, Linear
from latentopt.runs.run import Run

__all__ = [
    "objective_texts",
    "plain_name",
    "split_objectives",
    "unit_of",
    "unit_of_constraint",
    "unit_of_objective",
    "with_unit",
]

# Names of the values of each kind of objective. A user's own metric has the name the user gave it.
_NAMES = {
    "effective_conductivity": (
        (r"k_([xyz])\1", "effective conductivity along {0}"),
        (r"k_([xyz])([xyz])", "effective conductivity, component {0}{1}"),
        (r"conductivity_error", "bound of the relative error of the conductivity"),
    ),
    "effective_spectrum": (
        (r"(\w*)distance_to_curve", "relative distance of the spectrum to its target"),
        (r"(\w*)peak_place", "place of the highest point of the spectrum"),
        (r"(\w*)peak_height", "height of the highest point of the spectrum"),
        (r"(\w*)spectrum_error", "bound of the relative error of the property on the spectrum"),
    ),
    "effective_stiffness": (
        (r"E_([xyz])", "effective Young's modulus along {0}"),
        (r"G_([xyz]{2})", "effective shear modulus in the {0} plane"),
        (
            r"nu_([xyz])([xyz])",
            "effective Poisson's ratio: contraction along {1} for tension along {0}",
        ),
        (r"stiffness_error", "bound of the relative error of the stiffness"),
    ),
    "volume_fraction": (
        (r"volume_fraction()", "volume fraction of phase {phase}"),
        (r"volume_fraction_(\d+)", "volume fraction of phase {phase}"),
    ),
    "two_point_target": (
        (r"two_point_error", "error of the two-point statistics against the target"),
    ),
    "manufacturability": ((r"(\w+)_margin", "margin of the rule {0}, which is met from 0 up"),),
}
_ALWAYS = {"distance_from_data": "distance from the training data; 1 is typical of the data"}


def plain_name(run: Run, name: str) -> str:
    """What a metric is, in words; empty where only the user knows.

    Names are those of the objectives that the campaign's settings list by kind.
    """
    if name in _ALWAYS:
        return _ALWAYS[name]
    for spec in run.config.evaluate:
        for pattern, text in _NAMES.get(str(spec.get("kind")), ()):
            if found := re.fullmatch(pattern, name):
                return text.format(*found.groups(), phase=_phase(run, found.groups()))
    return ""


def _phase(run: Run, groups: tuple[str, ...]) -> str:
    """Number of the phase that a name ends with, 1 without, and its own name where it has one."""
    index = int(groups[0]) if groups and groups[0].isdigit() else 1
    names = run.config.phase_names or ()
    if index < len(names) and names[index] != f"phase {index}":
        return f"{index} ({names[index]})"
    return str(index)


def unit_of(run: Run, name: str) -> str:
    """Unit of a metric as it is shown: empty where it has none or none is known."""
    unit = run.units.get(name, "")
    return "" if unit == "1" else unit


def unit_of_objective(run: Run, number: int = 0) -> str:
    """Unit of one of the objectives: that of its metrics if they share one, else empty.

    Factors are taken for plain numbers.
    """
    return _shared_unit(run, run.config.goal.objectives[number])


def unit_of_constraint(run: Run, constraint: Constraint) -> str:
    """Unit of the margin of a constraint, as `unit_of_objective`."""
    return _shared_unit(run, constraint.margin)


def _shared_unit(run: Run, form: Linear | Distance) -> str:
    units = {run.units.get(name) for name in form.weights}
    (unit,) = units if len(units) == 1 else (None,)
    return "" if unit in (None, "1") else unit


def with_unit(text: str, unit: str) -> str:
    """A name with its unit, as an axis or the head of a column has it.

    >>> with_unit("k_xx", "W/(m K)"), with_unit("nu_xy", "")
    ('k_xx [W/(m K)]', 'nu_xy')
    """
    return f"{text} [{unit}]" if unit else text


def objective_texts(run: Run) -> list[str]:
    """Each objective with its unit."""
    texts: Iterable[str] = split_objectives(run.config.objective)
    return [with_unit(text, unit_of_objective(run, k)) for k, text in enumerate(texts)]


def split_objectives(text: str) -> list[str]:
    """The objectives of a string, parted at the commas outside of brackets.

    >>> split_objectives("-distance(a - 1, b), c")
    ['-distance(a - 1, b)', 'c']
    """
    parts, depth = [""], 0
    for character in text:
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts if part.strip()]
