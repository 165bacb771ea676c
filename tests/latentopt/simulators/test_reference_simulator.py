"""The reference simulator as a program: by hand, and in a campaign."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import latentopt
from latentopt.export import EXPORTERS
from latentopt.microstructure import Microstructure
from latentopt.simulators.reference import main, read_structure
from latentopt.simulators.subprocess_command import SubprocessSimulator
from objectives.manufacturability import PRESETS

RULES = json.dumps([{"kind": "min_solid", "limit_um": 8}, {"kind": "min_void", "limit_um": 8}])


def wall(**changes):
    """A wall of three voxels, 2 um each, in 8x8."""
    phases = np.zeros((8, 8), dtype=np.uint8)
    phases[:, 2:5] = 1
    fields = {
        "phases": phases,
        "voxel_size_m": (2e-6, 2e-6),
        "phase_names": ("pore", "solid"),
        "periodic": (True, True),
        "provenance": {"trial": 3, "z": [0.5]},
    }
    return Microstructure(**(fields | changes))


@pytest.fixture
def screen(tmp_path, capsys, monkeypatch):
    """Screen a structure: exit code, result if there is one, standard output and error."""

    def call(structure, *options, format="damask"):
        path = tmp_path / f"wall{EXPORTERS[format].suffix}"
        if structure is not None:
            path = EXPORTERS[format].write(structure, path)
        result = tmp_path / "result.json"
        command = ["latentopt-screen", str(path), "--result", str(result), *options]
        monkeypatch.setattr(sys, "argv", command)
        with pytest.raises(SystemExit) as stop:
            main()
        printed = capsys.readouterr()
        answer = json.loads(result.read_text()) if result.exists() else None
        return stop.value.code or 0, answer, printed.out, printed.err

    return call


@pytest.mark.parametrize("format", sorted(EXPORTERS))
def test_the_margins_of_a_wall_are_those_one_counts(screen, format):
    code, answer, out, _ = screen(wall(), "--rules", RULES, format=format)
    assert (code, answer["state"]) == (0, "ok")
    assert answer["metrics"] == {"min_solid_margin": 6.0 - 8.0, "min_void_margin": 10.0 - 8.0}
    assert "violated" in out
    assert "kept" in out


@pytest.mark.parametrize("format", sorted(EXPORTERS))
@pytest.mark.parametrize("shape", [(4, 6), (3, 4, 6)])
def test_a_structure_is_read_as_it_was_written(tmp_path, format, shape):
    phases = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape) % 3
    written = wall(
        phases=phases,
        voxel_size_m=(1e-6,) * len(shape),
        phase_names=("a", "b", "c"),
        periodic=(True, False, True)[: len(shape)],
    )
    path = EXPORTERS[format].write(written, tmp_path / f"any{EXPORTERS[format].suffix}")
    read = read_structure(path)
    assert (read.sha256, read.voxel_size_m) == (written.sha256, written.voxel_size_m)
    assert (read.phase_names, read.periodic) == (written.phase_names, written.periodic)


def test_a_structure_is_called_infeasible_only_if_asked(screen):
    assert screen(wall(), "--rules", RULES, "--infeasible-below", "-3")[1]["state"] == "ok"
    code, answer, out, _ = screen(wall(), "--rules", RULES, "--infeasible-below", "0")
    assert code == 0
    assert answer == {"state": "infeasible", "metrics": {}, "message": "min_solid_margin is -2"}
    assert "infeasible: min_solid_margin is -2" in out


@pytest.mark.parametrize(("sizes", "width"), [((5e-6, 2e-6), 6.0), ((2e-6, 5e-6), 15.0)])
def test_a_wall_of_boxes_is_as_wide_as_its_voxels_along_that_axis(screen, sizes, width):
    code, answer, _, _ = screen(wall(voxel_size_m=sizes), "--rules", RULES)
    assert code == 0
    assert answer["metrics"]["min_solid_margin"] == pytest.approx(width - 8.0)


@pytest.mark.parametrize("preset", sorted(PRESETS.keys() - {"resin_transfer_fibre"}))
def test_a_preset_can_be_named(screen, preset):
    code, answer, _, _ = screen(wall(), "--rules", preset)
    assert code == 0
    assert set(answer["metrics"]) == {f"{rule.name}_margin" for rule in PRESETS[preset]}


def test_a_rule_that_does_not_fit_is_an_invalid_result(screen):
    # Its window of 21 um is larger than the whole structure.
    code, answer, _, _ = screen(wall(), "--rules", "resin_transfer_fibre")
    assert (code, answer["state"]) == (0, "invalid")
    assert "window" in answer["message"]


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--rules", "lpbf"], "should be one of laser_powder_bed"),
        (["--rules", "[{]"], "--rules: Expecting property name"),
        (["--rules", '[{"kind": "min_sold"}]'], "min_sold"),
        (["--rules", "[]"], "at least one"),
        (["--infeasible-below", "nan"], "--infeasible-below should be a number, got nan"),
    ],
)
def test_wrong_usage_is_one_line_and_code_2(screen, options, problem):
    code, answer, _, error = screen(wall(), *options)
    assert (code, answer) == (2, None)
    assert error.startswith("latentopt-screen: ")
    assert problem in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("structure", "problem"),
    [
        (None, "no such file"),
        (wall(periodic=(True, False)), "should repeat along all axes or none"),
    ],
)
def test_a_structure_that_cannot_be_used_is_one_line_and_code_3(screen, structure, problem):
    code, answer, _, error = screen(structure)
    assert (code, answer) == (3, None)
    assert problem in error
    assert error.count("\n") == 1


def test_a_structure_of_a_later_hour_than_its_sidecar_is_refused(screen, tmp_path):
    EXPORTERS["tiff"].write(wall(), tmp_path / "wall.tif")
    data = bytearray((tmp_path / "wall.tif").read_bytes())
    data[-1] ^= 1
    (tmp_path / "wall.tif").write_bytes(data)
    code, _, _, error = screen(None, format="tiff")
    assert (code, "is not the file its sidecar describes" in error) == (3, True)


def test_a_result_that_cannot_be_written_is_code_3(screen, tmp_path):
    (tmp_path / "file").write_text("")
    code, _, _, error = screen(wall(), "--result", str(tmp_path / "file" / "result.json"))
    assert (code, "File exists" in error) == (3, True)


@pytest.mark.slow
def test_the_program_serves_a_campaign(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(latentopt.__file__).parents[1]))
    program = (sys.executable, "-m", "latentopt.simulators.reference")
    options = ("{structure}", "--rules", RULES, "--result", "{result}")
    units = {"min_solid_margin": "um", "min_void_margin": "um"}
    simulator = SubprocessSimulator(command=(*program, *options), format="damask", units=units)
    result = simulator(wall(), tmp_path / "run")
    assert result.message == ""
    assert result.metrics == {"min_solid_margin": -2.0, "min_void_margin": 2.0}
    assert "min_solid" in (tmp_path / "run" / "stdout.txt").read_text()


def test_help_needs_no_torch():
    code = (
        "import sys; sys.argv = ['latentopt-screen', '--help']; "
        "from latentopt.simulators.reference import main\n"
        "try:\n    main()\nexcept SystemExit:\n    assert 'torch' not in sys.modules"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    assert "--infeasible-below" in ran.stdout
