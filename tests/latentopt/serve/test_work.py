"""The thread that computes: what waits, what is given up, and what is refused."""

import asyncio
import http.client
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from latentopt.interrupts import COMPUTING
from latentopt.serve.limits import Limits
from latentopt.serve.work import Busy, Work
from latentopt.space.latent_space import LatentSpace


class Gated:
    """A decoder that waits until it may go on, and counts what it decodes."""

    latent_dim, image_shape = 4, (1, 8, 8)

    def __init__(self):
        self.open, self.entered = threading.Event(), threading.Event()
        self.rows = []

    def decode(self, code):
        self.entered.set()
        assert self.open.wait(20)
        self.rows.append(len(code))
        return torch.sigmoid(code.sum(1))[:, None, None, None].expand(-1, 1, 8, 8).clone()


@pytest.fixture
def gated():
    model = Gated()
    yield model
    model.open.set()


@pytest.fixture
def held(serve, gated):
    """A service whose thread is busy, and whoever asks has to wait."""
    space = LatentSpace.from_prior(gated)
    limits = Limits(waiting=3, seconds=0.5)
    with serve(("gated", space), limits=limits) as service:
        service.path = f"/v1/spaces/{space.id}/decode"
        yield service
        gated.open.set()


def send(service, value):
    """Ask without waiting for the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=20)
    body = json.dumps({"z": [[value, 0, 0, 0]]})
    headers = {"Authorization": f"Bearer {service.token}", "Content-Type": "application/json"}
    connection.request("POST", service.path, body, headers)
    return connection


def figures(service):
    text = service.ask("GET", "/metrics")[2].decode()
    lines = [line.rsplit(maxsplit=1) for line in text.splitlines() if line[0] != "#"]
    return {name: float(value) for name, value in lines}


def in_a_loop(coroutine):
    """What it answers, in a thread without another loop: a browser of other tests may have one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, coroutine).result()


def until(true):
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_what_nobody_waits_for_is_not_computed(serve, gated):
    space = LatentSpace.from_prior(gated)
    with serve(("gated", space)) as service:
        service.path = f"/v1/spaces/{space.id}/decode"
        first = send(service, 0.0)
        assert gated.entered.wait(10)
        gone = [send(service, float(i)) for i in range(1, 6)]
        until(lambda: figures(service)["latentopt_waiting"] == 5)
        for connection in gone:
            connection.close()
        until(lambda: figures(service)["latentopt_given_up_total"] == 5)
        last = send(service, 9.0)
        gated.open.set()
        assert first.getresponse().status == 200
        assert last.getresponse().status == 200
        assert sum(gated.rows) == 2


def test_too_many_are_asked_to_come_back(held, gated):
    first = send(held, 0.0)
    assert gated.entered.wait(10)
    waiting = [send(held, float(i)) for i in range(3)]
    until(lambda: figures(held)["latentopt_waiting"] == 3)
    answer = send(held, 4.0).getresponse()
    assert answer.status == 503
    assert answer.getheader("Retry-After")
    gated.open.set()
    assert [one.getresponse().status for one in (first, *waiting)] == [200] * 4


def test_the_time_of_a_request_is_limited(held, gated):
    began = time.monotonic()
    answer = send(held, 0.0).getresponse()
    assert answer.status == 503
    assert json.loads(answer.read())["detail"].startswith("it took too long")
    assert time.monotonic() - began < 5
    gated.open.set()
    assert send(held, 0.0).getresponse().status == 200


def test_what_fails_here_is_not_told_and_harms_nobody_else(serve, tiny_space):
    class Broken(Gated):
        def decode(self, code):
            raise ZeroDivisionError("a secret of ours")

    broken = LatentSpace.from_prior(Broken())
    with serve(("broken", broken), ("tiny", tiny_space)) as service:
        body = {"z": [[0, 0, 0, 0]]}
        status, _, answer = service.ask("POST", f"/v1/spaces/{broken.id}/decode", body)
        assert status == 500
        assert b"secret" not in answer
        assert service.status("POST", f"/v1/spaces/{tiny_space.id}/decode", body) == 200


def test_an_end_does_not_wait_for_what_is_computed(gated):
    space = LatentSpace.from_prior(gated)

    async def run():
        async with Work(4, 4) as work:
            work.decode(space, np.zeros((1, 4)))
            while not gated.entered.is_set():
                await asyncio.sleep(0.01)
        return time.monotonic()

    began = time.monotonic()
    assert in_a_loop(run()) - began < 5  # it goes on for up to 20 s
    assert [t.daemon for t in threading.enumerate() if t.name == COMPUTING] != []
    assert all(t.daemon for t in threading.enumerate() if t.name == COMPUTING)


def test_decodes_that_wait_are_one_batch_and_each_gets_its_own(gated):
    space = LatentSpace.from_prior(gated)
    points = np.arange(40, dtype=np.float64).reshape(10, 4) / 40

    async def run():
        async with Work(100, 6) as work:
            tasks = [work.decode(space, point[None]) for point in points]
            await asyncio.sleep(0.05)
            gated.open.set()
            return await asyncio.gather(*tasks)

    answers = in_a_loop(run())
    torch.testing.assert_close(
        torch.from_numpy(np.concatenate(answers)), space.decode(torch.from_numpy(points))
    )
    # The first alone or with others; then as many as fit, each size a power of two.
    assert all(n in (1, 2, 4) for n in gated.rows[:-1])
    assert sum(gated.rows[:-1]) == 10


def test_work_waits_in_order_and_is_refused_beyond_the_limit():
    async def run():
        order = []
        gate = threading.Event()
        async with Work(2, 4) as work:
            first = work.call(lambda: gate.wait(10))
            await asyncio.sleep(0.05)
            rest = [work.call(lambda i=i: order.append(i)) for i in range(2)]
            with pytest.raises(Busy):
                await work.call(lambda: order.append("never"))
            gate.set()
            await asyncio.gather(first, *rest)
        return order

    assert in_a_loop(run()) == [0, 1]
