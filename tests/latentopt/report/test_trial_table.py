"""The table of trials, the lines across metrics, slices of volumes and links to exports."""

import csv
import io
import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from latentopt.pictures import PHASE_COLOURS
from latentopt.report.exports import exports_section
from latentopt.report.parallel import parallel_coordinates
from latentopt.report.slices import slice_view, volume_png
from latentopt.report.trial_table import all_trials_section, trials_csv
from latentopt.runs.candidates import write_candidate
from latentopt.runs.exports import export_candidates, exports_of
from latentopt.runs.run import Run, Trial
from latentopt.settings.campaign import CampaignConfig
from objectives.grid import Grid

HOSTILE = "</td><script>alert(1)</script> & =1+1"


def ended(index, k_xx, fraction=0.4):
    metrics = {"k_xx": k_xx, "k_yy": 1.0 + index, "volume_fraction": fraction}
    return Trial(index, np.full(2, float(index)), "completed", metrics, None, "prior", 1.0)


def failed(index, reason):
    return Trial(index, np.full(2, float(index)), "failed", {}, reason, "prior", 1.0, "crashed")


@pytest.fixture
def run(tmp_path):
    trials = (ended(0, 1 / 3), ended(1, 9.0, fraction=0.6), failed(2, HOSTILE), ended(3, 5.0))
    for trial in trials:
        phases = np.random.default_rng(trial.index).integers(0, 2, (8, 8), dtype=np.uint8)
        write_candidate(tmp_path, trial.index, phases, trial.z)
    return Run(
        folder=tmp_path,
        config=CampaignConfig(
            name="a run",
            objective="k_xx",
            constraints=["volume_fraction <= 0.5"],
            evaluate=["effective_conductivity", "volume_fraction"],
        ),
        space_id="a",
        trials=trials,
        units={"k_xx": "W/(m K)", "k_yy": "W/(m K)", "volume_fraction": "1"},
        provenance={"created": "2026-01-01T10:00:00+00:00"},
    )


def test_the_csv_holds_every_number_in_full(run):
    rows = list(csv.DictReader(io.StringIO(trials_csv(run))))
    assert [row["trial"] for row in rows] == ["0", "1", "2", "3"]
    assert float(rows[0]["k_xx [W/(m K)]"]) == 1 / 3
    assert float(rows[0]["objective k_xx [W/(m K)]"]) == 1 / 3
    assert [row["constraints"] for row in rows] == ["met", "broken", "", "met"]
    assert rows[2]["k_xx [W/(m K)]"] == ""
    assert rows[2]["reason"] == HOSTILE


def test_the_table_has_a_kind_a_row_and_text_of_the_user_stays_text(run):
    html = all_trials_section(run)
    assert re.findall(r'<tr data-kind="(\w+)">', html) == [
        "feasible",
        "breaks",
        "failed",
        "feasible",
    ]
    assert "<script>" not in html
    assert html.count('scope="row"') == 4
    assert "effective conductivity along x" in html
    assert all_trials_section(replace(run, trials=())) == ""


def test_lines_cross_each_axis_at_the_value_between_its_ends(run):
    chart = parallel_coordinates(run)
    titles = chart["layout"]["xaxis"]["ticktext"]
    assert titles[0] == "k_xx<br>[W/(m K)]"
    assert len(titles) == len(set(titles))  # the objective is a metric, and stands there once
    lines = {trace["name"]: trace for trace in chart["data"]}
    assert set(lines) == {"best", "feasible", "breaks a constraint"}
    values = np.array([t.metrics["k_xx"] for t in run.trials if t.status == "completed"])
    scaled = (5.0 - values.min()) / (values.max() - values.min())
    assert lines["best"]["y"][0] == pytest.approx(scaled, abs=1e-3)
    assert set(lines["best"]["customdata"]) == {3}
    heights = [y for trace in chart["data"] for y in trace["y"] if y is not None]
    assert (min(heights), max(heights)) == (0, 1)


def test_there_are_no_lines_of_few_trials_or_of_values_that_do_not_vary(run):
    assert parallel_coordinates(replace(run, trials=run.trials[:2])) is None
    same = tuple(replace(ended(k, 1.0), metrics={"k_xx": 1.0}) for k in range(5))
    assert parallel_coordinates(replace(run, trials=same)) is None


def test_a_volume_is_embedded_voxel_by_voxel():
    phases = np.random.default_rng(0).integers(0, 3, (4, 5, 6), dtype=np.uint8)
    picture = np.asarray(Image.open(io.BytesIO(volume_png(phases))).convert("RGB"))
    table = np.array([tuple(bytes.fromhex(colour[1:])) for colour in PHASE_COLOURS])
    np.testing.assert_array_equal(picture, table[phases.reshape(20, 6)])
    html = slice_view(phases, Grid(voxel_size_um=(1.0, 2.0, 3.0)), "<b>")
    assert 'data-shape="4,5,6"' in html
    assert 'data-edges="1,2,3"' in html
    assert "<b>" not in html


def test_a_large_volume_is_thinned():
    phases = np.zeros((100, 4, 4), dtype=np.uint8)
    assert 'data-step="2" data-shape="50,2,2"' in slice_view(phases, Grid(), "x")


def test_exported_files_of_the_run_are_linked_and_no_others(run, tmp_path):
    assert exports_section(run, tmp_path) == ""
    export_candidates(run, [3, 0], "tiff", tmp_path / "exports")
    (tmp_path / "exports" / "other.tif.json").write_text("{}")
    (tmp_path / "exports" / "broken.json").write_text("{")
    assert [export.trial for export in exports_of(run)] == [0, 3]
    links = re.findall(r'href="([^"]+)"', exports_section(run, tmp_path))
    assert links == ["exports/trial_0000.tif", "exports/trial_0003.tif"]
    assert 'href="../exports/trial_0000.tif"' in exports_section(run, tmp_path / "elsewhere")
    assert exports_of(replace(run, provenance={"created": "another"})) == []


def test_a_link_to_a_lost_file_is_not_shown(run, tmp_path):
    (path,) = export_candidates(run, [3], "tiff", tmp_path / "exports")
    path.unlink()
    assert exports_of(run) == []
