"""Manufacturability as an objective: the margins of rules, to be constraints of a campaign."""

from typing import Annotated, Literal

import torch
from jaxtyping import Float, Float64
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from torch import Tensor

from objectives.manufacturability.rule import Rule
from objectives.manufacturability.rules import AnyRule
from objectives.manufacturability.screening import checked_rules, screen


def _with_names(rules: str | tuple[Rule, ...]) -> str | tuple[Rule, ...]:
    checked_rules(rules)
    return rules


class Manufacturability(BaseModel):
    """Signed margins of manufacturability rules: a structure can be made where all are >= 0.

    Each rule gives one value, ``<rule>_margin``, for constraints such as ``min_solid_margin >= 0``.
    It is continuous, so that a search sees how far it is from the limit.

    >>> import torch
    >>> wall = torch.zeros(1, 1, 8, 8)
    >>> wall[..., 2:5] = 1
    >>> Manufacturability(rules=[{"kind": "min_solid", "limit_um": 2}])(wall)
    {'min_solid_margin': tensor([1.], dtype=torch.float64)}
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["manufacturability"] = "manufacturability"
    rules: Annotated[str | tuple[AnyRule, ...], AfterValidator(_with_names)] = Field(
        description="Name of a preset (laser_powder_bed, vat_photopolymer, resin_transfer_fibre, "
        "sintered_ceramic), or a list of rules, each with a kind."
    )
    voxel_size_um: float = Field(
        default=1.0, gt=0, allow_inf_nan=False, description="Edge of a voxel, a cube."
    )
    periodic: bool = Field(
        default=True, description="Whether structures repeat beyond their faces."
    )

    @property
    def units(self) -> dict[str, str]:
        """Margin of every rule, in the rule's unit."""
        return {f"{rule.name}_margin": rule.unit for rule in checked_rules(self.rules)}

    def __call__(self, images: Float[Tensor, "n c *space"]) -> dict[str, Float64[Tensor, "n"]]:
        """The margins of every image; without gradient."""
        results = screen(
            images, self.rules, voxel_size_um=self.voxel_size_um, periodic=self.periodic
        )
        return {
            f"{rule.name}_margin": torch.tensor(
                [result[rule.name].margin for result in results],
                dtype=torch.float64,
                device=images.device,
            )
            for rule in checked_rules(self.rules)
        }
