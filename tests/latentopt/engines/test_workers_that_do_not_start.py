"""Workers that cannot start, are stopped before they begin, or import what fails: never a hang."""

import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import BrokenExecutor, Executor, Future
from pathlib import Path
from runpy import run_path

import numpy as np
import pytest

from latentopt.engines import process_pool, worker_process
from latentopt.engines.engine import WorkerFailed, WorkerOverran
from latentopt.engines.held_executor import HeldExecutor
from latentopt.engines.imported import ImportedEngine
from latentopt.engines.process_pool import ProcessPool
from latentopt.engines.started_apart import started_apart
from latentopt.engines.worker import Work, WorkerObjectives, here
from latentopt.errors import CampaignError

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals are a POSIX thing")


@pytest.fixture(autouse=True)
def no_long_patience(monkeypatch):
    """The driver looks and gives up sooner: what is waited for here is stopped, and never comes."""
    for module in (process_pool, worker_process):
        monkeypatch.setattr(module, "GRACE_S", 0.2)
    monkeypatch.setattr(process_pool, "_PAUSE_S", 0.05)
    monkeypatch.setattr(worker_process, "_MOMENT", 0.05)


@pytest.fixture
def open_pool():
    pools = []

    def call(*arguments, **options):
        pools.append(ProcessPool(*arguments, **options))
        return pools[-1]

    yield call
    for pool in pools:
        pool.shutdown(wait=False, cancel_futures=True)


def workers():
    """Processes of this one that were spawned."""
    return {process.pid for process in multiprocessing.active_children()}


def stop_the_next_worker(before):
    while not (new := workers() - before):
        time.sleep(0.01)
    os.kill(new.pop(), signal.SIGSTOP)


def test_without_file_handles_no_worker_starts_and_it_is_said(open_pool):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    opened = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 20
    open_pool(1).submit(abs, -1).result(timeout=60)  # what it imports is imported
    resource.setrlimit(resource.RLIMIT_NOFILE, (opened + 1, hard))
    try:
        with pytest.raises(WorkerFailed, match=r"Too many open files; ulimit -n raises the limit"):
            open_pool(1).submit(abs, -1).result(timeout=60)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert open_pool(1).submit(abs, -3).result(timeout=60) == 3


def test_a_python_that_is_gone_is_named(open_pool):
    python = multiprocessing.spawn.get_executable()
    multiprocessing.set_executable("/nowhere/python3")
    try:
        with pytest.raises(WorkerFailed, match="/nowhere/python3, the Python that runs this"):
            open_pool(1).submit(abs, -1).result(timeout=60)
    finally:
        multiprocessing.set_executable(python)


@pytest.mark.slow
def test_a_worker_that_is_stopped_before_it_begins_is_replaced_within_the_time_of_a_call(open_pool):
    before = workers()
    pool = open_pool(1, timeout_s=0.1, start_s=None)
    stop_the_next_worker(before)
    assert pool.submit(abs, -3).result(timeout=60) == 3


@pytest.mark.slow
def test_a_call_larger_than_a_pipe_does_not_hang_with_its_worker(open_pool):
    before = workers()
    pool = open_pool(1, timeout_s=0.1, start_s=None)
    stop_the_next_worker(before)
    assert pool.submit(len, b"0" * 10_000_000).result(timeout=60) == 10_000_000


@pytest.mark.slow
def test_a_worker_that_is_stopped_in_its_call_is_killed_when_the_time_is_over(open_pool):
    pool = open_pool(1, timeout_s=1.0)
    pid = pool.submit(os.getpid).result(timeout=60)
    call = pool.submit(time.sleep, 0.5)
    time.sleep(0.2)
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(WorkerOverran):
        call.result(timeout=60)
    assert pool.submit(os.getpid).result(timeout=60) != pid


@pytest.mark.slow
def test_a_pool_whose_workers_are_stopped_can_be_shut_down():
    pool = ProcessPool(2)
    pids = set()
    while len(pids) < 2:
        pids |= {pool.submit(os.getpid).result(timeout=60)}
    busy = [pool.submit(time.sleep, 60) for _ in range(2)]
    time.sleep(0.2)
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    pool.shutdown(wait=False, cancel_futures=True)
    assert all(call.done() for call in busy)
    assert not pids & workers()


@pytest.mark.slow
def test_loading_has_a_limit_of_its_own_and_the_third_worker_is_the_last(
    open_pool, tmp_path, monkeypatch
):
    (tmp_path / "slow_to_load.py").write_text(
        "import time\nclass Slow:\n    def load(self): time.sleep(60)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    from slow_to_load import Slow

    pool = open_pool(1, start_s=0.5)
    with pytest.raises(WorkerFailed, match=r"had not begun after 0\.5 s \(start_s\)"):
        pool.submit(id, Slow()).result(timeout=60)


DAEMON = """
import multiprocessing, sys
from latentopt import Campaign, LatentSpace

def mean(images):
    return {{"mean": float(images.mean())}}

def run(folder):
    try:
        campaign = Campaign(space={space!r}, objective="mean", objectives=[mean],
                            strategy="prior", score="decoded", trials=2, folder=folder)
        campaign.run(progress=False)
    except Exception as error:
        return f"{{type(error).__name__}}: {{error}}"

if __name__ == "__main__":
    with multiprocessing.Pool(1) as pool:
        print(pool.apply_async(run, ["run"]).get(timeout=100))
"""


@pytest.mark.slow
def test_a_campaign_inside_a_worker_of_a_pool_ends_with_the_reason(
    fork, tiny_space_folder, tmp_path
):
    (tmp_path / "script.py").write_text(DAEMON.format(space=str(tiny_space_folder)))
    ran = fork(main=lambda: run_path("script.py", run_name="__main__"), cwd=tmp_path)
    printed, errors = ran.communicate(timeout=120)
    assert printed.startswith("CampaignError: engine process cannot run evaluations: "), errors
    assert "daemon" in printed
    assert "set engine: serial" in printed
    assert (tmp_path / "run" / "journal.jsonl").exists()


# -- executors of others --------------------------------------------------------------------------


WORK = Work(WorkerObjectives(()), (), np.zeros((1, 4, 4), dtype=np.float32), (), None, here())


class Stub(Executor):
    """Answers calls as a function of the future and the call says."""

    def __init__(self, answer):
        self.answer = answer

    def submit(self, function, *arguments):
        future = Future()
        self.answer(future, function)
        return future


def held(answer, **settings):
    """The executor of an engine whose factory makes a stub."""

    class Engine(ImportedEngine):
        def open(self):
            return Stub(answer)

    return HeldExecutor(Engine(target="nowhere:stub", **settings), WorkerObjectives(()))


def test_an_executor_that_can_start_no_process_for_a_call_is_an_error_of_the_campaign():
    def refuse(future, function):
        raise AssertionError("daemonic processes are not allowed to have children")

    with pytest.raises(CampaignError, match=r"AssertionError: daemonic.*set engine: serial"):
        held(refuse).submit(WORK)


def test_no_trial_is_blamed_for_an_executor_that_can_run_nothing():
    def break_down(future, function):
        future.set_exception(BrokenExecutor("a process was terminated abruptly"))

    with pytest.raises(CampaignError, match="BrokenExecutor: a process was terminated"):
        held(break_down).check()


def test_the_first_cause_is_told_as_well():
    def refuse(future, function):
        try:
            raise OSError("no such host")
        except OSError as error:
            raise ValueError("failed to start") from error

    with pytest.raises(CampaignError, match=r"ValueError: .* \(because of OSError: no such host\)"):
        held(refuse).submit(WORK)


def test_evaluations_that_never_end_although_they_have_a_limit_end_the_campaign():
    executor = held(
        lambda future, function: future.set_running_or_notify_cancel(), timeout_s=0.1, start_s=0.1
    )
    running = [executor.submit(WORK)]
    executor.look(running)
    time.sleep(0.3)
    with pytest.raises(CampaignError, match=r"no evaluation has ended.*may be stopped, or cut off"):
        executor.look(running)


def test_what_waits_for_a_worker_is_not_late():
    executor = held(lambda future, function: None, timeout_s=0.01, start_s=0.01)
    running = [executor.submit(WORK)]
    for _ in range(5):
        executor.look(running)
        time.sleep(0.02)


def test_threads_that_cannot_be_started_are_told_at_once(monkeypatch):
    start, started = threading.Thread.start, []

    def refuse(thread):
        if started:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(RuntimeError, match="can't start new thread"):
        ProcessPool(2)


# -- Ctrl-C while they start ----------------------------------------------------------------------


def test_what_is_started_apart_is_not_reached_by_ctrl_c():
    code = "import signal, sys; sys.exit(signal.SIGINT in signal.pthread_sigmask(0, []))"
    process = started_apart(lambda: subprocess.Popen([sys.executable, "-c", code]), print)
    assert process.wait(timeout=60) == 1
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


def test_what_is_started_in_spite_of_ctrl_c_is_ended():
    ended = []

    def start():
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.3)
        return "processes"

    with pytest.raises(KeyboardInterrupt):
        started_apart(start, ended.append)
    assert ended == ["processes"]


def test_what_keeps_it_from_starting_is_raised():
    with pytest.raises(ZeroDivisionError):
        started_apart(lambda: 1 / 0, print)
