"""``latentopt export``: the short form, the check of files, and what they say."""

import numpy as np
import pytest
from typer.testing import CliRunner

from latentopt.cli.app import app
from latentopt.errors import CampaignError, ExportError
from latentopt.export import EXPORTERS
from latentopt.microstructure import Microstructure


def run(*arguments):
    return CliRunner().invoke(app, ["export", *map(str, arguments)])


@pytest.fixture
def structure():
    phases = np.random.default_rng(0).integers(0, 2, (2, 3, 4))
    return Microstructure(phases, (1e-6,) * 3, ("a", "b"), (True,) * 3)


def test_files_of_every_format_are_verified_together(structure, tmp_path):
    files = [
        exporter.write(structure, tmp_path / f"{kind}{exporter.suffix}")
        for kind, exporter in EXPORTERS.items()
    ]
    done = run("verify", *files)
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert len(lines) == len(EXPORTERS)
    for line, kind, file in zip(lines, EXPORTERS, files, strict=True):
        assert line == f"{file}: {kind}, 2x3x4 voxels as when it was exported"


def test_a_changed_file_is_named(structure, tmp_path):
    path = EXPORTERS["npz"].write(structure, tmp_path / "best.npz")
    path.write_bytes(b"other")
    done = run("verify", path)
    assert isinstance(done.exception, ExportError)
    assert "best.npz is not the file its sidecar describes" in str(done.exception)


def test_all_files_of_a_folder_are_verified_and_every_problem_is_listed(structure, tmp_path):
    for kind in ("stl", "png", "damask", "npz", "nrrd"):
        EXPORTERS[kind].write(structure, tmp_path / f"a{EXPORTERS[kind].suffix}")
    files = sorted(tmp_path.glob("[!.]*"))
    done = run("verify", *files)
    assert done.exit_code == 0, done.exception
    assert len(done.stdout.splitlines()) == len(files)
    second = tmp_path / "a_phase_1_b.stl"
    assert f"{second}: part of {tmp_path}/a_phase_0_a.stl, as when it" in done.stdout
    assert f"{tmp_path}/a.i: a skeleton" in done.stdout
    second.write_bytes(b"")
    (tmp_path / "a.nrrd").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("mine")
    done = run("verify", second, *files, tmp_path / "gone.npz", tmp_path / "notes.txt")
    assert isinstance(done.exception, ExportError)
    first, *others = str(done.exception).splitlines()
    assert first == (
        f"{second} is part of {tmp_path}/a_phase_0_a.stl, which is not: {second} is not the file "
        "its sidecar describes. Export it again."
    )
    said = "\n".join(others)
    for problem in ("a.nrrd is not the", "gone.npz: no such file", "notes.txt.json: No such file"):
        assert problem in said
    assert f"{tmp_path}/a.vti: damask" in done.stdout


@pytest.mark.parametrize("before", [(), ("candidates",), ("--best", 2)])
def test_what_is_no_command_is_the_folder_of_a_campaign(before, tmp_path):
    done = run(*before, tmp_path / "nothing")
    assert isinstance(done.exception, CampaignError)
    assert "nothing" in str(done.exception)


def test_help_tells_both_commands_and_a_wrong_format_every_format():
    assert {"candidates", "verify"} <= set(run("--help").stdout.split())
    told = str(run("candidates", "nowhere", "--format", "none").exception)
    assert [kind for kind in EXPORTERS if kind not in told] == []
