"""Families of synthetic microstructures: seeded, in 2-D and 3-D, with their settings as labels."""

from generative.data.synthetic.random_field import (
    FieldRanges,
    gaussian_random_field,
    gaussian_random_field_settings,
)

__all__ = ["FieldRanges", "gaussian_random_field", "gaussian_random_field_settings"]
