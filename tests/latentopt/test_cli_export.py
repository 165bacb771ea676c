"""``latentopt export``: the short form, the check of files, and what they say."""

import numpy as np
import pytest
from typer.testing import CliRunner

from latentopt.cli import app
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


@pytest.mark.parametrize("before", [(), ("candidates",), ("--best", 2)])
def test_what_is_no_command_is_the_folder_of_a_campaign(before, tmp_path):
    done = run(*before, tmp_path / "nothing")
    assert isinstance(done.exception, CampaignError)
    assert "nothing" in str(done.exception)


def test_help_tells_both_commands_and_every_format():
    assert {"candidates", "verify"} <= set(run("--help").stdout.split())
    told = run("candidates", "--help").stdout
    assert [kind for kind in EXPORTERS if kind not in told] == []
