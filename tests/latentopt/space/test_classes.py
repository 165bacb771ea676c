"""Classes of the reference points of a space: kept, thinned as the points are, refused if wrong."""

import hashlib
import json
import shutil

import numpy as np
import pytest
import torch

from generative import PCA
from generative.data.dataset import Dataset
from generative.data.synthetic import gaussian_random_field
from generative.files.folder import MANIFEST, json_bytes
from generative.files.tensors import bytes_to_tensors, tensors_to_bytes
from latentopt import LatentSpace
from latentopt.errors import ModelFileError
from latentopt.space import Classes
from latentopt.space.files import LABELS, SPACE, WHITENING
from latentopt.space.fitting import REFERENCE_ROWS, thinned

NAMES = ("dark", "bright")


def labelled(n, shape=(8, 8)):
    """Images, and whether the volume fraction of each is above the median."""
    images = torch.from_numpy(gaussian_random_field(n, shape, seed=0))
    fraction = images.mean((1, 2, 3))
    return images, Classes((fraction > fraction.median()).long(), NAMES)


def space_of(n=60, **options):
    images, classes = labelled(n)
    return LatentSpace.fit(
        PCA((1, 8, 8), components=4).fit(images), images, classes=classes, **options
    )


def rewrite(folder, *, tensors=None, **settings):
    """Change tensors or settings with their sha256, which notices nothing then."""
    before = bytes_to_tensors((folder / WHITENING).read_bytes())
    kept = {k: v for k, v in (before | (tensors or {})).items() if v is not None}
    told = json.loads((folder / SPACE).read_text()) | settings
    manifest = json.loads((folder / MANIFEST).read_text())
    files = {
        WHITENING: tensors_to_bytes(kept),
        SPACE: json_bytes({k: v for k, v in told.items() if v is not ...}),
    }
    for name, data in files.items():
        (folder / name).write_bytes(data)
        manifest[name] = hashlib.sha256(data).hexdigest()
    (folder / MANIFEST).write_bytes(json_bytes(manifest))


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    return space_of().save(tmp_path_factory.mktemp("classes") / "space")


@pytest.fixture
def folder(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / "space")


def test_each_reference_point_has_the_class_of_the_image_that_it_decodes_to():
    images, classes = labelled(60)
    space = LatentSpace.fit(PCA((1, 8, 8), components=59).fit(images), images, classes=classes)
    decoded = space.decode(space.reference_).mean((1, 2, 3))
    bright = (decoded > images.mean((1, 2, 3)).median()).long()
    assert torch.equal(bright, space.reference_classes_.labels)


def test_classes_are_thinned_as_the_points_are():
    images, classes = labelled(REFERENCE_ROWS + 300)
    space = LatentSpace.fit(PCA((1, 8, 8), components=4).fit(images), images, classes=classes)
    assert len(space.reference_classes_) == len(space.reference_) < REFERENCE_ROWS
    chosen = [
        int(torch.cdist(space.encode(images), point[None]).argmin())
        for point in space.reference_[:20]
    ]
    assert torch.equal(space.reference_classes_.labels[:20], classes.labels[chosen])


def test_classes_are_those_of_the_images_whose_points_are_kept():
    images, classes = labelled(40)
    model = PCA((1, 8, 8), components=4).fit(images)
    few = Classes(classes.labels[:7], NAMES)
    space = LatentSpace.fit(model, images, reference=images[:7], classes=few)
    assert torch.equal(space.reference_classes_.labels, few.labels)


def test_classes_are_the_same_after_a_space_is_saved(saved, tmp_path):
    space, loaded = space_of(), LatentSpace.load(saved)
    assert torch.equal(loaded.reference_classes_.labels, space.reference_classes_.labels)
    assert loaded.reference_classes_.class_names == NAMES
    again = loaded.save(tmp_path / "again")
    assert (again / MANIFEST).read_bytes() == (saved / MANIFEST).read_bytes()


def test_a_space_without_classes_has_none_after_it_is_saved(tiny_space, tmp_path):
    assert tiny_space.reference_classes_ is None
    assert LatentSpace.load(tiny_space.save(tmp_path)).reference_classes_ is None


def test_copies_and_the_card_of_a_space_know_the_classes():
    space = space_of()
    assert "dark, bright" in space._repr_html_()
    assert space.inverting(3).reference_classes_ is space.reference_classes_


def test_classes_that_are_not_known_are_kept_as_such(tmp_path):
    images, _ = labelled(3)
    model = PCA((1, 8, 8), components=2).fit(images)
    classes = Classes(torch.tensor([1, -1, 0]), NAMES)
    space = LatentSpace.fit(model, images, classes=classes)
    loaded = LatentSpace.load(space.save(tmp_path)).reference_classes_
    assert loaded.names() == ("bright", None, "dark")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"tensors": {LABELS: torch.zeros(59, dtype=torch.int64)}}, "59 labels"),
        ({"tensors": {LABELS: torch.full((60,), 2)}}, "from -1 to 1"),
        ({"tensors": {LABELS: torch.full((60,), -2)}}, "from -1 to 1"),
        ({"tensors": {LABELS: None}}, LABELS),
        ({"class_names": ...}, "class_names"),
        ({"class_names": ["one", "one"]}, "each once"),
        ({"class_names": "ab"}, "list of texts"),
        ({"class_names": ["one", ""]}, "should be texts"),
    ],
)
def test_classes_that_do_not_fit_the_points_are_refused(folder, change, reason):
    rewrite(folder, **change)
    with pytest.raises(ModelFileError) as caught:
        LatentSpace.load(folder)
    message = str(caught.value)
    assert reason in message
    assert "Restore the folder from a copy" in message
    assert "\n" not in message


def test_a_label_for_each_image_is_asked_for():
    images, classes = labelled(12)
    model = PCA((1, 8, 8), components=2).fit(images)
    with pytest.raises(ValueError, match="each of 11 images, got 12 labels"):
        LatentSpace.fit(model, images[:11], classes=classes)


def test_images_of_one_class_have_no_classes():
    images = gaussian_random_field(4, (8, 8), seed=0)
    assert Classes.of_data(Dataset.from_images(images)) is None
    two = Dataset(
        images=images,
        labels=np.array([0, 1, 1, 0]),
        class_names=("a", "b"),
        sources=("1", "2", "3", "4"),
        parents=np.arange(4),
    )
    assert Classes.of_data(two).names() == ("a", "b", "b", "a")


@pytest.mark.parametrize("n", [1, 2, 7, 60, 97])
def test_rows_thinned_by_what_is_left_are_the_same(n):
    rows = torch.arange(n)
    for most in range(1, n + 2):
        left = thinned(rows, most)
        assert torch.equal(thinned(rows, len(left)), left)
