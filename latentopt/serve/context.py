"""What the routes of a service share."""

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from fastapi import Request
from jaxtyping import Float, Float64

from latentopt.serve.control import Control
from latentopt.serve.figures import Figures
from latentopt.serve.limits import Limits
from latentopt.serve.problems import Late, Problem
from latentopt.serve.spaces import ServedSpace, Spaces
from latentopt.serve.work import Work
from latentopt.space.arguments import checked_points

__all__ = ["Context"]

LARGE = 2**16  # numbers of an answer that others would have to wait for


@dataclass(frozen=True, eq=False)
class Context:
    """What there is to serve, and the thread that computes.

    Parameters
    ----------
    spaces
        By id.
    runs
        Folder of campaigns, or of one; None if none are shown.
    limits
        Of requests.
    work
        Computes.
    job_work
        Computes jobs, for which nobody else has to wait.
    control
        Tells campaigns to end or to go on; None if that is not allowed.
    figures
        Counts.
    """

    spaces: Spaces
    runs: Path | None
    limits: Limits
    work: Work
    job_work: Work
    control: Control | None = None
    figures: Figures = field(default_factory=Figures)

    async def compute(self, request: Request, function: Callable[[], Any]) -> Any:
        """What a function answers, in the thread that computes."""
        return await self._in_time(request, self.work.call(function))

    async def compute_apart(self, request: Request, function: Callable[[], Any]) -> Any:
        """The same in the thread of jobs, for what takes long."""
        return await self._in_time(request, self.job_work.call(function))

    async def decode(
        self, request: Request, served: ServedSpace, z: Float64[np.ndarray, "n d"]
    ) -> Float[np.ndarray, "n c *space"]:
        """Images of checked points."""
        return await self._in_time(request, self.work.decode(served.space, z))

    def points(self, served: ServedSpace, rows: list[list[float]]) -> Float64[np.ndarray, "n d"]:
        """Points of a request.

        Raises
        ------
        Problem
            (422.) There are too many, or one is of another width.
        """
        self.check_rows(served, len(rows))
        width = served.space.latent_dim
        for i, row in enumerate(rows):
            if len(row) != width:
                raise Problem(422, f"z: row {i} should have {width} numbers, got {len(row)}")
        points = checked_points(np.array(rows, dtype=np.float64), width).numpy()
        farthest = float(np.abs(points).max())
        if farthest > 1e6:
            raise Problem(422, f"z: numbers should be from -1e6 to 1e6, got {farthest:g}")
        return points

    def limits_of(self, served: ServedSpace) -> dict[str, int]:
        """What a client has to keep to: structures of a request, and bytes of its body."""
        rows = min(self.limits.rows, self.most_images(served))
        return {"most_rows": rows, "most_bytes": self.limits.body_bytes}

    def check_rows(self, served: ServedSpace, n: int) -> None:
        """Refuse more structures than a request may have."""
        most = self.limits_of(served)["most_rows"]
        if n > most:
            raise Problem(422, f"a request has {most} structures of this space at most, got {n}")

    def most_images(self, served: ServedSpace) -> int:
        """Images of a space that a request may hold by their voxels."""
        return max(1, self.limits.voxels // math.prod(served.space.image_shape))

    async def rendered(self, function: Callable[[], Any], *, size: int = LARGE) -> Any:
        """An answer that takes a while to write, while others are served; a small one at once."""
        return function() if size < LARGE else await asyncio.to_thread(function)

    async def _in_time(self, request: Request, work: "asyncio.Future[Any]") -> Any:
        """The answer, unless its time is over or nobody waits for it any more."""
        gone = asyncio.ensure_future(_gone(request))
        try:
            done, _ = await asyncio.wait(
                {work, gone}, timeout=self.limits.seconds, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            gone.cancel()
            if not work.done():
                work.cancel()
        if work in done:
            return work.result()
        if gone in done:
            self.figures.given_up += 1
            raise Problem(499, "the client has gone")
        raise Late


async def _gone(request: Request) -> None:
    """Wait until the client has closed the connection."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
