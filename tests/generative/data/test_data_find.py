"""Folders with links, hidden files and names of all kinds: everything is read, or named."""

import os

import numpy as np
import pytest
from PIL import Image

from generative.data import read_dataset
from generative.data.find import find, find_files
from generative.data.inspection import inspect_images
from generative.data.prepare import Preparation, prepare_images
from generative.data.stored_set import encode_set, read_provenance
from generative.errors import DataError

RNG = np.random.default_rng(9)
NAMES = ["steel [1].png", "steel[2].PNG", "ünï 3.tif", "a, b #4.png", "c[0].png", "d[0:20].bmp"]


def picture(path, size=40):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(RNG.integers(0, 2, (size, size), dtype=np.uint8) * np.uint8(255))
    image.save(path, format="TIFF" if path.suffix == ".tif" else None)


@pytest.fixture
def real(tmp_path):
    for name in ("A/a.png", "A/b.png", "B/c.png"):
        picture(tmp_path / "real" / name)
    return tmp_path / "real"


def test_linked_class_folders_are_read_like_real_ones(real, tmp_path):
    linked = tmp_path / "linked"
    linked.mkdir()
    for name in "AB":
        (linked / name).symlink_to(real / name, target_is_directory=True)
    assert read_dataset(linked).sources == read_dataset(real).sources
    picture(linked / "C" / "d.png")
    data = read_dataset(linked)
    assert (data.class_names, len(data)) == (("A", "B", "C"), 4)
    assert find(linked).left_out == ()


def test_linked_files_and_links_in_links_are_read(real, tmp_path):
    linked = tmp_path / "linked"
    linked.mkdir()
    (linked / "one.png").symlink_to(real / "A" / "a.png")
    (linked / "two.png").symlink_to("one.png")
    (tmp_path / "again").symlink_to(linked, target_is_directory=True)
    data = read_dataset(tmp_path / "again")
    assert data.sources == ("one.png", "two.png")
    assert len(set(data.parents)) == 1, "they are one image"


@pytest.mark.parametrize("target", [".", "..", "../..", "../B"])
def test_links_in_a_circle_end_and_are_named(real, target):
    (real / "A" / "way").symlink_to(target, target_is_directory=True)
    (real / "B" / "back").symlink_to("../A", target_is_directory=True)
    found = find(real)
    names = [file.relative_to(real).as_posix() for file in found.files]
    assert {"A/a.png", "A/b.png", "B/c.png", "B/back/a.png"} <= set(names)
    assert len(names) == len(set(names)) < 12
    assert found.left_out
    assert all(line.endswith("(link in a circle)") for line in found.left_out)


def test_links_to_nothing_are_refused_and_inspect_goes_on(real):
    (real / "A" / "lost.png").symlink_to(real / "nowhere.png")
    (real / "gone").symlink_to(real / "nowhere", target_is_directory=True)
    with pytest.raises(DataError, match="is a link to nothing"):
        find_files(real)
    problems = inspect_images(real).problems
    assert sum("is a link to nothing" in line for line in problems) == 2


def test_everything_that_is_left_out_is_named(real):
    for name in ("._a.png", ".DS_Store", "Thumbs.db", "notes.txt", "table.csv"):
        (real / "A" / name).write_bytes(b"x")
    picture(real / ".cache" / "x.png")
    os.mkfifo(real / "B" / "pipe")
    expected = (
        ".cache (hidden)",
        "A/.DS_Store (hidden)",
        "A/._a.png (hidden)",
        "A/Thumbs.db (no image)",
        "A/notes.txt (no image)",
        "A/table.csv (no image)",
        "B/pipe (no image)",
    )
    assert find(real).left_out == expected
    assert inspect_images(real).left_out == expected
    assert len(read_dataset(real)) == 3


@pytest.mark.parametrize("place", ["Stähle (2)", "[a]", "a[1]b", "x, y", "#5", "a::b", "c d"])
def test_names_come_back_whole_from_the_provenance(tmp_path, place):
    folder = tmp_path / place / "class [x]"
    for name in NAMES:
        picture(folder / name)
    np.save(
        folder / "stack[3].npy", RNG.integers(0, 2, (2, 40, 40), dtype=np.uint8) * np.uint8(255)
    )
    how = Preparation(segmentation="labels", patch=20)
    prepared = prepare_images(tmp_path / place, how)
    path = tmp_path / "set.h5"
    path.write_bytes(encode_set(prepared.dataset, prepared.provenance))
    records = read_provenance(path)
    files = {f"class [x]/{name}" for name in (*NAMES, "stack[3].npy")}
    assert {record["file"] for record in records} == files
    data = read_dataset(path)
    assert len(set(data.parents)) == 8
    for record, image in zip(records, data.images, strict=True):
        y, x = record["offset"]
        whole = read_dataset(tmp_path / place / record["file"]).images[record["row"], 0]
        np.testing.assert_array_equal(image[0], whole[y : y + 20, x : x + 20])
    assert len(set(data.places.origins.tolist())) == 8
