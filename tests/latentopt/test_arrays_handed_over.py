"""Arrays as other libraries hand them over to a space and a history."""

import numpy as np
import pytest
import torch

from generative.batching import to_tensor
from latentopt.goal import Goal
from latentopt.history import History
from latentopt.microstructure import Microstructure, to_images, to_phases

FORMS = {
    "flipped": lambda x: x[..., ::-1].copy()[..., ::-1],
    "strided": lambda x: np.repeat(x, 2, -1)[..., ::2],
    "big-endian": lambda x: x.astype(">f8"),
    "float16": lambda x: x.astype(np.float16),
    "longdouble": lambda x: x.astype(np.longdouble),
    "read-only": lambda x: np.frombuffer(x.tobytes()).reshape(x.shape),
    "list": lambda x: x.tolist(),
    "tensor": torch.from_numpy,
}
WHOLE = {"bool": bool, "uint8": np.uint8, "big-endian uint16": ">u2", "int64": np.int64}
REFUSED = {
    "masked": (lambda x: np.ma.masked_array(x, mask=x > 0.5), "masked"),
    "complex": (lambda x: x.astype(complex), "numbers"),
    "text": (lambda x: x.astype(str), "array of numbers"),
}


@pytest.fixture
def images():
    return (np.random.default_rng(1).random((3, 1, 8, 8)) > 0.5).astype(float)


@pytest.mark.parametrize("form", [form for form in FORMS if form != "list"])
def test_a_space_answers_as_for_a_plain_copy(form, tiny_space, images):
    z = tiny_space.encode(images)
    np.testing.assert_allclose(np.asarray(tiny_space.encode(FORMS[form](images))), z, atol=1e-3)
    if form != "float16":
        for ask in (tiny_space.decode, tiny_space.distance_from_data):
            np.testing.assert_allclose(np.asarray(ask(FORMS[form](z))), ask(z), atol=1e-5)


@pytest.mark.parametrize("form", WHOLE)
def test_a_space_takes_phases_as_whole_numbers(form, tiny_space, images):
    z = tiny_space.encode(images.astype(WHOLE[form]))
    np.testing.assert_allclose(z, tiny_space.encode(images), atol=1e-5)
    with pytest.raises(ValueError, match="Divide 8-bit images by 255"):
        tiny_space.encode((images * 255).astype(np.uint8))


@pytest.mark.parametrize("form", REFUSED)
def test_a_space_refuses_what_would_lose_something(form, tiny_space, images):
    make, message = REFUSED[form]
    with pytest.raises(TypeError, match=f"images should be .*{message}"):
        tiny_space.encode(make(images))
    with pytest.raises(TypeError, match=f"z should be .*{message}"):
        tiny_space.decode(make(np.zeros((2, 4))))


def test_images_beyond_1_by_rounding_are_taken_and_by_more_refused(tiny_space):
    images = np.ones((1, 1, 8, 8))
    expected = tiny_space.encode(images)
    np.testing.assert_allclose(tiny_space.encode(images * (1 + 1e-7)), expected, atol=1e-4)
    with pytest.raises(ValueError, match=r"in \[0, 1\]"):
        tiny_space.encode(images * 1.01)


@pytest.mark.parametrize("form", ["list", "array", "tensor", "big-endian", "read-only", "float32"])
def test_a_history_takes_what_encode_answers_and_lists(form, tiny_space):
    z = np.random.default_rng(0).standard_normal((5, 4))
    change = {"array": np.asarray, "float32": lambda x: x.astype(np.float32), **FORMS}[form]
    history = History(
        tiny_space,
        Goal.parse("m"),
        z=change(z),
        metrics={"m": change(np.arange(5.0))},
        failed=change(z[:2]),
    )
    assert history.z.dtype == history.metrics["m"].dtype == torch.float64
    np.testing.assert_allclose(history.z.numpy(), z, atol=1e-6)
    assert history.metrics["m"].tolist() == [0, 1, 2, 3, 4]
    assert history.next_index == 7


def test_a_history_refuses_masked_points_and_wrong_columns(tiny_space):
    with pytest.raises(TypeError, match="z should be a plain array, got a masked one"):
        History(tiny_space, Goal.parse("m"), z=np.ma.zeros((2, 4)))
    with pytest.raises(ValueError, match="metric m should be 2 finite values"):
        History(tiny_space, Goal.parse("m"), z=np.zeros((2, 4)), metrics={"m": [1.0]})


def test_a_masked_array_is_no_structure_and_no_batch():
    masked = np.ma.masked_array(np.eye(8, dtype=int), mask=np.eye(8) > 0)
    images = masked[None, None].astype(np.float32)
    for ask in (
        lambda: Microstructure(masked, (1e-6, 1e-6), ("a", "b"), (True, True)),
        lambda: to_phases(images),
        lambda: to_images(masked[None].astype(np.uint8), 1),
        lambda: to_tensor(images),
    ):
        with pytest.raises(TypeError, match="got a masked one"):
            ask()
