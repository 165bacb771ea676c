"""Points that decode to a structure which is known: its result is taken over, at no charge."""

import numpy as np
import pytest
import torch

from generative import PCA
from generative.data.synthetic import gaussian_random_field
from latentopt.campaign.campaign import Campaign
from latentopt.errors import ExhaustedError
from latentopt.runs.run import Run
from latentopt.space.latent_space import LatentSpace
from latentopt.strategies.prior import draw


class Twice:
    """A strategy that follows each draw by a point which differs from it by next to nothing."""

    def propose(self, history, q):
        rows = []
        for index in range(history.next_index, history.next_index + q):
            z = history.space.sample(1, seed=index // 2)
            rows.append(z * (1 - 1e-12 * (index % 2)))
        return torch.cat(rows)


class Counted:
    """The share of phase 1, and how often it was asked for."""

    def __init__(self, fails=()):
        self.calls, self.fails = 0, set(fails)

    def __call__(self, images):
        self.calls += 1
        if self.calls in self.fails:
            raise RuntimeError("broke down")
        return {"share": images.double().mean((1, 2, 3))}


@pytest.fixture
def make(tiny_space, tmp_path):
    def call(folder="run", **changes):
        settings = {
            "space": tiny_space,
            "objective": "share",
            "objectives": [Counted()],
            "strategy": Twice(),
            "engine": "serial",
            "dry_run": False,
            "trials": 4,
            **changes,
        }
        return Campaign(folder=tmp_path / folder, **settings)

    return call


@pytest.mark.parametrize("batch", [1, 3])
def test_a_known_structure_takes_over_its_result_and_is_not_charged(make, batch):
    objective = Counted()
    run = make(objectives=[objective], batch=batch).run(progress=False)
    copies = [trial for trial in run.trials if trial.copied]
    assert objective.calls == 4
    assert len(run.trials) - len(copies) == sum(trial.counts for trial in run.trials) == 4
    assert len(copies) >= 3
    for copy in copies:
        original = run.trials[copy.same_as]
        assert copy.voxel_sha256 == original.voxel_sha256
        assert copy.metrics["share"] == original.metrics["share"]
        assert copy.z.tolist() != original.z.tolist()
        np.testing.assert_array_equal(run.structure(copy), run.structure(original))
    assert len({trial.voxel_sha256 for trial in run.best(99)}) == len(run.best(99)) == 4


def test_what_depends_on_the_point_is_the_copys_own(make):
    class Far:
        def propose(self, history, q):
            if history.next_index >= 2:
                return draw(history, q)
            z = history.space.sample(1, seed=0)  # may lie at the radius: the next is further inside
            return (z * (1 - 1e-6 * history.next_index)).repeat(q, 1)

    campaign = make(strategy=Far(), trials=2)
    run = campaign.run(progress=False)
    copy = next(trial for trial in run.trials if trial.copied)
    assert copy.metrics == {
        **run.trials[copy.same_as].metrics,
        **campaign.evaluation.latent_metrics(copy.z),
    }
    assert copy.metrics["distance_from_data"] != run.trials[0].metrics["distance_from_data"]


def test_a_copy_of_what_is_under_way_waits_for_it(make, tmp_path):
    with make() as campaign:
        (first,) = campaign.ask(1)
        (other,) = campaign.ask(1)  # trial 1 is a copy, this is what came in its place
        copy = campaign.result.trials[1]
        assert (copy.same_as, copy.status, other.index) == (first.index, "pending", 2)
        assert [trial.index for trial in campaign.pending()] == [0, 2]
        with pytest.raises(ValueError, match="trial 1 has the structure of trial 0"):
            campaign.tell(1, {"share": 0.0})
    with make() as campaign:  # another process goes on
        assert campaign.tell(0, {"share": (0.25, 0.5)}).index == 0
        copy = campaign.result.trials[1]
        assert (copy.status, copy.metrics["share"], copy.sem) == ("completed", 0.25, {"share": 0.5})
        assert campaign.history().copied.tolist() == [False, True]
    read = Run.read(tmp_path / "run")
    assert [trial.status for trial in read.trials] == ["completed", "completed", "pending"]
    assert read.budget_left == 2


def test_a_copy_fails_with_its_original_and_is_retried_with_it(make):
    objective = Counted(fails={1})
    campaign = make(objectives=[objective])
    run = campaign.run(progress=False)
    copy = run.trials[1]
    assert (run.trials[0].status, copy.status, copy.same_as) == ("failed", "failed", 0)
    assert copy.reason == run.trials[0].reason
    campaign.retry_failed()
    assert [trial.index for trial in campaign.pending()] == [0]
    run = campaign.run(progress=False)
    assert {trial.status for trial in run.trials} == {"completed"}
    assert run.trials[1].metrics["share"] == run.trials[0].metrics["share"]
    assert objective.calls == 5


def test_a_structure_that_was_lost_with_its_machine_is_evaluated_at_another_point(make):
    with make() as campaign:
        (first,) = campaign.ask(1)
        campaign.fail(first.index, "gone", state="lost")
        (second,) = campaign.ask(1)
        assert second.voxel_sha256 == first.voxel_sha256
        assert not second.copied


def test_grey_images_that_differ_are_no_copies_where_they_are_what_is_evaluated(make):
    class Near(Twice):
        def propose(self, history, q):
            z = history.space.sample(1, seed=0)
            return torch.cat([z * (1 - 1e-3 * i) for i in range(history.next_index, 99)][:q])

    run = make(strategy=Near(), score="decoded", trials=2).run(progress=False)
    assert len({trial.voxel_sha256 for trial in run.trials}) == 1
    assert not any(trial.copied for trial in run.trials)
    run = make("cut", strategy=Near(), trials=2).run(progress=False)
    assert run.trials[1].copied


def test_a_space_of_one_structure_ends_with_the_reason(tmp_path):
    images = torch.from_numpy(gaussian_random_field(60, (8, 8), seed=0)) * 0.1
    space = LatentSpace.fit(PCA((1, 8, 8), components=4).fit(images), images)
    settings = {
        "space": space,
        "objective": "share",
        "objectives": [Counted()],
        "strategy": "prior",
        "engine": "serial",
        "folder": tmp_path / "run",
    }
    for _ in "ab":  # the second time nothing is evaluated
        with pytest.raises(ExhaustedError, match=r"structures that the campaign has evaluated"):
            Campaign(**settings).run(progress=False)
        run = Run.read(tmp_path / "run")
        assert [trial.status for trial in run.trials] == ["completed"]


@pytest.mark.slow
def test_several_workers_evaluate_each_structure_once(forked_workers, make, tmp_path, monkeypatch):
    (tmp_path / "share.py").write_text("def share(x): return {'share': float(x.double().mean())}")
    monkeypatch.chdir(tmp_path)
    run = make(
        objectives=[{"kind": "import", "target": "share:share"}],
        engine={"kind": "process", "workers": 2},
        trials=5,
        batch=3,
    ).run(progress=False)
    evaluated = [trial for trial in run.trials if not trial.copied]
    assert len(evaluated) == 5
    assert len({trial.voxel_sha256 for trial in evaluated}) == 5
    assert {trial.status for trial in run.trials} == {"completed"}


def test_status_tells_of_copies_and_does_not_count_them(make, run):
    found = make().run(progress=False)
    code, out, _ = run("status", found.folder)
    assert code == 0
    assert "4 of 4 trials completed" in out
    assert "had a known structure, at no charge" in out


def test_equal_points_of_a_strategy_of_ones_own_are_repeats(make):
    class Same:
        def propose(self, history, q):
            return history.space.sample(1, seed=0).repeat(q, 1)

    objective = Counted()
    run = make(strategy=Same(), objectives=[objective], batch=2).run(progress=False)
    assert objective.calls == len(run.trials) == 4
    assert [trial.repeat_of for trial in run.trials] == [None, 0, 0, 0]


def test_what_an_ask_costs_does_not_grow_with_what_was_asked_before(make, monkeypatch):
    """Neither are the weights of the space read for each trial, nor the journal more than once."""
    digests, runs = [], []
    digest, of_events = LatentSpace.id.fget, Run.of_events.__func__
    monkeypatch.setattr(
        LatentSpace, "id", property(lambda space: digests.append(1) or digest(space))
    )
    monkeypatch.setattr(
        Run, "of_events", classmethod(lambda cls, *given: runs.append(1) or of_events(cls, *given))
    )
    campaign = make(strategy="prior", trials=12)
    campaign.ask(1)
    counts = []
    for _ in range(10):
        before = len(digests), len(runs)
        campaign.ask(1)
        counts.append((len(digests) - before[0], len(runs) - before[1]))
    assert len(set(counts)) == 1
    assert counts[0][1] <= 1
