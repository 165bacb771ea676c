"""One torch thread, Ctrl-C, and array shapes of first calls checked, for every test."""

import os
import resource
import signal
import sys
from collections import Counter
from contextlib import contextmanager
from functools import cache, wraps
from inspect import isclass

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")

import jaxtyping

# Of one function in one test so many calls have their annotations checked, and then one in so many.
CHECKED_CALLS, ONE_IN = 3, 100
check, calls, inner_calls = jaxtyping.jaxtyped, Counter(), Counter()


def check_some_calls(*, typechecker):
    """`jaxtyping.jaxtyped` for functions that may be called a million times in a test."""

    def decorate(decorated):
        if isclass(decorated):
            return check(decorated, typechecker=typechecker)
        code, checked = decorated.__code__, None
        # A function made inside another is new at each call of that, and its check costs
        # milliseconds: so many calls in a whole run.
        seen = inner_calls if "<locals>" in decorated.__qualname__ else calls

        @wraps(decorated)
        def call(*arguments, **options):
            nonlocal checked
            seen[code] += 1
            if seen[code] > CHECKED_CALLS and seen[code] % ONE_IN:
                return decorated(*arguments, **options)
            if checked is None:
                checked = check(decorated, typechecker=typechecker)
            return checked(*arguments, **options)

        return call

    return decorate


# Annotations such as Float[Tensor, "n c *space"] are checked in tests; users do not pay for it.
jaxtyping.jaxtyped = check_some_calls  # which the hook puts on every function
jaxtyping.install_import_hook(["generative", "latentopt", "objectives"], "beartype.beartype")

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


def pytest_runtest_setup():
    """Begin to count calls anew."""
    calls.clear()


@cache
def embedded(name="default"):
    """An embedded space, and with it the features of its structures, which take seconds."""
    from latentopt.space.embedded import embedded_folder
    from latentopt.space.latent_space import LatentSpace

    return LatentSpace.load(embedded_folder(name))


@pytest.fixture
def embedded_once(monkeypatch):
    """Scripts that begin with an embedded space share one in a process."""
    from latentopt.space.latent_space import LatentSpace

    monkeypatch.setattr(LatentSpace, "default", embedded)


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
