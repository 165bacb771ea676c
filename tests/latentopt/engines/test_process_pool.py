"""Worker processes that are independent: one that dies or hangs costs its own call only."""

import os
import signal
import time
from concurrent.futures import wait

import pytest

from latentopt.engines.engine import WorkerDied, WorkerFailed, WorkerOverran
from latentopt.engines.process_pool import ProcessPool

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals are a POSIX thing")


@pytest.fixture
def pool():
    pool = ProcessPool(2)
    yield pool
    pool.shutdown(wait=False)


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def gone(*pids):
    """Until these processes are, or five seconds have passed."""
    end = time.monotonic() + 5
    while any(map(alive, pids)) and time.monotonic() < end:
        time.sleep(0.05)
    return not any(map(alive, pids))


def test_a_worker_that_dies_or_is_killed_costs_its_own_call_only(pool):
    good = [pool.submit(time.sleep, 0.5), pool.submit(abs, -3)]
    killed = pool.submit(signal.raise_signal, signal.SIGKILL)
    broken = pool.submit(signal.raise_signal, signal.SIGSEGV)
    left = pool.submit(os._exit, 3)
    good.append(pool.submit(abs, -4))
    wait(good, timeout=60)
    assert [future.result() for future in good] == [None, 3, 4]
    with pytest.raises(WorkerDied, match=r"ended with SIGKILL \(out of memory") as error:
        killed.result(timeout=60)
    assert error.value.killed
    for future, how in ((broken, "SIGSEGV"), (left, "exit code 3")):
        with pytest.raises(WorkerDied, match=how) as error:
            future.result(timeout=60)
        assert not error.value.killed


@pytest.mark.slow
def test_a_call_that_does_not_stop_in_time_is_killed_and_the_worker_replaced():
    pool = ProcessPool(1, timeout_s=0.5)
    first = pool.submit(os.getpid)
    began = time.monotonic()
    hanging, after = pool.submit(time.sleep, 60), pool.submit(os.getpid)
    with pytest.raises(WorkerOverran):
        hanging.result(timeout=60)
    assert time.monotonic() - began < 30
    assert after.result(timeout=60) != first.result()
    assert not alive(first.result())
    pool.shutdown()


@pytest.mark.slow
def test_shutting_down_ends_workers_and_what_they_started(pool):
    pids = [pool.submit(os.getpid) for _ in range(20)]
    wait(pids, timeout=60)
    child = pool.submit(os.spawnlp, os.P_NOWAIT, "sleep", "sleep", "300").result(timeout=60)
    calls = [pool.submit(time.sleep, 300) for _ in range(4)]
    pool.shutdown(wait=False, cancel_futures=True)
    assert gone(*(pid.result() for pid in pids), child)
    assert all(call.done() for call in calls)
    with pytest.raises(RuntimeError, match="after shutdown"):
        pool.submit(abs, -1)


def test_a_pool_that_was_never_used_ends_at_once():
    began = time.monotonic()
    ProcessPool(2).shutdown(wait=False)
    assert time.monotonic() - began < 20


def test_what_a_worker_cannot_read_is_a_failure_of_the_engine(pool, tmp_path, monkeypatch):
    (tmp_path / "only_the_driver_has_it.py").write_text("def f(): pass")
    monkeypatch.syspath_prepend(tmp_path)
    from only_the_driver_has_it import f

    monkeypatch.undo()
    (tmp_path / "only_the_driver_has_it.py").unlink()
    pool.submit(abs, -1).result(timeout=60)
    with pytest.raises(WorkerFailed, match="No module named 'only_the_driver_has_it'"):
        pool.submit(f).result(timeout=60)
    with pytest.raises(WorkerFailed, match="TypeError: bad operand"):
        pool.submit(abs, "x").result(timeout=60)
    assert pool.submit(abs, -2).result(timeout=60) == 2
