"""Numbers of spectra as an objective: what they are, files of targets, and refusals."""

import json
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError

from latentopt import Campaign
from latentopt.campaign.load import load_config
from objectives import EffectiveSpectrum
from objectives.errors import EvaluationError
from objectives.spectral import band_integral, distance_to_curve, effective_spectrum, peak
from objectives.spectral.dispersion import Drude

AXIS = torch.linspace(0.2, 1.1, 13, dtype=torch.float64)
METAL = {"kind": "drude", "plasma_frequency": 1, "damping": 0.1}


def random_images(n, *space):
    x = torch.rand(n, 1, *space, generator=torch.Generator().manual_seed(0))
    return (x > 0.5).float()


def spectrum(**settings):
    return EffectiveSpectrum.model_validate(
        {"phases": [1, METAL], "axis": AXIS.tolist(), "target": [1.0] * 13} | settings
    )


@pytest.mark.parametrize("along", ["x", "y", "mean"])
@pytest.mark.parametrize("quantity", ["real", "imag", "absolute", "energy_loss"])
def test_values_are_those_of_the_curve(quantity, along):
    x = random_images(2, 10, 9)
    objective = spectrum(quantity=quantity, along=along, bands={"low": (0.2, 0.5)}, peak=(0.3, 1))
    axes = None if along == "mean" else (along,)
    metal = Drude(plasma_frequency=1, damping=0.1).along(AXIS)
    values = effective_spectrum(x, (1.0, metal), axes=axes, tol=1e-4).values.mean(1)
    curves = {
        "real": values.real,
        "imag": values.imag,
        "absolute": values.abs(),
        "energy_loss": values.imag / values.abs() ** 2,
    }[quantity]
    found = objective(x)
    place, height = peak(curves, AXIS, (0.3, 1))
    expected = {
        "distance_to_curve": distance_to_curve(curves, AXIS, torch.ones_like(AXIS)),
        "low": band_integral(curves, AXIS, (0.2, 0.5)),
        "peak_place": place,
        "peak_height": height,
    }
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value)
    assert list(found) == [*expected, "spectrum_error"]
    assert found["spectrum_error"].max() <= 1e-4


def test_a_structure_is_at_distance_0_from_its_own_curve():
    x = random_images(1, 12, 12)
    curve, _ = spectrum(quantity="energy_loss").curve(x)
    own = spectrum(quantity="energy_loss", target=curve[0].tolist())
    assert own(x)["distance_to_curve"].item() == 0
    assert own(x.mT)["distance_to_curve"].item() > 0.01


def test_the_metal_s_own_loss_peaks_at_its_plasma_frequency():
    objective = spectrum(
        axis={"start": 0.5, "stop": 1.5, "points": 101}, target=None, peak=(0.5, 1.5),
        quantity="energy_loss", axis_unit="omega_p",
    )  # fmt: skip
    values = objective(torch.ones(1, 1, 4, 4))
    assert values["peak_place"].item() == pytest.approx(1, abs=2e-3)
    assert values["peak_height"].item() == pytest.approx(10, rel=1e-2)
    assert objective.units["peak_place"] == "omega_p"


def test_gradients_reach_the_images():
    x = (0.2 + 0.6 * random_images(1, 8, 8).double()).requires_grad_()
    objective = spectrum(
        quantity="energy_loss", bands={"low": (0.2, 0.5)}, peak=(0.2, 1.1), tol=1e-9
    )
    for name, value in objective(x).items():
        if name != "spectrum_error":
            (slope,) = torch.autograd.grad(value.sum(), x, retain_graph=True)
            assert slope.abs().max() > 0


def test_a_target_s_file_gives_the_axis_and_is_kept_by_its_numbers(tmp_path):
    path = tmp_path / "loss.csv"
    path.write_text("omega,loss\n0.2,1\n0.5,2\n1.0,3\n", encoding="utf-8")
    objective = spectrum(axis=None, target=path)
    assert objective.axis == (0.2, 0.5, 1.0)
    assert objective.target == (1, 2, 3)
    path.unlink()
    settings = json.loads(json.dumps(objective.model_dump(mode="json")))
    assert EffectiveSpectrum.model_validate(settings) == objective


def test_a_campaign_finds_the_target_beside_its_file(tmp_path):
    (tmp_path / "loss.csv").write_text("0.2,1\n0.5,2\n", encoding="utf-8")
    (tmp_path / "campaign.yaml").write_text(
        "objective: distance_to_curve\nevaluate:\n"
        "  - kind: effective_spectrum\n    phases: [1, {kind: constant, real: -2, loss: 1}]\n"
        "    target: loss.csv\n",
        encoding="utf-8",
    )
    (spec,) = load_config(tmp_path / "campaign.yaml").evaluate
    assert EffectiveSpectrum.model_validate(dict(spec)).target == (1, 2)


def test_for_images_it_names_its_scheme():
    assert spectrum().for_images((1, 8, 8)).scheme == "rot"
    assert spectrum().for_images((2, 8, 8, 8)).scheme == "q1"
    with pytest.raises(EvaluationError, match="Add up channels to two phases"):
        spectrum().for_images((3, 8, 8))
    with pytest.raises(EvaluationError, match="along should be one of y, x or mean"):
        spectrum(along="z").for_images((1, 8, 8))


def test_two_curves_are_kept_apart_by_a_prefix():
    names = spectrum(prefix="y_", along="y").units
    assert list(names) == ["y_distance_to_curve", "y_spectrum_error"]


def test_units_are_those_of_property_and_axis():
    objective = spectrum(unit="S/m", axis_unit="Hz", bands={"low": (0.2, 0.5)}, peak=(0.3, 1))
    assert objective.units["low"] == "S/m Hz"
    assert objective.units["peak_height"] == "S/m"


def test_a_logarithmic_axis_has_equal_ratios_and_both_ends():
    axis = spectrum(axis={"start": 0.1, "stop": 10, "points": 13, "spacing": "log"}).axis
    assert (axis[0], axis[-1]) == (0.1, 10)
    assert axis[6] == pytest.approx(1)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"target": None}, "no value is asked for; give a target, bands or a peak"),
        ({"target": [1.0, 2.0]}, "target has 2 values and the axis 13 points"),
        ({"target": [0.0] * 13}, "0 everywhere"),
        ({"axis": [1.0, 0.5], "target": [1.0, 1.0]}, "axis should rise, got 1 before 0.5"),
        ({"axis": None}, "axis is missing"),
        ({"axis": {"start": 2, "stop": 1}}, "stop should be above start"),
        ({"axis": {"start": 0, "stop": 1, "spacing": "log"}}, "needs a start above 0"),
        ({"bands": {"low": [0.1, 0.5]}}, "bands.low: a band should be from low to high"),
        ({"peak": [0.5, 0.4]}, "peak: a band should be from low to high"),
        ({"bands": {"peak_place": [0.3, 0.5]}}, "'peak_place' is no name that a band can have"),
        ({"bands": {"a b": [0.3, 0.5]}}, "'a b' is no name that a band can have"),
        ({"phases": [1, -2]}, "there a structure without loss may be in resonance"),
        ({"phases": [1, 0]}, "should be finite and not 0"),
        ({"phases": [1, 2, 3]}, "phases"),
        ({"phases": [1, True]}, "phases"),
        ({"phases": [1, {"kind": "table", "real": [2.0]}]}, "the table of a phase has 1 values"),
        ({"scheme": "fv"}, "scheme"),
    ],
)
def test_settings_that_make_no_curve_are_refused(settings, said):
    with pytest.raises(ValidationError, match=said):
        spectrum(**settings)


def test_a_file_on_another_axis_is_refused(tmp_path):
    path = tmp_path / "loss.csv"
    path.write_text("0.2,1\n0.5,2\n", encoding="utf-8")
    with pytest.raises(ValidationError, match="leave out axis, which takes that of the file"):
        spectrum(target=path)


@pytest.mark.slow
def test_the_campaign_of_the_examples_runs(embedded_once, tmp_path):
    example = Path(__file__).parents[2] / "examples" / "configs" / "loss_spectrum.yaml"
    fewer = {"strategy": "prior", "trials": 3, "folder": str(tmp_path / "run")}
    run = Campaign.from_yaml(example, **fewer).run()
    assert len(run.trials) == 3
    assert all(0 < trial.metrics["distance_to_curve"] < 10 for trial in run.trials)
    assert run.units["peak_place"] == "1"
