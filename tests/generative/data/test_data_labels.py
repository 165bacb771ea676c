"""Images without a class: read, stored, split, and asked for by nobody."""

import numpy as np
import pytest
from PIL import Image

from generative.conditions import Conditions
from generative.data import (
    Dataset,
    Preparation,
    encode_set,
    inspect_images,
    prepare_images,
    read_dataset,
    split_by_parent,
)
from generative.errors import DataError

RNG = np.random.default_rng(3)


def labelled(labels, names=("a", "b"), parents=None):
    n = len(labels)
    return Dataset(
        images=RNG.random((n, 1, 8, 8)).astype(np.float32),
        labels=np.array(labels, np.int64),
        class_names=names,
        sources=tuple(f"{row}" for row in range(n)),
        parents=np.arange(n) if parents is None else np.array(parents),
    )


@pytest.fixture
def folder(tmp_path):
    for name in ("foam/a", "unlabelled/b", "unlabelled/c", "steel/d"):
        path = tmp_path / "images" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(RNG.integers(0, 256, (32, 32), dtype=np.uint8)).save(path)
    return tmp_path / "images"


def test_a_folder_called_unlabelled_is_no_class(folder, tmp_path):
    data = read_dataset(folder, grey="otsu")
    assert data.class_names == ("foam", "steel")
    assert data.labels.tolist() == [0, 1, -1, -1]
    assert data.class_of(2) == "unlabelled"
    assert inspect_images(folder).classes == {"unlabelled": 2, "foam": 1, "steel": 1}
    prepared = prepare_images(folder, Preparation(segmentation="keep", patch=16))
    assert prepared.dataset.class_names == ("foam", "steel")
    assert prepared.dataset.labels.tolist() == [0] * 4 + [1] * 4 + [-1] * 8
    path = tmp_path / "set.h5"
    path.write_bytes(encode_set(prepared.dataset, prepared.provenance))
    assert read_dataset(path).labels.tolist() == prepared.dataset.labels.tolist()
    assert inspect_images(path).classes == {"unlabelled": 8, "foam": 4, "steel": 4}


def test_images_of_which_none_is_labelled_have_no_classes(folder):
    data = read_dataset(folder / "unlabelled", grey="otsu")
    assert (data.class_names, data.labels.tolist()) == ((), [-1, -1])


@pytest.mark.parametrize("labels", [[0, -2], [2, 0]])
def test_other_labels_are_refused(labels):
    with pytest.raises(DataError, match="labels from 0 to 1, a class name each, or -1 where"):
        labelled(labels)


def test_a_split_spreads_the_unlabelled_as_a_class_of_their_own():
    data = labelled([0] * 10 + [-1] * 20 + [1] * 10)
    split = split_by_parent(data, fractions=(0.5, 0.3, 0.2))
    counts = [[int((part.labels == k).sum()) for k in (-1, 0, 1)] for part in split]
    assert counts == [[10, 5, 5], [6, 3, 3], [4, 2, 2]]


def test_a_parent_with_one_label_is_of_that_class():
    # Of each frame a labelled window and an unlabelled one, which comes first: as if all were
    # labelled, and not one class.
    both = labelled([-1, 0] * 6 + [-1, 1] * 6, parents=np.repeat(np.arange(12), 2))
    split = split_by_parent(both, fractions=(0.5, 0.25, 0.25), seed=2)
    alone = split_by_parent(labelled([0] * 6 + [1] * 6), fractions=(0.5, 0.25, 0.25), seed=2)
    parents = [set(part.parents) for part in split]
    assert parents == [set(part.parents) for part in alone]


def test_an_unlabelled_image_asks_for_no_class():
    conditions = Conditions.of_data(("a", "b"), {})
    rows = conditions.rows(np.array([1, -1, 0]), {})
    assert rows.tolist() == [[0, 1], [0, 0], [1, 0]]
