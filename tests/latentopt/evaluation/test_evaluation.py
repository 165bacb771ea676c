"""From one latent point to its structure and its metrics."""

import math

import numpy as np
import pytest
import torch

from latentopt.errors import EvaluationError
from latentopt.evaluation.evaluation import Evaluation
from latentopt.evaluation.objectives import build_objectives
from latentopt.evaluation.scoring import as_numbers, problem_of
from latentopt.space.latent_space import LatentSpace
from objectives.volume_fraction import VolumeFraction


class Answers:
    """An objective that keeps what it saw and gives a fixed answer."""

    units = {"answer": "1"}  # noqa: RUF012  a fixed mapping, as users write it

    def __init__(self, answer):
        self.answer, self.seen = answer, []

    def __call__(self, images):
        self.seen.append(images)
        return self.answer


class Broken:
    """A decoder whose images are not numbers for codes of positive sum."""

    latent_dim, image_shape = 2, (1, 4, 4)

    def decode(self, code):
        images = torch.sigmoid(code.sum(1))[:, None, None, None].expand(-1, 1, 4, 4)
        return torch.where(code.sum(1)[:, None, None, None] > 0, math.nan, images)


@pytest.fixture
def z(tiny_space):
    return tiny_space.sample(3, seed=4).numpy()


def test_by_default_the_segmented_structure_is_scored(tiny_space, z):
    objective = Answers({"answer": 1.0})
    evaluation = Evaluation(tiny_space, (objective,))
    evaluation.metrics(z[0])
    (images,) = objective.seen
    assert images.shape == (1, 1, 8, 8)
    assert set(images.unique().tolist()) <= {0.0, 1.0}
    np.testing.assert_array_equal(images[0, 0].numpy(), evaluation.phases(z[0]))


def test_the_grey_image_is_scored_if_asked(tiny_space, z):
    objective = Answers({"answer": 1.0})
    Evaluation(tiny_space, (objective,), "decoded").metrics(z[0])
    torch.testing.assert_close(objective.seen[0], torch.from_numpy(tiny_space.decode(z[:1])))


def test_the_two_scores_differ_where_the_image_is_grey(tiny_space, z):
    phases = Evaluation(tiny_space, (VolumeFraction(),)).metrics(z[0])
    decoded = Evaluation(tiny_space, (VolumeFraction(),), "decoded").metrics(z[0])
    assert phases["volume_fraction"] * 64 == pytest.approx(round(phases["volume_fraction"] * 64))
    assert abs(phases["volume_fraction"] - decoded["volume_fraction"]) > 1e-4


def test_phases_are_labels_of_the_decoded_image(tiny_space, z):
    phases = Evaluation(tiny_space, ()).phases(z[1])
    assert phases.dtype == np.uint8
    np.testing.assert_array_equal(phases, tiny_space.decode(z[1:2])[0, 0] > 0.5)


def test_distance_from_data_is_a_metric_of_every_point(tiny_space, z):
    metrics = Evaluation(tiny_space, ()).metrics(z[2])
    assert list(metrics) == ["distance_from_data"]
    expected = float(tiny_space.distance_from_data(z[2:3])[0])
    assert metrics["distance_from_data"] == pytest.approx(expected, rel=1e-12)


def test_a_training_structure_is_at_no_distance_from_data(tiny_space):
    evaluation = Evaluation(tiny_space, ())
    metrics = evaluation.metrics(tiny_space.reference_[5].numpy())
    assert metrics["distance_from_data"] == pytest.approx(0, abs=1e-6)


def test_a_space_without_data_knows_no_distance(tiny_space, z):
    bare = LatentSpace(
        tiny_space.model,
        tiny_space.whitening,
        reference=tiny_space.reference_[:1],
        radius=tiny_space.radius,
    )
    assert Evaluation(bare, ()).metrics(z[0]) == {}


def test_a_point_has_the_same_metrics_whatever_was_evaluated_before(tiny_space, z):
    evaluation = Evaluation(tiny_space, (VolumeFraction(),), "decoded")
    first = [evaluation.metrics(row) for row in z]
    assert [evaluation.metrics(row) for row in z[::-1]] == first[::-1]


def test_no_gradient_is_kept(tiny_space, z):
    objective = Answers({"answer": 1.0})
    Evaluation(tiny_space, (objective,), "decoded").metrics(z[0])
    assert not objective.seen[0].requires_grad


def test_a_decoded_image_that_is_not_finite_is_an_evaluation_error():
    evaluation = Evaluation(LatentSpace.from_prior(Broken()), ())
    assert evaluation.phases(np.array([-1.0, -1.0])).shape == (4, 4)
    for method in (evaluation.metrics, evaluation.phases):
        with pytest.raises(EvaluationError, match="decoded image is not finite"):
            method(np.array([1.0, 1.0]))


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (3.0, "Answers returned float, not values by name"),
        (None, "Answers returned NoneType, not values by name"),
        ([1.0], "Answers returned list, not values by name"),
        ({"answer": "much"}, "answer is not one number"),
        ({"answer": None}, "answer is not one number"),
        ({"answer": []}, "answer is not one number"),
        ({"answer": torch.ones(2)}, "answer is not one number"),
        ({"answer": 1 + 2j}, "answer is not one number"),
        ({"distance_from_data": 1.0}, "Answers returned distance_from_data, which another has"),
    ],
)
def test_an_answer_that_is_not_one_number_a_name_is_refused(tiny_space, z, answer, problem):
    with pytest.raises(EvaluationError, match=problem) as caught:
        Evaluation(tiny_space, (Answers(answer),)).metrics(z[0])
    assert "\n" not in str(caught.value)


def test_numbers_of_every_library_are_taken():
    values = {
        "float": 2.0,
        "int": 2,
        "numpy": np.float32(2),
        "array": np.array([[2.0]]),
        "tensor": torch.tensor([2.0], requires_grad=True),
        "half": torch.tensor(2.0, dtype=torch.bfloat16),
    }
    assert as_numbers(values) == dict.fromkeys(values, 2.0)


def test_no_number_loses_its_last_digits():
    assert as_numbers({"a": torch.tensor(0.1, dtype=torch.float64)}) == {"a": 0.1}


def test_what_an_objective_raises_is_told_in_one_line_with_its_name(tiny_space, z):
    class Solver:
        kind, units = "my_solver", {"a": "1"}

        def __call__(self, images):
            raise RuntimeError("no\n\n   convergence")

    with pytest.raises(EvaluationError, match=r"^my_solver raised RuntimeError: no convergence$"):
        Evaluation(tiny_space, (Solver(),)).metrics(z[0])


def test_a_function_is_named_and_an_empty_message_leaves_the_kind_of_error(tiny_space, z):
    def silent(images):
        raise ValueError

    with pytest.raises(EvaluationError, match=r"^silent raised ValueError$"):
        Evaluation(tiny_space, build_objectives([silent])).metrics(z[0])


@pytest.mark.parametrize(
    ("metrics", "problem"),
    [
        ({"a": 1.0, "b": 2.0, "c": 3.0}, None),
        ({"a": 1.0}, "b is missing among a"),
        ({}, "a is missing among no metrics"),
        ({"a": math.nan, "b": 1.0}, "a is nan"),
        ({"a": 1.0, "b": 1.0, "c": math.inf}, "c is inf"),
    ],
)
def test_a_problem_is_a_metric_that_is_missing_or_not_finite(metrics, problem):
    assert problem_of(metrics, ("a", "b")) == problem
