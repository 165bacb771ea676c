"""Engines that cannot start or be used: one clear line, and earlier results intact."""

import sys
import threading
import time
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import suppress
from multiprocessing.reduction import ForkingPickler

import numpy as np
import pytest

from latentopt.campaign.campaign import Campaign
from latentopt.engines import ENGINES, Engine
from latentopt.engines.build import build_engine
from latentopt.engines.held_executor import HeldExecutor
from latentopt.engines.worker import Work, WorkerObjectives, evaluate, here
from latentopt.errors import CampaignError, ConfigError
from latentopt.runs.run import Run
from objectives.volume_fraction import VolumeFraction

FACTORIES = """
from concurrent.futures import Executor, ThreadPoolExecutor

def threads(workers=2):
    return ThreadPoolExecutor(workers)

def nothing():
    return {"not": "an executor"}

def broken():
    raise OSError("no license\\n left")

class Refusing(Executor):
    def submit(self, *args):
        raise RuntimeError("the queue is closed")
"""


def mean(images):
    return {"mean": float(images.double().mean())}


@pytest.fixture
def make(tiny_space, tmp_path, monkeypatch):
    """A campaign of four trials of `mean`, one of which is done."""
    (tmp_path / "factories.py").write_text(FACTORIES)
    monkeypatch.chdir(tmp_path)
    sys.modules.pop("factories", None)

    def call(engine="serial", folder="run", **changes):
        settings = {
            "objective": "mean",
            "objectives": [mean],
            "trials": 4,
            "batch": 2,
            "dry_run": False,
        }
        settings |= changes
        return Campaign(
            space=tiny_space,
            strategy="prior",
            score="decoded",
            engine=engine,
            folder=tmp_path / folder,
            **settings,
        )

    call().run(1, progress=False)
    return call


def rows(run):
    return [(t.index, t.z.tolist(), t.status, dict(t.metrics)) for t in run.trials]


# -- settings -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("engine", "problem"),
    [
        ("thread", "engine.kind: 'thread' is unknown; known: dask, import, parsl, process, serial"),
        ("proces", "did you mean process"),
        ({"kind": "process", "workers": 0}, r"engine.workers: .*greater than or equal to 1"),
        ({"kind": "serial", "workers": 2}, r"engine.workers: .*1, got 2"),
        ({"kind": "process", "worker": 2}, "engine.worker: unknown key; did you mean workers"),
        ({"kind": "process", "timeout_s": 0}, "engine.timeout_s: .*greater than 0"),
        ({"kind": "parsl", "provider": "sge"}, "engine.provider: .*slurm"),
        ({"kind": "parsl", "walltime": "1 hour"}, "engine.walltime"),
        ("import:factories", "engine.target"),
        ({"kind": "python", "target": "a:B"}, "a:B was given in Python .* give it again"),
    ],
)
def test_a_mistake_in_the_settings_is_named(make, engine, problem):
    with pytest.raises(ConfigError, match=problem) as caught:
        make(engine)
    assert "\n" not in str(caught.value)


def test_the_engine_may_change_and_is_written_down(make, tmp_path):
    assert Run.read(tmp_path / "run").config.engine["kind"] == "serial"
    make("import:factories:threads").run(progress=False)
    engine = Run.read(tmp_path / "run").config.engine
    assert (engine["kind"], engine["target"]) == ("import", "factories:threads")


# -- engines that do not start --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("engine", "problem"),
    [
        ("import:factories:nothing", "should return a concurrent.futures.Executor, got dict"),
        ("import:factories:broken", "engine import cannot run.*OSError: no license left.*kept"),
        ("import:factories:absent", "factories:absent cannot be imported"),
        ("import:nowhere:at_all", "nowhere:at_all cannot be imported"),
        ("import:factories:Refusing", "it broke 3 times without a result"),
        ("dask", r"Running on Dask needs distributed: pip install latentopt\[hpc\]"),
        ("parsl", r"Running on Parsl needs parsl: pip install latentopt\[hpc\]"),
    ],
)
def test_an_engine_that_cannot_start_is_one_line_and_costs_nothing(
    make, engine, problem, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "distributed", None)
    monkeypatch.setitem(sys.modules, "parsl", None)
    before = rows(Run.read(tmp_path / "run"))
    with pytest.raises((ConfigError, CampaignError), match=problem) as caught:
        make(engine).run(progress=False)
    assert "\n" not in str(caught.value)
    assert rows(Run.read(tmp_path / "run"))[:2] == before
    assert [t.status for t in make().run(progress=False).trials] == ["completed"] * 4


@pytest.mark.parametrize("what", ["lambda", "interactive"])
def test_objectives_that_no_process_can_read_are_refused_before_a_point_is_asked(make, what):
    objective = lambda images: mean(images)  # noqa: E731
    if what == "interactive":
        objective.__qualname__ = objective.__name__ = "mean"
        objective.__module__ = "__main__"
    with pytest.raises(ConfigError, match=r"cannot be sent to worker .*engine: serial") as caught:
        make("process", folder="new", objectives=[objective]).run(progress=False)
    assert "\n" not in str(caught.value)
    assert make("serial", folder="new", objectives=[objective]).result.trials == ()


# -- executors given in Python --------------------------------------------------------------------


def test_a_ready_executor_is_used_and_stays_open(make, tmp_path):
    threads = set()

    def noted(images):
        threads.add(threading.current_thread())
        return mean(images)

    with ThreadPoolExecutor(2) as executor:
        run = make(executor, folder="given", objectives=[noted]).run(progress=False)
        assert executor.submit(abs, -1).result() == 1
    assert threads
    assert threading.main_thread() not in threads
    assert rows(run) == rows(make().run(progress=False))
    with pytest.raises(ConfigError, match="ThreadPoolExecutor was given in Python"):
        Campaign.resume(tmp_path / "given", space=make().space, objectives=[mean])


def test_as_many_evaluations_run_at_once_as_there_are_workers(make):
    together = threading.Barrier(3)

    def waiting(images):
        together.wait(timeout=60)  # raises unless three get here
        return mean(images)

    with ThreadPoolExecutor(3) as executor:
        run = make(executor, folder="given", objectives=[waiting], trials=12).run(progress=False)
    assert [trial.status for trial in run.trials] == ["completed"] * 12


class Losing(Executor):
    """Loses one evaluation among others, as a cluster may, and breaks for good with `broken`."""

    _max_workers = 2

    def __init__(self, lost):
        self.calls, self.lost = [], lost

    def submit(self, function, work):
        future = Future()
        self.calls.append(work.image.tobytes())
        if len(self.calls) in self.lost:
            future.set_exception(type("WorkerLost", (Exception,), {})("a node is down"))
        else:
            future.set_result(function(work))
        return future


def test_what_was_lost_among_others_is_evaluated_again_by_itself_at_no_charge(make):
    executor = Losing({2})
    run = make(executor, folder="given").run(progress=False)
    assert [trial.status for trial in run.trials] == ["completed"] * 4
    assert len(executor.calls) == 5
    assert len(set(executor.calls)) == 4


def test_what_is_lost_by_itself_as_well_is_to_blame(make):
    run = make(Losing({2, 3}), folder="given").run(progress=False)
    (failed,) = [trial for trial in run.trials if trial.status == "failed"]
    assert (failed.state, failed.reason) == (
        "crashed",
        "its worker was lost (WorkerLost: a node is down)",
    )
    assert len(run.trials) == 4


# -- what a worker does ---------------------------------------------------------------------------


def work(parts, timeout_s=None, driver=None):
    image = np.full((1, 4, 4), 0.25, dtype=np.float32)
    return Work(parts, (), image, ("taken",), timeout_s, driver or here())


def test_specs_are_built_by_the_worker_and_once():
    parts = WorkerObjectives(({"kind": "volume_fraction"}, mean))
    assert evaluate(work(parts))["metrics"] == {"volume_fraction": 0.25, "mean": 0.25}
    sent = [ForkingPickler.loads(ForkingPickler.dumps(parts)) for _ in range(2)]
    assert sent[0] is sent[1]
    assert sent[0].objectives is sent[1].objectives
    assert sent[0].objectives[0] == VolumeFraction()


def test_what_hangs_in_a_thread_is_given_up():
    parts, answers = WorkerObjectives((lambda images: time.sleep(30),)), []
    thread = threading.Thread(target=lambda: answers.append(evaluate(work(parts, 0.1))))
    thread.start()
    thread.join(5)
    assert (answers[0]["state"], answers[0]["error"]) == ("timeout", "took longer than 0.1 s")


def test_what_hangs_in_the_main_thread_is_stopped_though_it_catches_exceptions():
    def stubborn(images):
        while True:
            with suppress(Exception):
                time.sleep(30)

    assert evaluate(work(WorkerObjectives((stubborn,)), 0.1))["state"] == "timeout"


def test_an_alarm_of_ones_own_is_put_back():
    import signal

    previous = signal.signal(signal.SIGALRM, signal.SIG_IGN)
    try:
        evaluate(work(WorkerObjectives((mean,)), 5.0))
        assert signal.getsignal(signal.SIGALRM) is signal.SIG_IGN
        assert signal.getitimer(signal.ITIMER_REAL)[0] == 0
    finally:
        signal.signal(signal.SIGALRM, previous)


@pytest.mark.parametrize(
    ("objective", "state"),
    [
        (lambda images: sys.exit(3), "crashed"),
        (lambda images: {f"m{i}": 0.0 for i in range(2000)}, "invalid"),
        (lambda images: {"mean": np.zeros(10**6)}, "invalid"),
        (lambda images: {"taken": 1.0}, "invalid"),
        (lambda images: [][1], "crashed"),
    ],
)
def test_whatever_an_objective_does_the_answer_is_small_and_plain(objective, state):
    answer = evaluate(work(WorkerObjectives((objective,))))
    assert answer["state"] == state
    assert answer["metrics"] == {}
    assert len(ForkingPickler.dumps(answer)) < 2000


# -- clusters -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("provider", "name"), [("slurm", "SlurmProvider"), ("pbs", "PBSProProvider")]
)
def test_a_job_asks_for_what_was_set(provider, name):
    pytest.importorskip("parsl")
    engine = ENGINES["parsl"](
        provider=provider, workers=64, nodes=2, walltime="03:00:00", account="alloy",
        queue="short", worker_init="module load solver",
    )  # fmt: skip
    made = engine.make_provider()
    assert (made.nodes_per_block, made.walltime, made.account) == (2, "03:00:00", "alloy")
    assert getattr(made, "partition", None) or made.queue == "short"
    assert made.worker_init.strip().endswith("module load solver")
    assert type(made).__name__ == name
    assert (made.init_blocks, made.max_blocks) == (1, 1)


def test_what_is_no_engine_is_named():
    with pytest.raises(ConfigError, match=r"campaign\.engine: should be the name .* got 4"):
        build_engine(4)


def test_an_engine_of_the_users_own_needs_no_kind_to_be_named_in_an_error():
    class Cluster(Engine):
        def open(self):
            raise OSError("no node is free")

    with pytest.raises(CampaignError, match=r"engine Cluster cannot run .* no node is free"):
        HeldExecutor(Cluster(), WorkerObjectives(())).open()
