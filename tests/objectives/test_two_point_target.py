import json

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image
from pydantic import ValidationError

from generative.data.structure_files import StructureFiles
from objectives.errors import EvaluationError
from objectives.grid import Grid
from objectives.pymks_import import pymks_installed
from objectives.two_point import two_point_statistics
from objectives.two_point_target import TwoPointTarget, read_structure

READER = StructureFiles()


def structure(space=(8, 9), seed=0):
    return (np.random.default_rng(seed).random(space) > 0.5).astype(np.uint8)


def as_images(array):
    return torch.from_numpy(array).float()[None, None]


def again(target):
    return TwoPointTarget.model_validate({**target.model_dump(mode="json"), "reader": READER})


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
    np.testing.assert_array_equal(read_structure(path, READER), array)
    assert error(TwoPointTarget(target=str(path), reader=READER), as_images(array)).item() < 1e-6


def test_a_file_is_known_by_its_whole_path_from_any_folder(tmp_path, monkeypatch):
    np.save(tmp_path / "target.npy", structure())
    monkeypatch.chdir(tmp_path)
    target = TwoPointTarget(target="target.npy", reader=READER)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert target.target == tmp_path / "target.npy"
    assert again(target) == target
    assert error(target, as_images(structure())).item() < 1e-6


def test_a_volume_is_read_from_pages_of_a_tiff(tmp_path):
    array = structure((4, 5, 6))
    tifffile.imwrite(tmp_path / "volume.tif", array, photometric="minisblack")
    np.testing.assert_array_equal(read_structure(tmp_path / "volume.tif", READER), array)


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
        TwoPointTarget(target=target, reader=READER)


def test_a_truncated_file_is_refused(tmp_path):
    Image.fromarray(structure((64, 64)) * 255).save(tmp_path / "cut.png")
    content = (tmp_path / "cut.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(content[: len(content) // 2])
    with pytest.raises(ValidationError, match=r"cut.png: cannot be read"):
        TwoPointTarget(target=tmp_path / "cut.png", reader=READER)


@pytest.mark.parametrize("name", ["colours.png", "colours.tif"])
def test_a_colour_image_is_no_volume(tmp_path, name):
    colours = np.random.default_rng(0).integers(0, 256, (6, 7, 3), dtype=np.uint8)
    if name.endswith("png"):
        Image.fromarray(colours).save(tmp_path / name)
    else:
        tifffile.imwrite(tmp_path / name, colours, photometric="rgb")
    with pytest.raises(ValidationError, match=f"{name}: cannot be read .colours; segment it"):
        TwoPointTarget(target=tmp_path / name, reader=READER)


def test_a_pickled_array_is_refused(tmp_path):
    np.save(tmp_path / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(ValidationError, match=r"objects.npy: cannot be read"):
        TwoPointTarget(target=tmp_path / "objects.npy", reader=READER)


def test_a_target_file_that_changed_is_refused_by_its_settings(tmp_path):
    path = tmp_path / "goal.npy"
    np.save(path, np.eye(4))
    spec = TwoPointTarget(target=path, reader=READER).model_dump(mode="json") | {"reader": READER}
    assert TwoPointTarget.model_validate(spec).version == spec["version"]
    np.save(path, 1 - np.eye(4))
    with pytest.raises(ValueError, match=r"goal\.npy has another content now"):
        TwoPointTarget.model_validate(spec)
    assert TwoPointTarget(target=path, reader=READER).version != spec["version"]


def test_without_a_reader_arrays_still_do(tmp_path):
    np.save(tmp_path / "target.npy", structure())
    with pytest.raises(ValidationError, match=r"target\.npy: cannot be read without a reader"):
        TwoPointTarget(target=tmp_path / "target.npy")
    assert error(TwoPointTarget(target=structure()), as_images(structure())).item() < 1e-6


def write_target(folder, name, size_um):
    """The structure in a file that says what a voxel measures, as several programs do."""
    array, path = structure() * 255, folder / name
    y, x = size_um
    if name.endswith("imagej.tif"):
        about = {"imagej": True, "metadata": {"unit": "um", "axes": "YX"}}
        tifffile.imwrite(path, array, resolution=(1 / x, 1 / y), **about)
    elif name.endswith("ome.tif"):
        about = {"PhysicalSizeX": x * 1e3, "PhysicalSizeXUnit": "nm", "PhysicalSizeY": y}
        tifffile.imwrite(path, array, ome=True, metadata={"axes": "YX", **about})
    else:
        Image.fromarray(array).save(path)
        sidecar = {
            "schema": "latentopt.export/1",
            "axes": "yx",
            "voxel_size": {"y": y * 1e-6, "x": x * 1e-6},
        }
        (folder / f"{name}.json").write_text(json.dumps(sidecar))
    return path


@pytest.mark.parametrize("name", ["target.imagej.tif", "target.ome.tif", "target.png"])
@pytest.mark.parametrize("size", [(0.5, 0.5), (2.0, 0.5)])
def test_a_file_that_says_its_voxel_size_goes_with_images_of_that_size_only(tmp_path, name, size):
    path = write_target(tmp_path, name, size)
    target, images = (
        TwoPointTarget(target=path, reader=READER, engine="torch"),
        as_images(structure()),
    )
    assert target.voxel_size_um == pytest.approx(size)
    assert again(target) == target
    assert target(images, Grid(size))["two_point_error"].item() < 1e-6
    for other in (Grid(), Grid((0.5, 2.0)), Grid(5.0)):
        with pytest.raises(EvaluationError, match=r"voxels of the target measure .* Resample the"):
            target(images, other)
    # What the user says comes before what the file says.
    said = TwoPointTarget(target=path, reader=READER, engine="torch", voxel_size_um=5.0)
    assert said(images, Grid(5.0))["two_point_error"].item() < 1e-6


@pytest.mark.parametrize("name", ["plain.tif", "plain.png", "plain.npy", "printed.tif"])
def test_a_file_that_says_nothing_goes_with_images_of_any_voxel_size(tmp_path, name):
    path = tmp_path / name
    if name.endswith(".npy"):
        np.save(path, structure())
    elif name == "printed.tif":
        tifffile.imwrite(path, structure() * 255, resolution=(300, 300), resolutionunit="inch")
    else:
        Image.fromarray(structure() * 255).save(path)
    target = TwoPointTarget(target=path, reader=READER, engine="torch")
    for grid in (Grid(), Grid((3.0, 0.1)), None):
        assert target(as_images(structure()), grid)["two_point_error"].item() < 1e-6


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"schema": "latentopt.export/1"}', "[" * 9999]
)
def test_a_file_beside_it_that_is_no_sidecar_says_nothing(tmp_path, content):
    Image.fromarray(structure() * 255).save(tmp_path / "target.png")
    (tmp_path / "target.png.json").write_text(content)
    assert TwoPointTarget(target=tmp_path / "target.png", reader=READER).voxel_size_um is None


@pytest.mark.parametrize("periodic", [True, False])
def test_images_and_target_repeat_as_the_grid_says(periodic):
    images, goal = torch.rand(2, 1, 8, 9, dtype=torch.float64), structure()
    options = {"periodic": periodic, "cutoff": 3}
    expected = two_point_statistics(images, **options)
    expected = expected - two_point_statistics(as_images(goal).double(), **options)
    target = TwoPointTarget(target=goal, cutoff=3)
    for _ in range(2):  # the target's statistics are kept for either
        found = target(images, Grid(periodic=periodic))["two_point_error"]
        torch.testing.assert_close(found, expected.abs().mean((1, 2, 3)))
        target(images, Grid(periodic=not periodic))
    own = TwoPointTarget(target=goal, cutoff=3, periodic=periodic)
    torch.testing.assert_close(own(images)["two_point_error"], found)
    with pytest.raises(EvaluationError, match=f"periodic: {not periodic}. Leave it out"):
        own(images, Grid(periodic=not periodic))


def test_images_that_it_can_never_be_compared_with_are_refused_before_any_is_seen():
    target = TwoPointTarget(target=structure((20, 30)))
    assert target.for_images((1, 20, 30)) is target
    for shape in ((1, 8, 9), (1, 20, 30, 30)):
        with pytest.raises(EvaluationError, match="Crop the target to the images' size"):
            target.for_images(shape)
    cut = TwoPointTarget(target=structure((20, 30)), cutoff=4, phase=2)
    assert cut.for_images((3, 9, 9)) is cut
    with pytest.raises(EvaluationError, match="cutoff should be from 0 to 3"):
        cut.for_images((3, 8, 9))
    with pytest.raises(EvaluationError, match="phase should be one of 0 to 1"):
        cut.for_images((1, 9, 9))
