"""Workers of dask.distributed: on this machine, or behind a scheduler that runs already."""

import logging
from concurrent.futures import Executor, Future
from contextlib import ExitStack
from typing import Any, Literal

from pydantic import Field

from latentopt.engines.engine import EngineWithWorkers, OwnedExecutor, check_file_handles
from latentopt.engines.started_apart import started_apart
from latentopt.errors import ConfigError

_HANDLES, _HANDLES_A_WORKER = 24, 10  # open files: a little more than it was seen to take


class DaskEngine(EngineWithWorkers):
    """A cluster of Dask; without an address, `workers` processes of this machine.

    A worker that hangs is ended and started again by Dask where it has a nanny, as by default. A
    scheduler of your own should have ``distributed.scheduler.allowed-failures: 0``, or it runs what
    killed its worker three times more.
    """

    kind: Literal["dask"] = "dask"
    address: str | None = Field(
        None,
        description="Address of a running Dask scheduler, such as tcp://node:8786. null starts a "
        "cluster on this machine.",
    )

    def is_running(self, future: Future, answered: bool) -> bool:
        """Whether it can be: there is a worker, and nothing tells when a call has begun."""
        return True

    def open(self) -> Executor:
        """An executor of a client of the cluster.

        Raises
        ------
        ConfigError
            distributed is not installed.
        WorkerFailed
            This process may not open enough files.
        """
        try:
            import dask
            from distributed import Client
        except ImportError:
            raise ConfigError(
                "Running on Dask needs distributed: pip install latentopt[hpc]"
            ) from None
        check_file_handles(_HANDLES + _HANDLES_A_WORKER * self.workers)
        # By default a task is run again up to three times when its worker dies, and takes three
        # more workers with it.
        with dask.config.set({"distributed.scheduler.allowed-failures": 0}), ExitStack() as opened:
            cluster = self.address
            if cluster is None:
                cluster = started_apart(self._cluster, lambda cluster: cluster.close())
                opened.callback(cluster.close)
            client = Client(cluster, set_as_default=False)
            opened.callback(client.close)
            client.wait_for_workers(1, timeout=self.start_s)
            end = opened.pop_all().close
        # pure: equal calls would be taken for one.
        return OwnedExecutor(client.get_executor(pure=False, retries=0), end)

    def _cluster(self) -> Any:
        from distributed import LocalCluster

        return LocalCluster(
            n_workers=self.workers,
            threads_per_worker=1,
            dashboard_address=None,
            silence_logs=logging.CRITICAL,
        )
