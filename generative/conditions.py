"""What a conditional model can be asked for: a class, and continuous properties."""

import math
import warnings
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float, Integer
from pydantic import Field, model_validator
from torch import Tensor

from objectives.settings import Settings


class PropertyRange(Settings):
    """How a property was distributed over the training images."""

    mean: float = Field(
        description="Mean of the property over the training images, in the unit of the property."
    )
    spread: float = Field(
        gt=0,
        description="Standard deviation of the property over the training images, in the unit of "
        "the property.",
    )
    low: float = Field(
        description="Smallest value among the training images, in the unit of the property. A "
        "request below it causes a warning."
    )
    high: float = Field(
        description="Largest value among the training images, in the unit of the property. A "
        "request above it causes a warning."
    )


class Conditions(Settings):
    """Classes and properties by name, and how they become numbers for a network.

    A condition is one number a class (1 for the one asked for) and two a property: its value in
    standard deviations, and 1 if it is asked for. All zeros ask for nothing.
    """

    classes: tuple[str, ...] = Field(
        (),
        description="Names of the classes that samples can be asked for. Empty if the training "
        "images are of one class.",
    )
    properties: dict[str, PropertyRange] = Field(
        default_factory=dict,
        description="Range of each continuous property that samples can be asked for, by the "
        "name of the property.",
    )

    @model_validator(mode="after")
    def _no_name_twice(self) -> "Conditions":
        if len(set(self.classes)) != len(self.classes):
            raise ValueError(f"classes should differ, got {self.classes}.")
        return self

    @classmethod
    def of_data(
        cls, classes: Sequence[str], properties: Mapping[str, Float[np.ndarray, " n"]]
    ) -> "Conditions":
        """Conditions that training images can teach.

        Raises
        ------
        ValueError
            For a property that is not finite, or the same for all images.
        """
        ranges = {}
        for name, values in properties.items():
            if not np.isfinite(values).all() or np.ptp(values) == 0:
                raise ValueError(
                    f"property {name} should be finite and differ between images, got values from "
                    f"{np.min(values):g} to {np.max(values):g}. Leave it out."
                )
            ranges[name] = PropertyRange(
                mean=float(values.mean()),
                spread=float(values.std()),
                low=float(values.min()),
                high=float(values.max()),
            )
        return cls(classes=tuple(classes) if len(classes) > 1 else (), properties=ranges)

    @property
    def size(self) -> int:
        """Numbers in a condition."""
        return len(self.classes) + 2 * len(self.properties)

    @property
    def groups(self) -> tuple[slice, ...]:
        """The numbers that belong together: of the class, then of each property."""
        classes = [slice(0, len(self.classes))] if self.classes else []
        return (*classes, *self._pairs.values())

    @property
    def values(self) -> tuple[int, ...]:
        """Where a condition has the value of each property; whether it is asked for comes next."""
        return tuple(pair.start for pair in self._pairs.values())

    @property
    def _pairs(self) -> dict[str, slice]:
        """The two numbers of each property."""
        start = len(self.classes)
        return {n: slice(start + 2 * i, start + 2 * i + 2) for i, n in enumerate(self.properties)}

    def rows(
        self,
        labels: Integer[np.ndarray, " n"],
        properties: Mapping[str, Float[np.ndarray, " n"]],
    ) -> Float[np.ndarray, "n f"]:
        """Conditions of images with class labels and properties.

        A label of -1 (not labelled) asks for no class.
        """
        answer = np.zeros((len(labels), self.size), np.float32)
        if self.classes:
            known = np.flatnonzero(labels >= 0)
            answer[known, labels[known]] = 1
        for name, pair in self._pairs.items():
            about = self.properties[name]
            answer[:, pair.start] = (properties[name] - about.mean) / about.spread
            answer[:, pair.start + 1] = 1
        return answer

    def ask(
        self, class_name: str | None = None, properties: Mapping[str, float] | None = None
    ) -> Float[Tensor, " f"]:
        """The condition of a wish; what is not named is left open.

        Raises
        ------
        ValueError
            For a class or property the model was not trained on, naming those it was, or a value
            that is not finite.

        Warns
        -----
        UserWarning
            For a value outside the range of the training images.
        """
        row = torch.zeros(self.size)
        if class_name is not None:
            if class_name not in self.classes:
                raise ValueError(f"class {class_name!r} was not trained; {self._known('classes')}")
            row[self.classes.index(class_name)] = 1
        for name, value in (properties or {}).items():
            if name not in self.properties:
                raise ValueError(f"property {name!r} was not trained; {self._known('properties')}")
            if not math.isfinite(value):
                raise ValueError(f"property {name} should be a finite number, got {value:g}.")
            about = self.properties[name]
            if not about.low <= value <= about.high:
                warnings.warn(
                    f"{name} = {value:g} is outside {about.low:g} to {about.high:g}, the range of "
                    "the training images: what is sampled may not have it.",
                    stacklevel=2,
                )
            pair = self._pairs[name]
            row[pair.start] = (value - about.mean) / about.spread
            row[pair.start + 1] = 1
        return row

    def describe(self) -> str:
        """What can be asked for, for people.

        >>> Conditions(classes=("a", "b")).describe()
        'class (a, b)'
        """
        parts = [f"class ({', '.join(self.classes)})"] if self.classes else []
        parts += [f"{n} ({r.low:.3g} to {r.high:.3g})" for n, r in self.properties.items()]
        return ", ".join(parts)

    def check(self, condition: object) -> None:
        """Refuse what is no condition by a `TypeError`, and another width by a `ValueError`."""
        if not isinstance(condition, Tensor):
            raise TypeError(
                f"condition should be a tensor, got {type(condition).__name__}. Make one with "
                "model.conditions.ask(class_name, {property: value})."
            )
        if condition.shape != (self.size,):
            raise ValueError(
                f"condition should have shape ({self.size},), got {tuple(condition.shape)}. Make "
                "one with model.conditions.ask(...)."
            )

    def _known(self, kind: str) -> str:
        known = ", ".join(getattr(self, kind))
        return f"this model knows {known}." if known else f"this model was trained without {kind}."
