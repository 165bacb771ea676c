"""Every engine in the table gives the same metrics, and each trial its own end."""

import os
import sys
from concurrent.futures import Executor
from pathlib import Path

import pytest
import torch

from generative import PCA
from generative.data.synthetic import gaussian_random_field
from latentopt.campaign.campaign import Campaign
from latentopt.engines import ENGINES
from latentopt.space.latent_space import LatentSpace

TRIALS = 9
# What happens to a trial, by the order of its value among all trials.
BEHAVIOURS = {1: "explode", 2: "nan", 4: "other", 5: "hang", 6: "two_words", 7: "die"}
ENDS = {
    "explode": ("crashed", "behave raised ZeroDivisionError: the solver broke down"),
    "nan": ("invalid", "mean is nan"),
    "other": ("invalid", "mean is missing among distance_from_data, other"),
    "hang": ("timeout", "took longer than 1 s"),
    "two_words": ("crashed", "behave raised TwoWords: one"),
    "die": (("crashed", "lost"), "its worker "),
}
OBJECTIVE = """
import json, math, os, time

class TwoWords(Exception):
    def __init__(self, one, two):  # cannot be pickled
        super().__init__(one)

def behave(images):
    mean = float(images.double().mean())
    how = json.loads(os.environ.get("BEHAVIOURS", "{}")).get(f"{mean:.9f}")
    if how == "explode":
        raise ZeroDivisionError("the solver broke down")
    elif how == "two_words":
        raise TwoWords("one", "two")
    elif how == "hang":
        time.sleep(60)
    elif how == "die":
        os.kill(os.getpid(), 9)
    return {"other": 1.0} if how == "other" else {"mean": math.nan if how == "nan" else mean}

def pool(workers):
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context
    return ProcessPoolExecutor(workers, get_context("spawn"))
"""
SPECS = {
    "serial": {},
    "process": {"workers": 2},
    "dask": {"workers": 2},
    "parsl": {"workers": 2},
    "import": {"workers": 2, "target": "behaving_objective:pool", "options": {"workers": 2}},
}
PACKAGES = {"dask": "distributed", "parsl": "parsl"}


@pytest.fixture(scope="module")
def space():
    images = torch.from_numpy(gaussian_random_field(60, (8, 8), seed=0))
    return LatentSpace.fit(PCA((1, 8, 8), components=4).fit(images), images)


@pytest.fixture
def make(space, tmp_path, monkeypatch):
    """A campaign of `OBJECTIVE`, which workers can import."""
    (tmp_path / "behaving_objective.py").write_text(OBJECTIVE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(Path.cwd())]))
    sys.modules.pop("behaving_objective", None)
    from behaving_objective import behave

    def call(kind, folder):
        return Campaign(
            space=space,
            objective="mean",
            objectives=[behave],
            strategy="prior",
            score="decoded",
            trials=TRIALS,
            batch=TRIALS,  # all wait at the same time
            engine={"kind": kind, "timeout_s": 1, **SPECS[kind]},
            folder=tmp_path / folder,
        )

    return call


def test_the_kind_is_the_name_in_the_table():
    assert ENGINES.keys() == SPECS.keys()
    for kind, engine in ENGINES.items():
        assert engine.model_fields["kind"].default == kind


def test_every_option_is_described():
    for engine in ENGINES.values():
        for name, field in engine.model_fields.items():
            assert name == "kind" or field.description


@pytest.mark.slow
@pytest.mark.parametrize("kind", ENGINES)
def test_every_trial_comes_to_its_own_end_and_metrics_are_the_same(kind, make, monkeypatch):
    if kind in PACKAGES:
        pytest.importorskip(PACKAGES[kind])
    good = make("serial", "good").run(progress=False)
    order = sorted(good.trials, key=lambda trial: trial.metrics["mean"])
    behaviours = {order[rank].index: how for rank, how in BEHAVIOURS.items()}
    if kind == "serial":  # the worker is this process
        behaviours = {i: "explode" if how == "die" else how for i, how in behaviours.items()}
    means = {f"{good.trials[i].metrics['mean']:.9f}": how for i, how in behaviours.items()}
    monkeypatch.setenv("BEHAVIOURS", str(means).replace("'", '"'))

    run = make(kind, kind).run(progress=False)
    assert len(run.trials) == TRIALS
    for trial, expected in zip(run.trials, good.trials, strict=True):
        assert trial.z.tolist() == expected.z.tolist()
        if trial.index not in behaviours:
            assert (trial.status, trial.metrics) == ("completed", expected.metrics), trial.reason
        else:
            state, reason = ENDS[behaviours[trial.index]]
            assert trial.status == "failed"
            assert trial.state in state
            assert trial.reason.startswith(reason)


def test_what_opens_is_an_executor():
    for engine in (ENGINES["serial"](), ENGINES["process"](workers=1)):
        executor = engine.open()
        assert isinstance(executor, Executor)
        assert executor.submit(max, 3, 4).result(timeout=60) == 4
        engine.close(executor)
