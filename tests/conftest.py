"""One torch thread, Ctrl-C, and array shapes checked at run time, for every test."""

import os
import resource
import signal
import sys
from contextlib import contextmanager

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")

from jaxtyping import install_import_hook

# Annotations such as Float[Tensor, "n c *space"] are checked in tests; users do not pay for it.
install_import_hook(["generative", "latentopt", "objectives"], "beartype.beartype")

import hypothesis  # noqa: E402
import pytest  # noqa: E402
import torch  # noqa: E402  after the hook and the thread count

torch.set_num_threads(1)
# A busy neighbour fails no test: an example may take its time.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")
# A shell ignores Ctrl-C in what it runs in the background, and so would the processes that tests
# start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def files_of_at_most():
    """``with files_of_at_most(size):`` no file grows beyond `size` bytes, as on a full disk.

    Within a test only: pytest itself may be writing to a file between tests.
    """

    @contextmanager
    def limited(size):
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    return limited


@pytest.fixture
def run(capsys, monkeypatch):
    """Run a command in this process: its exit code, standard output and standard error."""

    from latentopt.cli.app import main

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["latentopt", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            main()
        printed = capsys.readouterr()
        return stop.value.code or 0, printed.out, printed.err

    return call
