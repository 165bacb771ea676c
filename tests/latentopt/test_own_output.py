"""Every command that writes: nothing of the user's is replaced, and the same command runs again."""

import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from generative.data.synthetic import gaussian_random_field
from generative.files.own_files import NOTES
from latentopt.campaign.campaign import Campaign
from latentopt.cli.options.campaigns import QuickstartOptions
from latentopt.cli.quickstart import quickstart
from latentopt.errors import OutputError
from latentopt.export import EXPORTERS
from latentopt.microstructure import Microstructure
from latentopt.simulators.reference import main as screen
from latentopt.simulators.task import write_task
from latentopt.space.latent_space import LatentSpace

RNG = np.random.default_rng(0)
SETTINGS = """
name: tiny
space: space
objective: volume_fraction
evaluate: [volume_fraction]
strategy: prior
engine: serial
trials: 2
batch: 2
"""
SURROGATE = ("surrogate", "fit", "few.npy", "--objective", "volume_fraction", "--out", "out")
MAKE = ("data", "make", "laminate", "--n", "2", "--shape", "16", "16", "--out")
PREPARE = ("data", "prepare", "pictures", "--segment", "otsu", "--out", "set.h5")
EVALUATE = ("evaluate", "space", "--data", "images.npy", "--samples", "8", "--out", "out")
INTERPOLATE = ("interpolate", "space", "--data", "images.npy", "--pairs", "1", "--n", "3")
# The command, and the file that stands in its way.
WRITERS = {
    "encode": (("encode", "space", "images.npy", "--out", "new.npy"), "new.npy"),
    "decode": (("decode", "space", "z.npy", "--out", "new.npy"), "new.npy"),
    "sample, points": (("sample", "space", "--n", "2", "--out", "out"), "out/z.csv"),
    "sample, picture": (("sample", "space", "--n", "2", "--out", "out"), "out/samples.png"),
    "evaluate": (EVALUATE, "out/fidelity.csv"),
    "interpolate": ((*INTERPOLATE, "--out", "out"), "out/table.csv"),
    "report": (("report", "run"), "run/report.html"),
    "report elsewhere": (("report", "run", "--out", "page.html"), "page.html"),
    "export": (("export", "run", "--out", "out", "--trial", "0"), "out/trial_0000.h5"),
    "export, sidecar": (("export", "run", "--trial", "0"), "run/exports/trial_0000.h5.json"),
    "export, MOOSE": (
        ("export", "run", "--trial", "0", "--format", "png", "--out", "out"), "out/trial_0000.i"),
    "train": (("train", "images.npy", "--model", "pca", "--out", "out"), "out/README.md"),
    "train, space": (("train", "images.npy", "--model", "pca", "--out", "out"), "out/space.json"),
    "surrogate": (SURROGATE, "out/README.md"),
    "surrogate, weights": (SURROGATE, "out/weights.safetensors"),
    "inspect": (("data", "inspect", "images.npy", "--out", "sheet.png"), "sheet.png"),
    "prepare": (PREPARE, "set.h5"),
    "prepare, preview": (PREPARE, "set.png"),
    "make": ((*MAKE, "set.h5"), "set.h5"),
    "make, table": ((*MAKE, "set.npz"), "set.csv"),
    "make, picture of a folder": ((*MAKE, "sets"), "sets.png"),
    "make zoo, table": (
        ("data", "make", "zoo", "--n", "1", "--shape", "21x21x21", "--out", "zoo"), "zoo.csv"),
}  # fmt: skip


@pytest.fixture(scope="module")
def made(tiny_space, tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    space = LatentSpace.load(tiny_space.save(folder / "space"))
    space.documents = {"samples.png": b"a picture of the training"}
    space.save(folder / "space")
    images = gaussian_random_field(90, (8, 8), seed=1)
    np.save(folder / "images.npy", images)
    np.save(folder / "few.npy", images[:30])
    np.save(folder / "z.npy", RNG.standard_normal((3, 4)))
    (folder / "pictures").mkdir()
    for name in "ab":
        grey = RNG.integers(0, 256, (16, 16), dtype=np.uint8)
        Image.fromarray(grey).save(folder / "pictures" / f"{name}.png")
    (folder / "campaign.yaml").write_text(SETTINGS)
    settings = {"objective": "volume_fraction", "evaluate": ["volume_fraction"], "trials": 2}
    fast = {"strategy": "prior", "engine": "serial"}
    with Campaign(space=folder / "space", folder=folder / "run", **settings, **fast) as campaign:
        campaign.run(progress=False)
    return folder


@pytest.fixture
def here(made, tmp_path, monkeypatch):
    shutil.copytree(made, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


def contents(folder):
    """Every file of a folder but the notes of what is ours."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != NOTES)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.mark.parametrize("name", WRITERS)
def test_what_is_not_ours_stays_and_overwrite_replaces_it(here, run, name):
    arguments, taken = WRITERS[name]
    (here / taken).parent.mkdir(parents=True, exist_ok=True)
    (here / taken).write_text("mine")
    before = contents(here)
    code, out, err = run(*arguments)
    assert (code, out, err.count("\n")) == (2, "", 1), err
    assert Path(taken).name in err
    assert "--overwrite" in err
    assert contents(here) == before, "nothing was written at all"
    code, _, err = run(*arguments, "--overwrite")
    assert code == 0, err
    assert (here / taken).read_bytes() != b"mine"


@pytest.mark.parametrize("name", [name for name in WRITERS if "zoo" not in name])
def test_the_same_command_runs_again_until_its_output_was_changed(here, run, name):
    arguments, taken = WRITERS[name]
    assert run(*arguments)[0] == 0
    code, _, err = run(*arguments)
    assert code == 0, err
    if name.startswith("train"):
        return  # a finished space is loaded, and says that it was changed
    with (here / taken).open("ab") as file:
        file.write(b"my notes")
    changed = (here / taken).read_bytes()
    code, _, err = run(*arguments)
    assert code == 2, err
    assert (here / taken).read_bytes() == changed


INPUTS = [
    (("data", "prepare", "pictures/a.png", "--out", "pictures/a.h5"), "pictures/a.png"),
    (("data", "prepare", "pictures", "--out", "pictures/set.h5"), None),
    (("data", "inspect", "pictures/a.png", "--out", "pictures/a.png"), "pictures/a.png"),
    (("data", "inspect", "pictures", "--out", "pictures/sheet.png"), None),
    (("data", "inspect", "z.npy", "--held-out", "images.npy", "--out", "images.npy"), "images.npy"),
    (("encode", "space", "images.npy", "--out", "images.npy"), "images.npy"),
    (("encode", "space", "images.npy", "--out", "space/config.json"), "space/config.json"),
    (("decode", "space", "z.npy", "--out", "./z.npy"), "z.npy"),
    (("sample", "space", "--out", "space"), "space/samples.png"),
    (("report", "run", "--out", "run/journal.jsonl"), "run/journal.jsonl"),
    (("report", "run", "--out", "run/candidates/0000.npz"), "run/candidates/0000.npz"),
    (("train", "pictures", "--patch", "16", "--out", "pictures"), None),
    (("train", "pictures", "--patch", "16", "--out", "pictures/space"), None),
    (("surrogate", "fit", "few.npy", "--y", "out/README.md", "--out", "out"), "out/README.md"),
    (("train", "images.npy", "--config", "out/config.json", "--out", "out"), "out/config.json"),
]


@pytest.mark.parametrize(("arguments", "name"), INPUTS, ids=lambda value: str(value)[:60])
def test_an_input_is_never_written_even_with_overwrite(here, run, arguments, name):
    (here / "out").mkdir()
    (here / "out" / "README.md").write_text("0.5\n" * 30)
    (here / "out" / "config.json").write_text('{"model": "pca"}')
    before = contents(here)
    for more in ((), ("--overwrite",)):
        code, _, err = run(*arguments, *more)
        assert (code, err.count("\n")) == (2, 1), err
        assert contents(here) == before
    assert name is None or "read by this command and never written" in err


def test_an_input_is_known_behind_links(here, run):
    os.link("pictures/a.png", "hard.png")
    Path("soft.png").symlink_to("pictures/a.png")
    for out in ("hard.png", "soft.png"):
        code, _, err = run("data", "inspect", "pictures", "--out", out, "--overwrite")
        assert (code, "the same file as pictures/a.png" in err) == (2, True)


def test_overwrite_without_a_file_to_write_is_refused(here, run):
    code, _, err = run("data", "inspect", "images.npy", "--overwrite")
    assert (code, "--overwrite goes with --out" in err) == (2, True)


def test_samples_do_not_go_among_images_of_others(here, run):
    before = contents(here)
    code, _, err = run("sample", "space", "--n", "2", "--out", "pictures")
    assert (code, "pictures: holds images that latentopt did not write (a.png)" in err) == (2, True)
    assert contents(here) == before


def test_images_that_are_missing_are_named_before_a_space_that_is_in_the_way(here, run):
    code, _, err = run("train", "nosuch", "--out", "space")
    assert (code, err.count("\n"), "nosuch: no such file or folder" in err) == (3, 1, True)


def test_a_space_and_a_surrogate_do_not_take_each_others_folder(here, run):
    before = contents(here / "space")
    code, _, err = run(*SURROGATE[:-1], "space")
    assert (code, err.count("\n")) == (2, 1)
    assert contents(here / "space") == before
    assert run(*SURROGATE)[0] == 0
    before = contents(here / "out")
    code, _, err = run("train", "images.npy", "--model", "pca", "--out", "out")
    assert (code, err.count("\n")) == (2, 1)
    assert contents(here / "out") == before


def test_another_training_replaces_a_space_only_if_it_is_told_to(here, run):
    train = ("train", "images.npy", "--model", "pca", "--out", "out")
    assert run(*train)[0] == 0
    before = contents(here / "out")
    code, _, err = run(*train, "--seed", "7")
    assert (code, "replace it with --overwrite" in err) == (2, True)
    assert contents(here / "out") == before
    assert run(*train, "--seed", "7", "--overwrite")[0] == 0
    assert json.loads((here / "out" / "training.json").read_text())["training"]["seed"] == 7


@pytest.mark.parametrize(
    ("name", "expected"),
    [("candidates/0007.npz", 4), ("candidates/a", 2), ("simulations/a", 2), ("spaces/1/a", 2)],
)
def test_a_campaign_does_not_begin_among_files_of_its_names(here, run, name, expected):
    (here / "new" / name).parent.mkdir(parents=True)
    (here / "new" / name).write_text("mine")
    code, _, err = run("optimize", "campaign.yaml", "--out", "new")
    assert (code, err.count("\n")) == (expected, 1)
    assert contents(here / "new")[name] == b"mine"


@pytest.mark.parametrize("name", ["journal.jsonl", "campaign.lock"])
@pytest.mark.parametrize("text", ["mine", "mine\n", '{"a": 1}\n\n{"b": 2}\n'])
def test_a_journal_or_lock_of_another_program_is_left_alone(here, run, name, text):
    (here / "new").mkdir()
    (here / "new" / name).write_text(text)
    code, _, err = run("optimize", "campaign.yaml", "--out", "new")
    assert (code, err.count("\n")) == (2, 1)
    assert contents(here / "new") == {name: text.encode()}


def test_a_campaign_begins_beside_files_of_other_names(here, run):
    (here / "new").mkdir()
    shutil.copy("campaign.yaml", "new/campaign.yaml")
    (here / "new" / "log.txt").write_text("mine")
    assert run("optimize", "new/campaign.yaml", "--out", "new")[0] == 3  # its space is elsewhere
    assert run("optimize", "campaign.yaml", "--out", "new")[0] == 0
    assert (here / "new" / "log.txt").read_text() == "mine"


def test_quickstart_does_not_begin_where_its_report_is_in_the_way(here):
    (here / "new").mkdir()
    (here / "new" / "report.html").write_text("mine")
    with pytest.raises(OutputError, match=r"report\.html: is there already"):
        quickstart(QuickstartOptions(out=here / "new", trials=1))
    assert contents(here / "new") == {"report.html": b"mine"}


@pytest.fixture
def structure():
    phases = RNG.integers(0, 2, (8, 8), dtype=np.uint8)
    return Microstructure(phases, (1e-6, 1e-6), ("matrix", "fibre"), (True, True))


def screened(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["latentopt-screen", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        screen()
    return ended.value.code or 0


def test_a_screen_writes_over_neither_structure_nor_files_that_are_not_ours(
    here, structure, monkeypatch, capsys
):
    file = EXPORTERS["hdf5"].write(structure, here / "best.h5")
    Path("mine.json").write_text("mine")
    before = contents(here)
    for result in ("best.h5", "best.h5.json"):
        assert screened(monkeypatch, file, "--result", result, "--overwrite") == 2
    assert screened(monkeypatch, file, "--result", "mine.json") == 2
    assert screened(monkeypatch, file, "--overwrite") == 2
    assert contents(here) == before
    for _ in range(2):
        assert screened(monkeypatch, file, "--result", "new.json") == 0
    assert screened(monkeypatch, file, "--result", "mine.json", "--overwrite") == 0


def test_a_simulation_does_not_empty_a_folder_with_a_task_of_another_program(tmp_path, structure):
    (tmp_path / "task.json").write_text('{"schema": "mine/1"}')
    with pytest.raises(FileExistsError):
        write_task(tmp_path, structure, "hdf5", ["a"])
    assert contents(tmp_path) == {"task.json": b'{"schema": "mine/1"}'}


def test_a_finished_training_leaves_files_that_only_look_like_its_states(here, run):
    (here / "out").mkdir()
    (here / "out" / "training_data.safetensors").write_bytes(b"mine")
    assert run("train", "images.npy", "--model", "pca", "--out", "out")[0] == 0
    assert (here / "out" / "training_data.safetensors").read_bytes() == b"mine"
