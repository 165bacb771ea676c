"""`latentopt surrogate`: fit and test from files, what it says, and one line for every mistake."""

import sys
from dataclasses import replace

import numpy as np
import pytest

from generative.data import Dataset
from generative.data.stored_set import encode_set
from generative.data.synthetic import gaussian_random_field
from latentopt.cli.app import main
from latentopt.measured.targets import read_targets
from objectives.grid import Grid
from objectives.surrogates import SURROGATES, load_surrogate

USAGE, DATA, CAMPAIGN = 2, 3, 4


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Images, their fractions in a table, held-out images, and settings of a small surrogate."""
    folder = tmp_path_factory.mktemp("surrogate")
    for name, n, seed in (("images", 40, 0), ("fresh", 20, 1)):
        images = gaussian_random_field(n, (12, 12), seed=seed)
        np.save(folder / f"{name}.npy", images)
        # Noise keeps the fits short: nothing is learned to the last digit.
        noise = 0.02 * np.random.default_rng(seed).standard_normal(n)
        fractions = images.mean((1, 2, 3)) + noise
        table = np.stack([fractions, 1 - fractions], 1)
        np.savetxt(
            folder / f"{name}.csv", table, delimiter=",", header="solid,porosity", comments=""
        )
    (folder / "small.yaml").write_text("kind: two_point_gp\ncomponents: 3\n")
    return folder


@pytest.fixture
def run(folder, capsys, monkeypatch):
    """Run a command there: its exit code, and the lines of standard output and error."""

    def call(*arguments):
        monkeypatch.chdir(folder)
        monkeypatch.setattr(sys, "argv", ["latentopt", "surrogate", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            main()
        printed = capsys.readouterr()
        return stop.value.code or 0, printed.out.splitlines(), printed.err.splitlines()

    return call


def fit(*more):
    return ("fit", "images.npy", "--y", "images.csv", "--config", "small.yaml", *more)


@pytest.fixture
def fitted(folder):
    """A saved surrogate of the column ``solid``."""
    images = np.load(folder / "images.npy")
    targets = read_targets(folder / "images.csv", [""] * len(images))
    surrogate = SURROGATES["two_point_gp"](components=3).fit(images, {"solid": targets["solid"]})
    return surrogate.save(folder / "fitted")


@pytest.mark.slow
def test_fit_cross_validates_saves_and_writes_a_card(run, folder):
    code, out, _ = run(*fit("--out", "solid", "--output", "solid", "--folds", "2"))
    assert code == 0
    assert out[0] == "2-fold cross-validation of two_point_gp on 40 images:"
    assert out[1].split()[0] == "solid"
    assert float(out[1].split()[2]) > 0.9
    surrogate = load_surrogate(folder / "solid")
    assert (surrogate.outputs, surrogate.components) == (("solid",), 3)
    card = (folder / "solid/README.md").read_text()
    assert "| solid | 0.9" in card
    assert "let the solver evaluate" in card


def test_test_compares_with_the_column_of_the_same_name(fitted, run):
    code, out, _ = run("test", "fitted", "fresh.npy", "--y", "fresh.csv")
    assert code == 0
    assert out[0] == "fitted (two_point_gp) on 20 images:"
    assert float(out[1].split()[2]) > 0.9


@pytest.mark.slow
def test_images_it_was_fitted_to_are_counted(folder, run):
    assert run(*fit("--out", "known"))[0] == 0
    old, fresh = (np.load(folder / f"{name}.npy") for name in ("images", "fresh"))
    np.save(folder / "mixed.npy", np.concatenate([fresh, np.rot90(old[:2], axes=(2, 3)), old[5:6]]))
    code, _, lines = run("test", "known", "fresh.npy", "--y", "fresh.csv")
    assert (code, lines) == (0, [])
    table = np.genfromtxt(folder / "fresh.csv", delimiter=",", names=True)
    rows = np.stack([table["solid"], table["porosity"]], 1)
    more = np.concatenate([rows, rows[:3]])
    np.savetxt(folder / "mixed.csv", more, delimiter=",", header="solid,porosity", comments="")
    code, _, lines = run("test", "known", "mixed.npy", "--y", "mixed.csv")
    assert code == 0
    assert "3 of 23 images are among those that known was fitted to" in lines[-1]


def test_values_may_come_from_an_objective_and_unnamed_ones_by_their_place(run, folder):
    small = ("--config", "small.yaml", "--folds", "2", "--out", "f")
    assert run("fit", "images.npy", "--objective", "volume_fraction", *small)[0] == 0
    np.save(folder / "y.npy", np.load(folder / "fresh.npy").mean((1, 2, 3)))
    code, out, _ = run("test", "f", "fresh.npy", "--y", "y.npy")
    assert code == 0
    assert out[1].split()[0] == "volume_fraction"
    assert float(out[1].split()[2]) > 0.9


@pytest.mark.parametrize(
    ("code", "arguments", "reason"),
    [
        (USAGE, ("fit", "images.npy"), "either as a file by --y, or computed by --objective"),
        (USAGE, fit("--objective", "volume_fraction"), "either as a file by --y"),
        (USAGE, fit("--kind", "two_pont_gp"), "did you mean two_point_gp"),
        (USAGE, fit("--kind", "cnn"), "surrogate.components: "),
        (USAGE, fit("--space", "default"), "--space goes with kind latent_gp"),
        (USAGE, fit("--grey", "black"), "--grey should be one of"),
        (USAGE, fit("--voxel-size-um", "a"), "--voxel-size-um should be lengths"),
        (
            USAGE,
            fit("--voxel-size-um", "0"),
            "surrogate.grid: voxel_size_um should be one positive",
        ),
        (USAGE, fit("--voxel-size-um", "1,2,3"), "surrogate.grid: voxel_size_um should be one"),
        (DATA, fit("--output", "stiffness"), "has no 'stiffness'; its outputs are solid, porosity"),
        (DATA, fit("--folds", "50"), "folds should be 2 to 40, the number of independent images"),
        (DATA, ("fit", "images.npy", "--y", "none.csv"), "none.csv: cannot be read"),
        (DATA, ("fit", "fresh.npy", "--y", "fresh.csv"), "needs 21 images or more, got 16"),
        (DATA, ("fit", "fresh.npy", "--y", "images.csv"), "a row for each of 20 images"),
        (DATA, ("test", "none", "fresh.npy", "--y", "fresh.csv"), "none: no manifest.json"),
    ],
)
def test_a_mistake_is_answered_in_one_line(run, code, arguments, reason):
    ended, _, lines = run(*arguments)
    assert (ended, len(lines)) == (code, 1), lines
    assert lines[0].startswith("latentopt: ")
    assert reason in lines[0]


@pytest.mark.slow
def test_the_grid_of_the_images_is_used_kept_and_asked_for(run, folder):
    (folder / "rule.yaml").write_text(
        "kind: manufacturability\nrules: [{kind: min_solid, limit_um: 2}]\n"
    )
    small = ("--config", "small.yaml", "--folds", "2")
    rule = ("fit", "images.npy", "--objective", "rule.yaml", *small)
    sizes = {}
    for name, options in (("one", ()), ("five", ("--voxel-size-um", "5", "--not-periodic"))):
        assert run(*rule, "--out", name, *options)[0] == 0
        surrogate = load_surrogate(folder / name)
        sizes[name] = float(surrogate.predict(np.load(folder / "images.npy")).mean.mean()) + 2
        card = (folder / name / "README.md").read_text()
        assert ("5.0 um, images do not repeat" in card) == bool(options)
    assert sizes["five"] > 2.5 * sizes["one"]
    assert surrogate.grid == Grid(5.0, periodic=False)
    data = replace(Dataset.from_images(np.load(folder / "fresh.npy")), voxel_size_m=(2e-6, 2e-6))
    (folder / "sized.h5").write_bytes(encode_set(data))
    code, _, (line,) = run("test", "five", "sized.h5", "--objective", "rule.yaml")
    assert code == DATA
    assert "fitted to images of voxels of 5.0 um" in line
    assert "2.0" in line


def test_nan_among_the_values_is_answered_by_row_and_nothing_is_saved(run, folder):
    values = np.load(folder / "images.npy").mean((1, 2, 3))
    values[7] = np.nan
    np.save(folder / "bad.npy", values)
    code, _, (line,) = run("fit", "images.npy", "--y", "bad.npy", "--out", "bad")
    assert code == DATA
    assert "bad.npy: y should be finite, got nan for y in row 7" in line
    assert not (folder / "bad/manifest.json").exists()


def test_a_changed_surrogate_and_images_of_another_size_are_refused(fitted, run, folder):
    np.save(folder / "larger.npy", gaussian_random_field(20, (13, 13), seed=0))
    code, _, (line,) = run("test", "fitted", "larger.npy", "--y", "fresh.csv")
    assert code == DATA
    assert "images should have shape (n, 1, 12, 12)" in line
    config = folder / "fitted/config.json"
    config.write_text(config.read_text().replace('"seed": 0', '"seed": 1'))
    code, _, (line,) = run("test", "fitted", "fresh.npy", "--y", "fresh.csv")
    assert code == DATA
    assert "its sha256 differs" in line
