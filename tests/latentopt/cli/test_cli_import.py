"""The command ``latentopt import``: what it adds, what it says, and what it refuses."""

import numpy as np
import pytest
import yaml

from latentopt.runs.run import Run


@pytest.fixture
def place(tiny_space, tiny_space_folder, tmp_path):
    """A campaign that has not begun, four structures the space knows, and a table of values."""
    images = tiny_space.decode(tiny_space.sample(4, seed=9)).numpy() > 0.5
    np.save(tmp_path / "images.npy", images)
    (tmp_path / "data.csv").write_text("volume_fraction,cost\n.1,1\n.2,2\n.3,3\n.4,4\n")
    settings = {
        "space": str(tiny_space_folder),
        "objective": "volume_fraction",
        "evaluate": ["volume_fraction"],
        "strategy": "prior",
        "engine": "serial",
        "trials": 2,
        "folder": str(tmp_path / "run"),
    }
    (tmp_path / "campaign.yaml").write_text(yaml.safe_dump(settings))
    return tmp_path


def command(run, place, *options):
    table, images = place / "data.csv", place / "images.npy"
    return run("import", place / "campaign.yaml", table, "--images", images, *options)


def test_imported_structures_are_trials_before_the_first(run, place):
    code, printed, _ = command(run, place)
    assert code == 0
    assert "4 structures imported as trials 0 to 3" in printed
    assert run("optimize", place / "campaign.yaml")[0] == 0
    code, printed, _ = run("status", place / "run")
    assert "2 of 2 trials completed" in printed
    assert "4 imported" in printed
    trials = Run.read(place / "run").trials
    assert [t.strategy for t in trials] == ["imported"] * 4 + ["prior"] * 2
    assert [t.metrics["cost"] for t in trials[:4]] == [1, 2, 3, 4]


def test_the_same_file_twice_is_said_and_not_doubled(run, place):
    command(run, place)
    code, printed, warned = command(run, place)
    assert code == 0
    assert "0 structures imported" in printed
    assert "known: row 2, images.npy[0]: is the structure of trial 0 already" in warned
    assert len(Run.read(place / "run").trials) == 4


def test_images_without_a_row_are_named(run, place):
    (place / "data.csv").write_text("image,volume_fraction\n2,.3\n")
    code, _, warned = command(run, place)
    assert code == 0
    assert "has no row: images.npy[0]" in warned


def test_rows_beyond_the_tolerance_are_named_and_left_out(run, place):
    rough = np.random.default_rng(0).integers(0, 2, (4, 8, 8))
    np.save(place / "images.npy", rough)
    code, printed, warned = command(run, place, "--tolerance", "0.01")
    assert code == 0
    assert "0 structures imported; 4 lie too far from the space" in printed
    assert "left out: row 2, images.npy[0]: " in warned


@pytest.mark.parametrize(
    ("table", "code", "message"),
    [
        ("volume_fraction\n.1\n.2\n.3\n", 3, "3 rows for the 4 images"),
        ("volume_fraction\n.1\n\n.3\n.4\n", 3, "3 rows for the 4 images"),
        ("image,volume_fraction\n0,\n", 3, "row 2 has nothing for volume_fraction"),
        ("image,volume_fraction\n9,.1\n", 3, "row 2 names '9'"),
        ("image,fraction\n0,.1\n", 3, "no column 'volume_fraction'"),
        ("image,volume_fraction,distance_from_data\n0,.1,2\n", 3, "computed for every trial"),
    ],
)
def test_bad_data_are_one_line_and_import_nothing(run, place, table, code, message):
    (place / "data.csv").write_text(table)
    answered, _, said = command(run, place)
    assert answered == code
    assert message in said
    assert said.count("\n") == 1
    journal = place / "run" / "journal.jsonl"
    assert not journal.exists() or not Run.read(place / "run").trials


def test_standard_errors_of_a_table_are_those_of_its_trials(run, place):
    table = "volume_fraction,volume_fraction_sem\n.1,.01\n.2,.02\n.3,\n.4,.04\n"
    (place / "data.csv").write_text(table)
    assert command(run, place)[0] == 0
    trials = Run.read(place / "run").trials
    assert [dict(t.sem) for t in trials] == [
        {"volume_fraction": 0.01},
        {"volume_fraction": 0.02},
        {},
        {"volume_fraction": 0.04},
    ]
    assert {*trials[0].metrics} == {"volume_fraction", "distance_from_data"}
