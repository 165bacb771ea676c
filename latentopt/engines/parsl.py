"""Workers of Parsl: on this machine, or in jobs of a cluster that runs Slurm or PBS."""

import os
import shlex
import shutil
import sys
import tempfile
from concurrent.futures import Executor, Future
from functools import partial
from typing import Any, Literal

from pydantic import Field

from latentopt.engines.engine import EngineWithWorkers, OwnedExecutor, check_file_handles
from latentopt.engines.started_apart import started_apart
from latentopt.errors import ConfigError

_HANDLES = 40  # open files: a little more than it was seen to take
_NOTICED_S = 2  # until a worker that has died is noticed; Parsl's own 30 keep a trial waiting
_MODULE = "parsl.executors.high_throughput"


class ParslEngine(EngineWithWorkers):
    """A job of `nodes` nodes, submitted to the queue when the campaign starts.

    The driver runs on the login node and has to live as long as the campaign; killed with SIGKILL
    it leaves the job behind until the queue's own limit. Its folder must be one that the nodes see.
    """

    kind: Literal["parsl"] = "parsl"
    provider: Literal["local", "slurm", "pbs"] = Field(
        "local",
        description="Place where the workers run: this machine (local), or a job of Slurm or PBS.",
    )
    nodes: int = Field(1, ge=1, description="Number of nodes of the job.")
    walltime: str = Field(
        "01:00:00",
        pattern=r"^\d+:\d\d:\d\d$",
        description="Time limit of the job, as hours, minutes and seconds: HH:MM:SS.",
    )
    account: str | None = Field(
        None,
        description="Account or project that the job is charged to. null takes the cluster's "
        "default.",
    )
    queue: str | None = Field(
        None,
        description="Queue (PBS) or partition (Slurm) of the job. null takes the cluster's "
        "default.",
    )
    scheduler_options: str = Field(
        "", description="Additional lines of the job script, such as #SBATCH directives."
    )
    worker_init: str = Field(
        "", description="Shell commands that run on a node before its workers start."
    )
    folder: str | None = Field(
        None,
        description="Folder of Parsl's logs and job scripts, which the nodes have to see. null "
        "takes a temporary folder.",
    )

    def is_running(self, future: Future, answered: bool) -> bool:
        """Whether it can be: its job may wait in a queue until the first answer comes."""
        return answered or self.provider == "local"

    def open(self) -> Executor:
        """An executor of a data flow kernel of its own.

        Raises
        ------
        ConfigError
            parsl is not installed.
        WorkerFailed
            This process may not open enough files.
        """
        try:
            from parsl import Config, DataFlowKernel
            from parsl.concurrent import ParslPoolExecutor
        except ImportError:
            raise ConfigError("Running on Parsl needs parsl: pip install latentopt[hpc]") from None
        check_file_handles(_HANDLES)
        folder = self.folder or tempfile.mkdtemp(prefix="latentopt-parsl-")

        def start() -> DataFlowKernel:
            return DataFlowKernel(
                Config(
                    executors=[self._executor()],
                    run_dir=folder,
                    strategy="none",  # the job lives as long as the campaign
                    initialize_logging=False,
                )
            )

        def end(kernel: DataFlowKernel) -> None:
            kernel.cleanup()
            if self.folder is None:
                shutil.rmtree(folder, ignore_errors=True)

        kernel = started_apart(start, end)
        return OwnedExecutor(ParslPoolExecutor(dfk=kernel), partial(end, kernel))

    def _executor(self) -> Any:
        from parsl.executors import HighThroughputExecutor
        from parsl.executors.high_throughput.executor import DEFAULT_LAUNCH_CMD

        # By module: Parsl's scripts are found on PATH only where an environment is activated.
        pool = f"{shlex.quote(sys.executable)} -m {_MODULE}.process_worker_pool"
        return HighThroughputExecutor(
            label="latentopt",
            address="127.0.0.1" if self.provider == "local" else None,
            max_workers_per_node=-(-self.workers // self.nodes),
            cores_per_worker=1e-3,  # as many workers as were asked for, however few cores
            heartbeat_period=_NOTICED_S,
            provider=self.make_provider(),
            launch_cmd=DEFAULT_LAUNCH_CMD.replace("process_worker_pool.py", pool),
            interchange_launch_cmd=[sys.executable, "-m", f"{_MODULE}.interchange"],
        )

    def make_provider(self) -> Any:
        """Parsl's provider for these settings."""
        from parsl.launchers import MpiExecLauncher, SingleNodeLauncher, SrunLauncher
        from parsl.providers import LocalProvider, PBSProProvider, SlurmProvider

        # What the driver can import, the workers can.
        paths = shlex.quote(os.pathsep.join(path or os.getcwd() for path in sys.path))
        init = f"export PYTHONPATH={paths} OMP_NUM_THREADS=1\n{self.worker_init}"
        blocks: dict[str, Any] = {  # options of Parsl's providers
            "init_blocks": 1,
            "min_blocks": 0,
            "max_blocks": 1,
            "worker_init": init,
        }
        if self.provider == "local":
            return LocalProvider(**blocks)
        job: dict[str, Any] = {
            **blocks,
            "nodes_per_block": self.nodes,
            "walltime": self.walltime,
            "account": self.account,
            "scheduler_options": self.scheduler_options,
        }
        if self.provider == "slurm":
            return SlurmProvider(partition=self.queue, launcher=SrunLauncher(), **job)
        per_node = -(-self.workers // self.nodes)
        launcher = SingleNodeLauncher() if self.nodes == 1 else MpiExecLauncher()
        return PBSProProvider(queue=self.queue, cpus_per_node=per_node, launcher=launcher, **job)
