"""A client of a service that answers something else than it should."""

import io
import json

import numpy as np
import pytest

from latentopt.serve.client import Client, RemoteError
from latentopt.simulators.http_exchange import Answer

SPACE = {"id": "a", "kind": "vae", "latent_dim": 4, "image_shape": [1, 8, 8], "radius": 3.0}


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


@pytest.fixture
def answering(monkeypatch):
    """A client whose service answers what a test says, by the end of the path."""

    def make(**answers):
        told = {"spaces": json.dumps([SPACE]).encode(), "reference": npy(np.zeros((3, 4)))}
        told |= answers

        def exchange(request, *_):
            return Answer(200, "", None, told[request.selector.split("?")[0].split("/")[-1]])

        monkeypatch.setattr("latentopt.serve.client.exchange", exchange)
        return Client("http://127.0.0.1:1", "token")

    return make


IMAGES = np.zeros((2, 1, 8, 8), np.float32)


@pytest.mark.parametrize(
    "images",
    [
        IMAGES[:1], IMAGES[[0, 1, 1]], IMAGES.reshape(2, 8, 8, 1), IMAGES.reshape(2, 64),
        IMAGES.astype(np.uint8), IMAGES.astype(complex), IMAGES + np.nan, IMAGES + 7, IMAGES - 1,
    ],
)  # fmt: skip
def test_images_that_cannot_be_are_refused(answering, images):
    space = answering(decode=npy(images)).space()
    with pytest.raises(RemoteError):
        space.decode(np.zeros((2, 4)))


@pytest.mark.parametrize("z", [np.zeros((1, 4)), np.zeros((3, 4)), np.full((2, 4), np.nan)])
def test_points_that_cannot_be_are_refused(answering, z):
    space = answering(encode=npy(z)).space()
    with pytest.raises(RemoteError):
        space.encode(IMAGES)


@pytest.mark.parametrize("z", [np.zeros((3, 5)), np.zeros(4), np.full((3, 4), np.nan)])
def test_reference_points_that_cannot_be_are_refused(answering, z):
    with pytest.raises(RemoteError):
        answering(reference=npy(z)).space()


@pytest.mark.parametrize(
    "change",
    [
        {"radius": float("nan")}, {"radius": float("inf")}, {"radius": -1}, {"radius": None},
        {"latent_dim": -4}, {"latent_dim": "x"}, {"image_shape": [0]}, {"image_shape": None},
    ],
)  # fmt: skip
def test_a_space_that_cannot_be_is_refused(answering, change):
    with pytest.raises(RemoteError):
        answering(spaces=json.dumps([SPACE | change]).encode()).space()


@pytest.mark.parametrize("spaces", [b'{"detail": "x"}', b"[1]", b"[{}]", b"3", b"<html>"])
def test_a_list_of_spaces_that_is_none_is_refused(answering, spaces):
    with pytest.raises(RemoteError):
        answering(spaces=spaces).space()


def test_an_array_that_promises_too_much_is_refused(answering):
    file = npy(np.zeros(9)).replace(b"(9,), }            ", b"(99999999999999,), }")
    space = answering(decode=file).space()
    with pytest.raises(RemoteError):
        space.decode(np.zeros((2, 4)))


@pytest.mark.parametrize(
    "answer",
    [
        {"labels": [0, 1], "class_names": ["a", "b"]},
        {"labels": [0, 1, 2], "class_names": ["a", "b"]},
        {"labels": [0, 0, "x"], "class_names": ["a", "b"]},
        {"labels": [0, 0, 2**70], "class_names": ["a", "b"]},
        {"labels": [[0], [0], [0]], "class_names": ["a", "b"]},
        {"labels": None, "class_names": ["a", "b"]},
        {"labels": [0, 0, 0], "class_names": ["a", "a"]},
        {"labels": [0, 0, 0], "class_names": 3},
        {},
        [],
    ],
)
def test_classes_that_cannot_be_are_refused(answering, answer):
    spaces = json.dumps([SPACE | {"class_names": ["a", "b"]}]).encode()
    with pytest.raises(RemoteError):
        answering(spaces=spaces, classes=json.dumps(answer).encode()).space()
