"""The second embedded space: whole, small, anonymous, and as good as its card says."""

import json
import re

import numpy as np
import pytest
import scipy.ndimage
import torch

from generative.data.synthetic import gaussian_random_field
from generative.files.folder import read_folder
from generative.model import reconstruct
from generative.stages.reconstruction import reconstruction_errors
from latentopt import LatentSpace
from latentopt.errors import ConfigError
from latentopt.space.embedded import embedded_folder
from latentopt.space.named import load_space

FOLDER = embedded_folder("ldm")
UNSEEN = 987_654_321  # a seed that no training uses


@pytest.fixture(scope="module")
def space():
    return LatentSpace.default("ldm")


@pytest.fixture(scope="module")
def few(space):
    """The space with a tenth of its reference, which is enough to see where it goes."""
    return LatentSpace(
        space.model, space.whitening, reference=space.reference_[::10], radius=space.radius
    )


@pytest.fixture(scope="module")
def in_code(few):
    return few.in_coordinates("code")


@pytest.fixture(scope="module")
def images():
    return torch.from_numpy(gaussian_random_field(100, (64, 64), seed=UNSEEN))


@pytest.fixture(scope="module")
def reconstructed(space, images):
    return reconstruct(space.model, images)


@pytest.fixture(scope="module")
def drawn(space):
    return space.decode(space.sample(200, seed=0))


def test_a_name_that_no_embedded_space_has_is_refused():
    with pytest.raises(ValueError, match="name should be one of default, ldm, got 'gan'"):
        LatentSpace.default("gan")


def test_a_folder_of_the_same_name_is_not_mistaken_for_it(tmp_path, monkeypatch):
    (tmp_path / "ldm").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"ldm: names .* a folder here\. Give \./ldm"):
        load_space("ldm")


def test_it_is_at_most_10_megabytes_and_whole(space):
    assert sum(path.stat().st_size for path in FOLDER.rglob("*")) <= 10e6
    files = read_folder(FOLDER)
    assert {path.name for path in FOLDER.iterdir()} == {*files, "manifest.json"}
    assert json.loads(files["space.json"])["id"] == space.id


def test_it_names_no_folder_of_the_machine_it_was_made_on():
    for path in FOLDER.iterdir():
        if path.suffix in (".md", ".json"):
            text = path.read_text()
            assert not re.search(r"(/home|/root|/work|/tmp|/Users|[A-Z]:\\)", text), path.name


def test_unseen_structures_keep_their_statistics_and_their_interface(images, reconstructed):
    errors = reconstruction_errors(images, reconstructed)
    assert errors.two_point_mae <= 0.008
    assert errors.interface_ratio >= 0.95


def test_its_z_are_the_noise_of_its_model(space):
    z = space.sample(3, seed=0)
    torch.testing.assert_close(space.decode(z), space.model.decode(z.float()))
    assert torch.equal(space.whitening.axes, torch.eye(64, dtype=torch.float64))


def test_in_the_code_it_reconstructs_as_in_the_noise_and_its_training_set_is_white(
    space, few, in_code, images
):
    code = in_code
    again = code.decode(code.encode(images[:20]))
    difference = (again - space.decode(space.encode(images[:20]))).pow(2).mean().sqrt()
    assert difference <= 0.01  # the way to noise and back is exact to .005 of the code
    n = len(code.reference_)
    covariance = code.reference_.T @ code.reference_ / n
    torch.testing.assert_close(covariance, torch.eye(64, dtype=torch.float64), atol=1e-5, rtol=0)
    assert float((code.reference_.norm(dim=1) <= code.radius).double().mean()) == pytest.approx(
        0.95, abs=2 / n
    )
    moved = code.decode(code.reference_[::4]) - few.decode(few.reference_[::4])
    assert float(moved.abs().mean()) <= 1e-3, "the same structures, in the other coordinates"
    assert few.in_coordinates("noise") is few
    with pytest.raises(TypeError, match="ConvVAE has one coordinate system"):
        LatentSpace.default().in_coordinates("code")
    with pytest.raises(ValueError, match="noise or code, got 'style'"):
        few.in_coordinates("style")


def test_decoded_by_its_flow_a_space_without_a_student_is_as_it_was(few):
    z, flow = few.sample(2), few.by_flow()
    assert torch.equal(flow.decode(z), few.decode(z))
    assert (flow.id, flow.radius) == (few.id, few.radius)
    with pytest.raises(TypeError, match="ConvVAE has no flow"):
        LatentSpace.default().by_flow()


def test_noise_of_code_coordinates_is_the_noise_it_came_from(few, in_code):
    again = in_code.in_coordinates("noise")
    error = (again.reference_ - few.reference_).pow(2).mean().sqrt()
    assert 0 < error <= 0.05  # the way back from the code stretches what gains of .06 pressed
    assert torch.equal(again.whitening.axes, torch.eye(64, dtype=torch.float64))


def test_interpolate_shows_both_coordinates(run, few, images, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    few.save(tmp_path / "ldm")
    np.save(tmp_path / "x.npy", images[:40, 0].numpy())
    code, printed, err = run(
        "interpolate", "./ldm", "--data", tmp_path / "x.npy", "--pairs", 1, "--n", 3,
        "--out", tmp_path / "out",
    )  # fmt: skip
    assert code == 0, err
    names = [line.split("  ")[0] for line in printed.splitlines()[1:-1]]
    assert names == ["./ldm, noise"] * 2 + ["./ldm, code"] * 2 + ["pixels"]


def test_noise_of_unseen_structures_is_nearly_standard_normal_and_leads_back(space, images):
    code = space.model.in_coordinates("code").encode(images)
    with torch.no_grad():
        noise = space.model.to_noise(code)
        again = space.model.to_code(noise)
    assert float(noise.std()) == pytest.approx(1, abs=0.05)
    assert float((again - code).pow(2).mean().sqrt() / code.std()) <= 0.005


def test_its_samples_are_two_phase_structures_of_every_fraction(drawn):
    fractions = drawn.mean((1, 2, 3))
    assert ((drawn < 0.2) | (drawn > 0.8)).double().mean() > 0.7
    assert fractions.min() < 0.35
    assert fractions.max() > 0.65


def test_interface_is_not_faked_with_lone_voxels(images, reconstructed, drawn):
    def lone(structures):
        phases = np.asarray(structures.round()[:, 0], dtype=int)
        sizes = [
            np.bincount(scipy.ndimage.label(image == phase)[0].ravel())[1:]
            for image in phases
            for phase in (0, 1)
        ]
        return (np.concatenate(sizes) == 1).sum() / len(phases)

    allowed = 2 * lone(images) + 0.1
    assert lone(reconstructed) <= allowed
    assert lone(drawn) <= allowed


def test_gradients_reach_the_noise_through_the_flow(space):
    z = space.sample(2, seed=1).requires_grad_()
    (gradient,) = torch.autograd.grad(space.decode(z)[0].mean(), z)
    assert gradient[0].norm() > 0
    assert gradient[1].norm() == 0
