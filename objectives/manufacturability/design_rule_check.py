"""Design rule check: whether structures can be made, by every rule on every image."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from pydantic import TypeAdapter, ValidationError
from torch import Tensor

from objectives.errors import EvaluationError
from objectives.grid import Grid
from objectives.images import checked_images, phase_indicator
from objectives.manufacturability.presets import PRESETS
from objectives.manufacturability.rule import Rule
from objectives.manufacturability.rules import RULES, AnyRule
from objectives.manufacturability.structure import Structure
from objectives.phases import to_phases

# How far the shares of the phases of a voxel may be from one: as far as rounding to 8 bits.
SUM_TOLERANCE = 0.01
ROUNDING = 1e-12


@dataclass(frozen=True)
class RuleResult:
    """What one rule found in one image.

    Attributes
    ----------
    rule
        Name of the rule.
    value, limit
        Measured value and limit, in `unit`.
    margin
        How far the value is inside the limit, in `unit`; feasible from 0 on.
    unit
        ``"um"``, ``"deg"`` or ``"1"``.
    mask
        Offending voxels. None where the margin is not negative.
    """

    rule: str
    value: float
    limit: float
    margin: float
    unit: str
    mask: Bool[np.ndarray, "*space"]

    @property
    def feasible(self) -> bool:
        """Whether the rule is kept."""
        return self.margin >= 0


def check_design_rules(
    images: Float[Tensor, "n c *space"] | Float[np.ndarray, "n c *space"],
    rules: str | Sequence[Rule | Mapping[str, Any]],
    *,
    voxel_size_um: float | int | Sequence[float | int] = 1.0,
    periodic: bool = True,
) -> list[dict[str, RuleResult]]:
    """Results of every rule for every image, by the names of the rules.

    Parameters
    ----------
    images
        Shares in [0, 1]: of phase 1 in one channel, or of each phase in its own.
    rules
        Name of a preset, or rules: objects or their settings, such as
        ``[{"kind": "min_solid", "limit_um": 400}]``.
    voxel_size_um
        Edge of a voxel, or one for each axis of the images.
    periodic
        Whether images repeat beyond their faces. If not, faces are open, and nothing is known
        beyond them.

    Raises
    ------
    ValueError
        The rules, the voxel size or the images are wrong, or a rule does not fit the images (an
        `EvaluationError`, which is one).

    Examples
    --------
    >>> wall = np.zeros((1, 1, 8, 8))
    >>> wall[..., 2:5] = 1
    >>> rules = [{"kind": "min_solid", "limit_um": 40}]
    >>> result = check_design_rules(wall, rules, voxel_size_um=10.0)
    >>> result[0]["min_solid"].value, result[0]["min_solid"].margin
    (30.0, -10.0)
    """
    rules = checked_rules(rules)
    grid = Grid(voxel_size_um, periodic)
    x = checked_images(images).detach().cpu()
    _check_sums(x)
    shares = {rule.phase: _shares(x, rule.phase).numpy() for rule in rules}
    results = []
    for i, image in enumerate(x.numpy()):
        structures = {phase: Structure(image, share[i], grid) for phase, share in shares.items()}
        results.append({rule.name: _result(rule, structures[rule.phase]) for rule in rules})
    return results


def _shares(x: Float[Tensor, "n c *space"], phase: int) -> Float[Tensor, "n *space"]:
    """Share of a phase in every voxel, above one half just where a cut or export has the phase.

    Of three phases the most likely one may have less: its share is then raised to a half.
    """
    share = phase_indicator(x, phase)[:, 0]
    above = torch.nextafter(share.new_tensor(0.5), share.new_tensor(1.0))
    return torch.where(to_phases(x) == phase, share.clamp_min(above), share.clamp_max(0.5))


def checked_rules(rules: str | Sequence[Rule | Mapping[str, Any]]) -> tuple[Rule, ...]:
    """The rules of a preset, or these; a ``ValueError`` if one is wrong or two share a name."""
    if isinstance(rules, str):
        if rules not in PRESETS:
            raise ValueError(f"rules should be one of {', '.join(PRESETS)}, got {rules!r}.")
        return PRESETS[rules]
    if isinstance(rules, Rule | Mapping):
        raise ValueError("rules should be several rules, got one. Put it into a list: [rule].")
    found = tuple(rule if isinstance(rule, Rule) else _parsed(rule) for rule in rules)
    names = [rule.name for rule in found]
    if not names:
        raise ValueError(f"rules should be at least one, got none. There are {', '.join(RULES)}.")
    if twice := {name for name in names if names.count(name) > 1}:
        raise ValueError(
            f"rules should have different names, got {', '.join(sorted(twice))} more than once. "
            "Give each of them a label."
        )
    return found


@lru_cache(maxsize=1)
def _adapter() -> TypeAdapter:
    return TypeAdapter(AnyRule)


def _parsed(settings: Mapping[str, Any]) -> Rule:
    try:
        return _adapter().validate_python(settings)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in problem["loc"]) or "kind"
        raise ValueError(f"rules: {where}: {problem['msg']}. Got {settings!r}.") from None


def _check_sums(x: Float[Tensor, "n c *space"]) -> None:
    if x.shape[1] == 1 or x.shape[0] == 0:
        return
    error = (x.sum(1) - 1).abs().flatten(1).amax(1)
    if bool((error > SUM_TOLERANCE).any()):
        row = int((error > SUM_TOLERANCE).nonzero()[0, 0])
        raise EvaluationError(
            f"phases should sum to one in every voxel, got sums off by {float(error[row]):.3g} in "
            f"row {row}. Divide the channels by their sum."
        )


def _result(rule: Rule, structure: Structure) -> RuleResult:
    try:
        value, mask = rule.measure(structure)
    except EvaluationError:
        raise
    except ValueError as error:
        raise EvaluationError(f"{rule.name}: {error}") from None
    margin = rule.margin(value)
    if abs(margin) <= ROUNDING * max(abs(value), abs(rule.bound)):
        margin = 0.0  # rounding must not decide what is just at the limit
    if margin >= 0:
        mask = structure.nothing()
    return RuleResult(rule.name, value, rule.bound, margin, rule.unit, mask)
