"""Engines and journal: efficiency, replay, start, and random kill -9 of driver and workers.

python benchmarks/engines.py [efficiency] [replay] [start] [kills N] [--trials N]
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from benchmarks.engine_objectives import first_call, noted, one_second
from latentopt.campaign.campaign import Campaign
from latentopt.runs.journal import Journal, read_events
from latentopt.runs.run import Run
from latentopt.space.latent_space import LatentSpace

TRIALS = int(sys.argv[sys.argv.index("--trials") + 1]) if "--trials" in sys.argv else 60


def campaign(folder, objective, **settings):
    defaults = {"strategy": "prior", "score": "decoded", "objective": "mean", "batch": 4}
    return Campaign(
        space=LatentSpace.default(), objectives=[objective], folder=folder, **(defaults | settings)
    )


# -- what is measured --


def efficiency(folder, workers=2, each=10):
    """Share of the workers' time that is spent in evaluations of one second, once they are up."""
    run = campaign(
        folder / "efficiency", one_second, trials=workers * (each + 1), batch=workers,
        engine={"kind": "process", "workers": workers},
    )  # fmt: skip
    run.run(workers, progress=False)  # both have run: what follows is without imports on disk
    ends = []
    tell = run.tell

    def noting(*arguments, **options):
        ends.append(time.monotonic())
        return tell(*arguments, **options)

    run.tell = noting
    run.run(progress=False)
    # From the first end, since processes start before it; by then each worker has done one.
    wall, done = ends[-1] - ends[0], len(ends) - workers
    print(f"efficiency, {workers} workers: {done / (wall * workers):.3f}, bar 0.90")


def replay(folder, trials=10_000):
    """Seconds to open a journal of so many trials, with z of 64 numbers."""
    source = campaign(folder / "replay", one_second, trials=trials)
    source.close()
    path = folder / "replay"
    z = LatentSpace.default().sample(trials, seed=0).tolist()
    with Journal(path) as journal:
        sync, os.fsync = os.fsync, lambda descriptor: None  # only to write the example
        for i in range(0, trials, 5):
            points = [{"index": k, "z": z[k]} for k in range(i, i + 5)]
            journal.append({"kind": "ask", "strategy": "prior", "trials": points})
            for k in range(i, i + 5):
                metrics = {"mean": 0.5, "distance_from_data": 1.0}
                journal.append({"kind": "tell", "trial": k, "metrics": metrics, "seconds": 1.0})
        os.fsync = sync
    wall, cpu = time.perf_counter(), time.process_time()
    assert len(Run.read(path).trials) == trials
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(f"replay of {trials} trials: {wall:.2f} s ({cpu:.2f} s of processor), bar 2 s")


def start(folder, trials=1000):
    """From starting the driver of a campaign with so many trials to its first evaluation."""
    from latentopt.strategies import STRATEGIES

    filled = folder / "start"
    with campaign(filled, first_call, trials=trials) as source:
        sync, os.fsync = os.fsync, lambda descriptor: None  # only to write the example
        for trial in source.ask(trials):
            source.tell(trial.index, {"mean": float(trial.z[0])}, seconds=1.0)
        os.fsync = sync
    for strategy in ("prior", "gp_typical", "structure"):
        if strategy in STRATEGIES:
            copy = shutil.copytree(filled, folder / strategy)  # else the next finds one pending
            began = time.time()
            command = [sys.executable, __file__, "first", str(copy), strategy, str(trials + 1)]
            ran = subprocess.run(command, capture_output=True, text=True, check=True)
            answer = json.loads(ran.stdout)
            print(
                f"start to first evaluation at {trials} trials, {strategy}: "
                f"{answer['wall'] - began:.1f} s ({answer['cpu']:.1f} s of processor), bar 10 s",
                flush=True,
            )


def first(folder, strategy, trials):
    """Go on with the campaign that `start` has filled."""
    campaign(
        Path(folder), first_call, trials=int(trials), batch=1, strategy=strategy, engine="serial"
    ).run(progress=False)


# -- kills --


def kills(folder, n, seed=0):
    """Kill drivers and workers at random moments; what was told must stay, once and for all."""
    moments, done, torn, campaigns = random.Random(seed), Counter(), [], 0
    while sum(done.values()) < n:
        place = folder / f"killed-{campaigns}"
        os.environ["CALLS"] = str(place) + ".calls"
        Path(os.environ["CALLS"]).touch()
        campaigns += 1
        while not _finished(place) and sum(done.values()) < n:
            _one_life(place, moments, done, torn)
            print(f"  {dict(done)}, {len(torn)} torn tails", flush=True)
        _let_finish(place)
        _check_budget(place)
    print(
        f"{sum(done.values())} kills {dict(done)}, {len(torn)} torn tails, {campaigns} campaigns: "
        "0 told results lost, 0 told twice, 0 evaluated after they were told, budgets exact"
    )


def _one_life(place, moments, done, torn):
    """Start a driver, kill workers and then itself, and check what the journal says."""
    told, seen = _told(place), len(_calls())
    driver = _start(place)
    workers = []
    try:
        while _alive(driver):
            end = time.monotonic() + moments.uniform(0.1, 4.0)  # workers start in two or three
            if moments.random() < 0.6:  # while it evaluates
                while time.monotonic() < end and len(_calls()) == seen:
                    time.sleep(0.05)
                end = time.monotonic() + moments.uniform(0, 1.0)
            time.sleep(max(0.0, end - time.monotonic()))
            workers = _workers_of(driver)
            if workers and moments.random() < 0.6:
                _kill(moments.choice(workers), done, "worker")
            else:
                _kill(driver, done, "driver")
                break
    finally:
        _reap(driver)
    for pid in workers:
        _wait_until_gone(pid)
    again = {float(line.split()[1]) for line in _calls()[seen:] if line.startswith("begun")}
    assert not again & set(told.values()), "evaluated after it was told"
    now = _told(place)
    assert told.items() <= now.items(), "a told result was lost"
    journal = place / "journal.jsonl"
    if journal.exists() and moments.random() < 0.4:
        whole = journal.read_bytes().splitlines(keepends=True)
        with journal.open("ab") as file:
            file.write(moments.choice(whole)[: moments.randrange(1, 60)])
        torn.append(place)


def _start(place):
    """A driver, forked: it has imported everything already."""
    pid = os.fork()
    if pid == 0:
        try:
            os.setpgid(0, 0)
            _campaign_to_kill(place).run(progress=False)
        except BaseException as error:
            print("driver:", error, file=sys.stderr)
        finally:
            os._exit(0)
    return pid


def _campaign_to_kill(place):
    engine = {"kind": "process", "workers": 2}
    return campaign(place, noted, trials=TRIALS, engine=engine)


def _told(place):
    """Value of each completed trial; no trial may be told twice."""
    if not (place / "journal.jsonl").exists():
        return {}
    events = read_events(place)
    ends = Counter(event["trial"] for event in events if event["kind"] in ("tell", "fail"))
    assert not [trial for trial, count in ends.items() if count > 1], "told twice"
    return {e["trial"]: e["metrics"]["mean"] for e in events if e["kind"] == "tell"}


def _calls():
    return Path(os.environ["CALLS"]).read_text().splitlines()


def _finished(place):
    if not (place / "journal.jsonl").exists() or not _told(place):
        return False
    trials = Run.read(place).trials
    return len(trials) == TRIALS and all(trial.status != "pending" for trial in trials)


def _let_finish(place):
    for _ in range(3):
        if not _finished(place):
            _reap(_start(place))


def _check_budget(place):
    trials = Run.read(place).trials
    assert [trial.index for trial in trials] == list(range(TRIALS)), "budget"
    ends = Counter(trial.state or trial.status for trial in trials)
    assert set(ends) <= {"completed", "lost"}, ends
    assert len(list((place / "candidates").iterdir())) == TRIALS
    print(f"  {place.name}: {dict(ends)}, {len(_calls())} lines of calls", flush=True)


def _kill(pid, done, what):
    try:
        os.kill(pid, signal.SIGKILL)
        done[what] += 1
    except ProcessLookupError:
        pass


def _alive(pid):
    return os.waitpid(pid, os.WNOHANG) == (0, 0)


def _reap(pid):
    with suppress(ChildProcessError):  # it ended by itself, and was seen to
        os.waitpid(pid, 0)


def _workers_of(driver):
    """Spawned children of a process that evaluate."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = path.read_text().rpartition(")")[2].split()[:2]
            command = (path.parent / "cmdline").read_bytes()
        except OSError:
            continue
        if int(parent) == driver and state != "Z" and b"spawn_main" in command:
            found.append(int(path.parent.name))
    return found


def _wait_until_gone(pid, seconds=120):  # one that starts ends when its imports are done
    end = time.monotonic() + seconds
    while Path(f"/proc/{pid}").exists():
        assert time.monotonic() < end, f"process {pid} was left behind"
        time.sleep(0.05)


def main(arguments):
    if arguments[:1] == ["first"]:
        first(*arguments[1:])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        wanted = arguments or ["efficiency", "replay", "start", "kills", "100"]
        if "efficiency" in wanted:
            efficiency(folder)
        if "replay" in wanted:
            replay(folder)
        if "start" in wanted:
            start(folder)
        if "kills" in wanted:
            kills(folder, int(wanted[wanted.index("kills") + 1]))


if __name__ == "__main__":
    main(sys.argv[1:])
