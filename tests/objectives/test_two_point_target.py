import numpy as np
import pytest
import tifffile
import torch
from PIL import Image
from pydantic import ValidationError

from objectives.pymks_import import pymks_installed
from objectives.two_point import two_point_statistics
from objectives.two_point_target import TwoPointTarget, read_structure


def structure(space=(8, 9), seed=0):
    return (np.random.default_rng(seed).random(space) > 0.5).astype(np.uint8)


def as_images(array):
    return torch.from_numpy(array).float()[None, None]


def error(target, images):
    return target(images)["two_point_error"]


@pytest.mark.parametrize("space", [(8, 9), (5, 4, 6)])
def test_the_target_itself_its_shifts_and_its_reflection_have_no_error(space):
    target = TwoPointTarget(target=structure(space), engine="torch")
    images = as_images(structure(space))
    axes = tuple(range(2, images.ndim))
    moved = images.roll((2,) * len(axes), axes)
    errors = error(target, torch.cat([images, moved, images.flip(axes)]))
    assert errors.abs().max() < 1e-12


def test_error_is_the_mean_absolute_difference_of_statistics():
    images = torch.rand(3, 1, 8, 9, dtype=torch.float64)
    goal = structure()
    expected = two_point_statistics(images) - two_point_statistics(as_images(goal).double())
    torch.testing.assert_close(
        error(TwoPointTarget(target=goal), images), expected.abs().mean((1, 2, 3))
    )


@pytest.mark.skipif(not pymks_installed(), reason="PyMKS needs Python 3.11")
@pytest.mark.parametrize("periodic", [True, False])
def test_engines_give_the_same_error(periodic):
    images = torch.rand(3, 1, 8, 9)
    errors = [
        error(TwoPointTarget(target=structure(), engine=engine, periodic=periodic), images)
        for engine in ("torch", "pymks", None)
    ]
    torch.testing.assert_close(errors[0], errors[1], rtol=0, atol=1e-13)
    torch.testing.assert_close(errors[1], errors[2], rtol=0, atol=0)


@pytest.mark.parametrize("name", ["target.npy", "target.png", "target.tif"])
def test_a_file_is_as_good_as_its_array(tmp_path, name):
    array, path = structure(), tmp_path / name
    if name.endswith("npy"):
        np.save(path, array)
    elif name.endswith("png"):
        Image.fromarray(array * 255).save(path)
    else:
        tifffile.imwrite(path, array * 255)
    np.testing.assert_array_equal(read_structure(path), array)
    assert error(TwoPointTarget(target=str(path)), as_images(array)).item() < 1e-6


def test_a_file_is_known_by_its_whole_path_from_any_folder(tmp_path, monkeypatch):
    np.save(tmp_path / "target.npy", structure())
    monkeypatch.chdir(tmp_path)
    target = TwoPointTarget(target="target.npy")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert target.target == tmp_path / "target.npy"
    assert TwoPointTarget.model_validate(target.model_dump(mode="json")) == target
    assert error(target, as_images(structure())).item() < 1e-6


def test_a_volume_is_read_from_pages_of_a_tiff(tmp_path):
    array = structure((4, 5, 6))
    tifffile.imwrite(tmp_path / "volume.tif", array, photometric="minisblack")
    np.testing.assert_array_equal(read_structure(tmp_path / "volume.tif"), array)


def test_an_array_survives_json():
    target = TwoPointTarget(target=structure(), cutoff=2)
    assert TwoPointTarget.model_validate_json(target.model_dump_json()) == target


def test_with_a_cutoff_the_target_may_have_another_size():
    target = TwoPointTarget(target=structure((20, 30)), cutoff=3)
    assert error(target, torch.rand(2, 1, 8, 9)).shape == (2,)


def test_without_a_cutoff_another_size_is_refused():
    target = TwoPointTarget(target=structure((20, 30)))
    with pytest.raises(ValueError, match="Crop the target to the images' size, or set a cutoff"):
        error(target, torch.rand(2, 1, 8, 9))


def test_one_of_several_phases_is_compared():
    images = torch.rand(2, 3, 8, 9)
    by_channel = error(TwoPointTarget(target=structure(), phase=2), images)
    torch.testing.assert_close(by_channel, error(TwoPointTarget(target=structure()), images[:, 2:]))


def test_gradient_flows_through_torch():
    images = torch.rand(1, 1, 8, 9, requires_grad=True)
    error(TwoPointTarget(target=structure(), engine="torch"), images).sum().backward()
    assert images.grad.abs().max() > 0


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("nowhere.png", "nowhere.png: cannot be read"),
        (np.zeros(4), r"expected shape \(h, w\)"),
        (np.array([[0, 1], [2, 3]]), "expected 0 and one other value, got 4 from 0 to 3. Segment"),
        (np.array([[0.0, np.nan]]), r"expected finite values in \[0, 1\]"),
        (np.array([[0.0, 1.5]]), r"expected finite values in \[0, 1\]"),
        ([[0, 1], [1]], "expected rows of one length"),
    ],
)
def test_what_is_no_structure_is_refused_when_the_objective_is_made(target, message):
    with pytest.raises(ValidationError, match=message):
        TwoPointTarget(target=target)


def test_a_truncated_file_is_refused(tmp_path):
    Image.fromarray(structure((64, 64)) * 255).save(tmp_path / "cut.png")
    content = (tmp_path / "cut.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(content[: len(content) // 2])
    with pytest.raises(ValidationError, match=r"cut.png: cannot be read"):
        TwoPointTarget(target=tmp_path / "cut.png")


@pytest.mark.parametrize("name", ["colours.png", "colours.tif"])
def test_a_colour_image_is_no_volume(tmp_path, name):
    colours = np.random.default_rng(0).integers(0, 256, (6, 7, 3), dtype=np.uint8)
    if name.endswith("png"):
        Image.fromarray(colours).save(tmp_path / name)
    else:
        tifffile.imwrite(tmp_path / name, colours, photometric="rgb")
    with pytest.raises(ValidationError, match=f"{name}: cannot be read .colours; segment it"):
        TwoPointTarget(target=tmp_path / name)


def test_a_pickled_array_is_refused(tmp_path):
    np.save(tmp_path / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(ValidationError, match=r"objects.npy: cannot be read"):
        TwoPointTarget(target=tmp_path / "objects.npy")


def test_a_target_file_that_changed_is_refused_by_its_settings(tmp_path):
    path = tmp_path / "goal.npy"
    np.save(path, np.eye(4))
    spec = TwoPointTarget(target=path).model_dump(mode="json")
    assert TwoPointTarget.model_validate(spec).version == spec["version"]
    np.save(path, 1 - np.eye(4))
    with pytest.raises(ValueError, match=r"goal\.npy has another content now"):
        TwoPointTarget.model_validate(spec)
    assert TwoPointTarget(target=path).version != spec["version"]


def test_without_the_package_of_readers_arrays_still_do(tmp_path, monkeypatch):
    np.save(tmp_path / "target.npy", structure())
    monkeypatch.setattr("objectives.two_point_target.READER", "no_such_package.readers")
    with pytest.raises(ValidationError, match="cannot be read without the package no_such_package"):
        TwoPointTarget(target=tmp_path / "target.npy")
    assert error(TwoPointTarget(target=structure()), as_images(structure())).item() < 1e-6
