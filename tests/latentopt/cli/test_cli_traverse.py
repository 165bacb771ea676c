"""An infogan is trained to a space whose card says what its controls mean; traverse shows it."""

import pytest

from latentopt.errors import OutputError
from latentopt.space.latent_space import LatentSpace
from latentopt.training.train_space import TrainingSettings, train_space

SETTINGS = {
    "data": {"kind": "gaussian_random_field", "n": 8, "held_out": 3, "shape": [32, 32]},
    "model": "infogan",
    "options": {
        "widths": [4, 8],
        "encoder": {"widths": [4, 8]},
        "sets": None,
        "controls": {"categories": [2], "continuous": 1},
    },
    "training": {"steps": 2, "batch_size": 4, "progress": False, "precision": "float32"},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory, few_points):
    out = tmp_path_factory.mktemp("infogan") / "space"
    train_space(TrainingSettings.checked(SETTINGS), out)
    return out


def test_the_card_and_the_folder_say_what_controls_mean(folder):
    card = (folder / "README.md").read_text()
    assert "## Control variables" in card
    assert "| category 1 |" in card
    assert "| continuous 1 |" in card
    assert "(controls.png)" in card
    assert (folder / "controls.png").read_bytes().startswith(b"\x89PNG")
    space = LatentSpace.load(folder)
    assert "controls.json" in space.documents
    assert [control.name for control in space.controls] == ["category 1", "continuous 1"]


def test_traverse_writes_a_picture_and_prints_the_table(folder, run, tmp_path):
    picture = tmp_path / "shown.png"
    code, out, err = run("traverse", folder, "--n", 3, "--out", picture)
    assert "rank correlation with each property" in out
    assert "volume_fraction: share of phase 1" in out
    assert code == 0, err
    assert "correlation_length" in out
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_space_without_controls_is_refused_in_a_line(run, tmp_path):
    code, _, err = run("traverse", "default", "--out", tmp_path / "no.png")
    assert code == 2
    assert "infogan" in err
    assert len(err.splitlines()) == 1


def test_files_of_others_under_these_names_are_noticed_before_the_training(tmp_path):
    (tmp_path / "controls.png").write_bytes(b"someone's")
    with pytest.raises(OutputError, match=r"controls\.png"):
        train_space(TrainingSettings.checked(SETTINGS), tmp_path)
