"""Laws of dispersion at their limits, and without gain."""

import pytest
import torch
from pydantic import TypeAdapter, ValidationError

from objectives.spectral.dispersion import Law

AXIS = torch.logspace(-3, 3, 25, dtype=torch.float64)
LAWS = [
    {"kind": "constant", "real": 2.5, "loss": 0.1},
    {"kind": "axis"},
    {"kind": "table", "real": [2.0] * 25, "loss": [0.5] * 25},
    {"kind": "drude", "plasma_frequency": 2, "damping": 0.3, "background": 4},
    {"kind": "lorentz", "strength": 3, "resonance": 1.5, "damping": 0.2},
    {"kind": "debye", "static": 80, "relaxation": 2, "background": 5},
]


def law(settings):
    return TypeAdapter(Law).validate_python(settings)


@pytest.mark.parametrize("settings", LAWS, ids=lambda settings: settings["kind"])
def test_no_law_has_a_gain(settings):
    curve = law(settings).along(AXIS)
    assert curve.dtype == torch.complex128
    assert curve.shape == AXIS.shape
    assert (curve.imag >= 0).all()


def test_a_metal_has_the_conductivity_of_drude_at_low_frequencies():
    """omega times the loss tends to omega_p^2 / gamma."""
    curve = law(LAWS[3]).along(AXIS[:1])
    assert float(AXIS[0] * curve.imag[0]) == pytest.approx(4 / 0.3, rel=1e-4)
    assert complex(law(LAWS[3]).along(AXIS[-1:])[0]) == pytest.approx(4, rel=1e-4)


def test_a_resonance_and_a_relaxation_have_their_limits():
    resonance, relaxation = (law(settings).along(AXIS) for settings in LAWS[4:])
    assert complex(resonance[0]) == pytest.approx(4, rel=1e-3)
    assert complex(resonance[-1]) == pytest.approx(1, rel=1e-3)
    assert complex(relaxation[0]) == pytest.approx(80, rel=1e-3)
    at_relaxation = law(LAWS[5]).along(torch.tensor([2.0]).double())[0]
    assert complex(at_relaxation) == pytest.approx(5 + 75 * (1 + 1j) / 2)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"kind": "debye", "static": 2, "relaxation": 1, "background": 5}, "gain"),
        ({"kind": "table", "real": [1.0], "loss": [1.0, 2.0]}, "loss has 2 values and real has 1"),
        ({"kind": "table", "real": [1.0], "loss": [-1.0]}, "complex conjugate"),
        ({"kind": "constant", "real": 1, "loss": -1}, "greater than or equal to 0"),
        ({"kind": "drude", "plasma_frequency": 1}, "damping"),
        ({"kind": "silver"}, "silver"),
    ],
)
def test_what_is_no_law_is_refused(settings, said):
    with pytest.raises(ValidationError, match=said):
        law(settings)


def test_a_table_of_another_length_is_refused():
    with pytest.raises(ValueError, match="has 1 values and the axis 25"):
        law({"kind": "table", "real": [1.0]}).along(AXIS)
