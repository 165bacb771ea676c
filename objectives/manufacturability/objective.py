"""Manufacturability as an objective: the margins of rules, to be constraints of a campaign."""

from typing import Annotated, Any, Literal

import torch
from jaxtyping import Float, Float64
from pydantic import AfterValidator, Field, model_validator
from torch import Tensor

from objectives.errors import EvaluationError
from objectives.grid import Grid
from objectives.images import check_phase
from objectives.manufacturability.design_rule_check import check_design_rules, checked_rules
from objectives.manufacturability.rule import Rule
from objectives.manufacturability.rules import AnyRule
from objectives.settings import Settings

GRID_SETTINGS = ("voxel_size_um", "periodic")


def _with_names(rules: str | tuple[Rule, ...]) -> str | tuple[Rule, ...]:
    checked_rules(rules)
    return rules


class Manufacturability(Settings):
    """Signed margins of manufacturability rules: a structure can be made where all are >= 0.

    Each rule gives one value, ``<rule>_margin``, for constraints such as ``min_solid_margin >= 0``.
    It is continuous, so that a search sees how far it is from the limit.

    >>> import torch
    >>> wall = torch.zeros(1, 1, 8, 8)
    >>> wall[..., 2:5] = 1
    >>> Manufacturability(rules=[{"kind": "min_solid", "limit_um": 2}])(wall)
    {'min_solid_margin': tensor([1.], dtype=torch.float64)}
    """

    kind: Literal["manufacturability"] = "manufacturability"
    rules: Annotated[str | tuple[AnyRule, ...], AfterValidator(_with_names)] = Field(
        description="Name of a preset (laser_powder_bed, vat_photopolymer, resin_transfer_fibre, "
        "sintered_ceramic), or a list of rules, each with a kind."
    )

    @model_validator(mode="before")
    @classmethod
    def _no_grid_of_its_own(cls, settings: Any) -> Any:
        """Say where the voxel size of an older version's settings belongs."""
        moved = [name for name in GRID_SETTINGS if isinstance(settings, dict) and name in settings]
        if moved:
            raise ValueError(
                f"{' and '.join(moved)} of the rules are the campaign's now: set "
                f"{' and '.join(f'campaign.{name}' for name in moved)}, and leave it out here"
            )
        return settings

    @property
    def units(self) -> dict[str, str]:
        """Margin of every rule, in the rule's unit."""
        return {f"{rule.name}_margin": rule.unit for rule in checked_rules(self.rules)}

    def boundary(self, grid: Grid) -> str:
        """What lies beyond the faces: ``periodic`` copies, or nothing (``open``)."""
        return "periodic" if grid.periodic else "open"

    def for_images(self, shape: tuple[int, ...]) -> "Manufacturability":
        """These rules, for images of shape (c, *space).

        Raises
        ------
        EvaluationError
            (A ``ValueError``.) A rule is for an axis or a phase that such images do not have.
        """
        channels, dim = shape[0], len(shape) - 1
        for rule in checked_rules(self.rules):
            if (axis := getattr(rule, "axis", 0)) >= dim:
                raise EvaluationError(
                    f"{rule.name}: axis should be 0 to {dim - 1} for images of {dim} axes, got "
                    f"{axis}. Axes are z, y, x, or y, x of a section."
                )
            check_phase(channels, rule.phase, rule.name)
        return self

    def __call__(
        self, images: Float[Tensor, "n c *space"], grid: Grid | None = None
    ) -> dict[str, Float64[Tensor, "n"]]:
        """The margins of every image; without gradient. By default voxels are cubes of 1 um.

        Raises
        ------
        EvaluationError
            (A ``ValueError``.) The images are not images, or a rule does not fit them.
        """
        grid = grid or Grid()
        results = check_design_rules(
            images, self.rules, voxel_size_um=grid.voxel_size_um, periodic=grid.periodic
        )
        return {
            f"{rule.name}_margin": torch.tensor(
                [result[rule.name].margin for result in results],
                dtype=torch.float64,
                device=images.device if isinstance(images, Tensor) else None,
            )
            for rule in checked_rules(self.rules)
        }
