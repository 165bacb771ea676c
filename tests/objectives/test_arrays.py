"""Arrays as other libraries hand them over have the values of a plain copy, or are refused."""

import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch

from objectives import OBJECTIVES
from objectives.arrays import as_tensor
from objectives.effective_conductivity import EffectiveConductivity
from objectives.fidelity import mse
from objectives.homogenize import effective_conductivity, effective_stiffness, tortuosity
from objectives.lineal_path import lineal_path
from objectives.specific_surface import specific_surface
from objectives.surrogates import SURROGATES
from objectives.two_point import two_point_statistics


def read_only(x):
    x = x.copy()
    x.setflags(write=False)
    return x


class Like:
    """What another library hands over: an object that NumPy makes an array of."""

    def __init__(self, x):
        self.x = x

    def __array__(self, dtype=None, copy=None):
        return self.x


FORMS = {
    "flipped": lambda x: x[..., ::-1].copy()[..., ::-1],
    "strided": lambda x: np.repeat(x, 2, -1)[..., ::2],
    "fortran": np.asfortranarray,
    "big-endian": lambda x: x.astype(">f8"),
    "big-endian float32": lambda x: x.astype(">f4"),
    "float16": lambda x: x.astype(np.float16),
    "longdouble": lambda x: x.astype(np.longdouble),
    "read-only": read_only,
    "bool": lambda x: x.astype(bool),
    "uint8": lambda x: x.astype(np.uint8),
    "big-endian uint16": lambda x: x.astype(">u2"),
    "int64": lambda x: x.astype(np.int64),
    "list": lambda x: x.tolist(),
    "array-like": Like,
    "tensor": torch.from_numpy,
    "bfloat16": lambda x: torch.from_numpy(x).bfloat16(),
    "transposed tensor": lambda x: torch.from_numpy(x).mT.contiguous().mT,
    "beyond 1 by rounding": lambda x: x * (1 + 1e-7),
}
REFUSED = {
    "masked": (lambda x: np.ma.masked_array(x, mask=x > 0.5), "masked"),
    "complex": (lambda x: x.astype(complex), "numbers"),
    "text": (lambda x: x.astype(str), "array of numbers"),
    "objects": (lambda x: x.astype(object), "array of numbers"),
    "None": (lambda x: None, "array of numbers"),
    "ragged": (lambda x: [[1.0], [1.0, 2.0]], "array of numbers"),
}
# Forms that annotations of images name, which tests check.
ANNOTATED = ["flipped", "strided", "fortran", "big-endian", "big-endian float32", "float16"]
ANNOTATED += ["read-only", "tensor", "bfloat16", "transposed tensor", "beyond 1 by rounding"]
IMAGES = (np.random.default_rng(0).random((2, 1, 6, 8)) > 0.5).astype(float)
QUESTIONS = {
    "two_point_statistics": two_point_statistics,
    "two_point_statistics by pymks": lambda x: two_point_statistics(x, engine="pymks"),
    "effective_conductivity": lambda x: effective_conductivity(x, (1, 10)),
    "effective_stiffness": lambda x: effective_stiffness(x, (1, 10), (0.3, 0.3)),
    "tortuosity": lambda x: tortuosity(x, 0),
    "specific_surface": specific_surface,
    "lineal_path": lineal_path,
    "mse": lambda x: mse(x, np.zeros_like(IMAGES)),
}
# Objectives of a campaign, which annotate tensors alone.
OBJECTIVE_SETTINGS = {
    "volume_fraction": {},
    "effective_conductivity": {"conductivity": [1, 10]},
    "effective_spectrum": {"phases": [1, {"kind": "axis"}], "axis": [2, 10], "target": [2, 4]},
    "effective_stiffness": {"young": [1, 10]},
    "two_point_target": {"target": IMAGES[0, 0].tolist()},
    "manufacturability": {"rules": [{"kind": "min_solid", "limit_um": 2}, {"kind": "percolation"}]},
}


def objective(kind):
    """A function from images to all metrics of an objective, one below the other."""
    ask = OBJECTIVES[kind].model_validate({"kind": kind, **OBJECTIVE_SETTINGS[kind]})
    return lambda x: np.stack([np.asarray(value) for value in ask(x).values()])


@pytest.mark.parametrize("form", FORMS)
def test_values_are_those_of_a_plain_copy(form):
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a read-only array is not shared
        x = as_tensor(FORMS[form](IMAGES))
    assert x.dtype in (torch.float32, torch.float64)
    np.testing.assert_allclose(x.numpy(), IMAGES, atol=1e-6)


@pytest.mark.parametrize("form", ANNOTATED)
@pytest.mark.parametrize("question", QUESTIONS)
def test_every_function_of_images_answers_as_for_a_plain_copy(question, form):
    if "pymks" in question:
        pytest.importorskip("pymks")
    ask = QUESTIONS[question]
    answer = np.asarray(ask(FORMS[form](IMAGES)), dtype=float)
    np.testing.assert_allclose(answer, ask(IMAGES), rtol=1e-4, atol=1e-4)


@pytest.mark.slow
def test_without_checked_annotations_all_forms_are_taken_or_refused():
    """As in a user's script: lists, truth values, integers, long doubles and array-likes too."""
    asked = subprocess.run(
        [sys.executable, "-W", "ignore", __file__], capture_output=True, text=True, timeout=300
    )
    assert asked.stderr == ""
    asks = len(QUESTIONS) + len(OBJECTIVE_SETTINGS)
    assert asked.stdout.split() == ["right"] * asks * (len(FORMS) + len(REFUSED))


def _ask_all():
    for ask in [*QUESTIONS.values(), *map(objective, OBJECTIVE_SETTINGS)]:
        expected = np.asarray(ask(IMAGES))
        for make in FORMS.values():
            answer = np.asarray(ask(make(IMAGES)), dtype=float)
            print("right" if np.allclose(answer, expected, atol=1e-4) else f"{ask} {make}")
        for make, message in REFUSED.values():
            try:
                ask(make(IMAGES))
                print(f"{ask} took {message}")
            except TypeError as error:
                print("right" if message in str(error) and "images should" in str(error) else error)


def test_a_large_array_is_shared_and_not_copied():
    array = np.zeros((4, 1, 8, 8), np.float32)
    assert as_tensor(array).numpy().base is not None
    array[0] = 1
    assert as_tensor(array)[0].min() == 1


def test_levels_of_eight_bits_are_refused_with_the_remedy():
    for ask in (two_point_statistics, lambda x: EffectiveConductivity()(torch.as_tensor(x))):
        with pytest.raises(ValueError, match="Divide grey levels by their maximum"):
            ask(IMAGES * 255)


@pytest.mark.parametrize("form", ["flipped", "big-endian", "float16", "read-only"])
def test_a_surrogate_learns_and_predicts_as_for_a_plain_copy(form):
    x = (np.random.default_rng(2).random((24, 1, 6, 6)) > 0.5).astype(float)
    y = x.mean((1, 2, 3))
    plain = SURROGATES["two_point_gp"](components=2).fit(x, y)
    other = SURROGATES["two_point_gp"](components=2).fit(FORMS[form](x), np.asfortranarray(y)[::1])
    expected = np.asarray(plain.predict(x[:3]).mean)
    np.testing.assert_allclose(other.predict(FORMS[form](x[:3])).mean, expected, atol=1e-4)
    with pytest.raises(TypeError, match="y should be a plain array"):
        SURROGATES["two_point_gp"](components=2).fit(x, np.ma.masked_array(y, mask=y > 0.5))


if __name__ == "__main__":
    _ask_all()
