"""One thread that computes, and the requests that wait for it. Decodes that wait go together."""

import asyncio
import queue
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from latentopt.interrupts import COMPUTING
from latentopt.space.latent_space import LatentSpace

__all__ = ["Busy", "Work"]


class Busy(Exception):
    """Too many requests wait already."""


@dataclass(frozen=True, eq=False)
class _Waiting:
    """A request: points of a space to be decoded, or anything else to be computed."""

    answer: "asyncio.Future[Any]"
    compute: Callable[[], Any] | None = None
    space: LatentSpace | None = None
    z: Float[np.ndarray, "n d"] | None = None


class Work:
    """Computes what requests ask for, one after the other, in a thread of its own.

    While a batch is decoded, the decodes that arrive wait, and are the next batch: one client is
    answered at once, and many share the cost. Requests that have been given up are left out.

    Parameters
    ----------
    most_waiting
        Requests that may wait.
    most_rows
        Points of a batch, unless one request has more.
    """

    def __init__(self, most_waiting: int, most_rows: int) -> None:
        self.most_waiting, self.most_rows = most_waiting, most_rows
        self.batches = self.rows = 0
        self._waiting: deque[_Waiting] = deque()
        self._some = asyncio.Event()
        self._given: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._loop: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Work":
        self._loop = asyncio.create_task(self._run())
        # Of Python's own pools the threads are waited for, and a long solve would hold the exit.
        threading.Thread(target=self._compute, name=COMPUTING, daemon=True).start()
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._loop is not None
        self._loop.cancel()
        with suppress(asyncio.CancelledError):
            await self._loop
        for one in self._waiting:
            one.answer.cancel()
        self._given.put(None)

    @property
    def waiting(self) -> int:
        """Requests that wait."""
        return sum(not one.answer.done() for one in self._waiting)

    def call(self, compute: Callable[[], Any]) -> "asyncio.Future[Any]":
        """What a function answers; `Busy` if too many wait."""
        return self._wait(_Waiting(self._future(), compute=compute))

    def decode(
        self, space: LatentSpace, z: Float[np.ndarray, "n d"]
    ) -> "asyncio.Future[Float[np.ndarray, 'n c *space']]":
        """Images of checked points; `Busy` if too many wait."""
        return self._wait(_Waiting(self._future(), space=space, z=z))

    def _future(self) -> "asyncio.Future[Any]":
        return asyncio.get_running_loop().create_future()

    def _wait(self, one: _Waiting) -> "asyncio.Future[Any]":
        if len(self._waiting) >= self.most_waiting and self.waiting >= self.most_waiting:
            raise Busy
        self._waiting.append(one)
        self._some.set()
        return one.answer

    async def _run(self) -> None:
        while True:
            await self._some.wait()
            batch = self._next()
            if not batch:
                self._some.clear()
                continue
            done = self._future()
            self._given.put((asyncio.get_running_loop(), batch, done))
            answers = await done
            self._count(batch)
            for one, answer in zip(batch, answers, strict=True):
                if one.answer.done():  # given up meanwhile
                    continue
                if isinstance(answer, Exception):
                    one.answer.set_exception(answer)
                else:
                    one.answer.set_result(answer)

    def _compute(self) -> None:
        """Compute batches until there is None."""
        while (given := self._given.get()) is not None:
            loop, batch, done = given
            try:
                answers = _computed(batch)
            except Exception as error:
                answers = [error] * len(batch)
            with suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(_settle, done, answers)

    def _count(self, batch: list[_Waiting]) -> None:
        if (rows := sum(len(one.z) for one in batch if one.z is not None)) > 0:
            self.batches, self.rows = self.batches + 1, self.rows + rows

    def _next(self) -> list[_Waiting]:
        """The first that waits, and the decodes in the same space that fit beside it."""
        while self._waiting and self._waiting[0].answer.done():
            self._waiting.popleft()
        if not self._waiting:
            return []
        first = self._waiting.popleft()
        if first.z is None:
            return [first]
        most = self._size(first)
        batch, rows, rest = [first], len(first.z), deque()
        for one in self._waiting:
            if one.answer.done():
                continue
            if one.z is not None and one.space is first.space and rows + len(one.z) <= most:
                batch.append(one)
                rows += len(one.z)
            else:
                rest.append(one)
        self._waiting = rest
        return batch

    def _size(self, first: _Waiting) -> int:
        """Most rows of a batch: a power of two, since each size costs torch kernels of its own."""
        waiting = (one for one in self._waiting if one.space is first.space)
        rows = sum(len(one.z) for one in (first, *waiting) if one.z is not None)
        return 1 << (min(rows, self.most_rows).bit_length() - 1)


def _settle(done: "asyncio.Future[Any]", answers: list[Any]) -> None:
    if not done.done():
        done.set_result(answers)


def _computed(batch: list[_Waiting]) -> list[Any]:
    first = batch[0]
    if first.compute is not None:
        return [first.compute()]
    assert first.space is not None
    points = [one.z for one in batch if one.z is not None]
    images = first.space.decode(np.concatenate(points))
    return np.split(images, np.cumsum([len(z) for z in points])[:-1])
