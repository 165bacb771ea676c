"""Problems of settings stay a list until they are printed."""

import pickle

import pytest

from latentopt.errors import ConfigError, EvaluationError, Problem

TWO = (Problem("campaign.trials", "should be at least 1, got 0."), Problem("", "no engine fits."))


def test_one_problem_is_one_line_with_its_path():
    error = ConfigError("unknown key; did you mean trials?", at="campaign.trails")
    assert str(error) == "campaign.trails: unknown key; did you mean trials?"
    assert error.problems == (Problem("campaign.trails", "unknown key; did you mean trials?"),)


def test_each_problem_is_a_line_that_begins_with_the_file():
    error = ConfigError(TWO, file="run.yaml")
    assert str(error).splitlines() == [
        "run.yaml: campaign.trials: should be at least 1, got 0.",
        "run.yaml: no engine fits.",
    ]
    assert ConfigError(error.problems).problems == TWO


@pytest.mark.parametrize("file", [None, "run.yaml"])
def test_it_comes_whole_out_of_another_process(file):
    error = ConfigError(TWO, file=file)
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.problems, again.file) == (str(error), TWO, file)


def test_an_evaluation_that_failed_says_how_also_to_another_process():
    assert EvaluationError("no mesh").state == "crashed"
    again = pickle.loads(pickle.dumps(EvaluationError("no licence", "lost")))
    assert (str(again), again.state) == ("no licence", "lost")


def test_an_error_of_a_users_own_class_has_a_state_too():
    class NoMesh(EvaluationError):
        def __init__(self):
            ValueError.__init__(self, "no mesh")

    assert NoMesh().state == "crashed"
