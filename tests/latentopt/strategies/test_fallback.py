"""A model that fails costs a proposal its quality, with one warning; no campaign ends of it."""

from functools import partial

import pytest
import torch
from botorch.exceptions.errors import OptimizationGradientError
from linear_operator.utils.errors import NotPSDError

from latentopt.errors import ConfigError
from latentopt.goal import Goal
from latentopt.history import History
from latentopt.serve.client import RemoteError
from latentopt.strategies import STRATEGIES
from latentopt.strategies.fallback import modelled_or_drawn
from latentopt.strategies.prior import draw


@pytest.fixture
def history(tiny_space):
    z = tiny_space.sample(12, seed=1)
    return History(tiny_space, Goal.parse("a"), z=z, metrics={"a": z[:, 0]})


@pytest.mark.parametrize(
    "error",
    [
        OptimizationGradientError("gradf is NaN", current_x=None),
        NotPSDError("not positive definite"),
        RuntimeError("two\nlines"),
        ValueError("array must not contain infs or NaNs"),
        ZeroDivisionError(),
        MemoryError("19 GiB"),
    ],
)
def test_whatever_a_fit_raises_is_answered_with_draws_and_one_warning(history, error, caplog):
    def breaks():
        raise error

    assert torch.equal(modelled_or_drawn(history, 3, "mine", breaks), draw(history, 3))
    (record,) = caplog.records
    assert type(error).__name__ in record.getMessage()
    assert "mine could not fit" in record.getMessage()


def test_points_that_are_none_are_not_proposed(history, caplog):
    found = modelled_or_drawn(history, 2, "mine", lambda: torch.full((2, 4), torch.nan).double())
    assert torch.equal(found, draw(history, 2))
    assert len(caplog.records) == 1


@pytest.mark.parametrize(
    "error",
    [ConfigError("yours"), TypeError("ours"), RemoteError("has gone"), KeyboardInterrupt()],
)
def test_mistakes_of_a_user_or_of_ours_are_not_hidden(history, error):
    def breaks():
        raise error

    with pytest.raises(type(error)):
        modelled_or_drawn(history, 1, "mine", breaks)


def ask_for_two_objectives(space):
    """In a process that has not looked for BoTorch's extension."""
    import botorch.acquisition.multi_objective.logei as logei

    logei._load_attempted, logei._C = False, None
    z = space.sample(14, seed=1)
    told = History(space, Goal.parse("a, b"), z=z, metrics={"a": z[:, 0], "b": -(z[:, 0] ** 2)})
    small = {"structure": {"max_iterations": 5}, "ax": {}, "saas": {"ensemble": 1}}
    for kind, settings in small.items():
        print(kind, STRATEGIES[kind](**settings).propose(told, 1).shape, flush=True)


@pytest.mark.slow
def test_several_objectives_compile_nothing_and_wait_for_no_lock(fork, tiny_space, tmp_path):
    """A build of BoTorch's extension that was killed has left its lock file."""
    cache = tmp_path / "cache"
    (cache / "logei_fused_ext").mkdir(parents=True)
    (cache / "logei_fused_ext" / "lock").touch()
    asking = partial(ask_for_two_objectives, tiny_space)
    printed, errors = fork(main=asking, cwd=tmp_path, TORCH_EXTENSIONS_DIR=cache).communicate(100)
    for kind in ("structure", "ax", "saas"):
        assert f"{kind} torch.Size([1, 4])" in printed, errors
    assert [path.name for path in cache.rglob("*")] == ["logei_fused_ext", "lock"]


def test_what_botorch_compiled_for_others_is_left_to_them(history):
    import botorch.acquisition.multi_objective.logei as logei

    before = logei._load_attempted, logei._C
    modelled_or_drawn(history, 1, "mine", lambda: draw(history, 1))
    assert (logei._load_attempted, logei._C) == before


@pytest.mark.parametrize("objectives", [2, 4, 6])
def test_a_proposal_for_many_objectives_is_feasible_and_new(tiny_space, objectives):
    names = "abcdef"[:objectives]
    z = tiny_space.sample(30, seed=1)
    metrics = {name: (z * (i + 1)).sin().sum(1) for i, name in enumerate(names)}
    told = History(tiny_space, Goal.parse(", ".join(names), ["a >= 0"]), z=z, metrics=metrics)
    strategy = STRATEGIES["gp_typical"](restarts=1, raw_samples=32, max_iterations=10)
    proposed = strategy.propose(told, 2)
    assert torch.cdist(proposed, z).min() > 1e-6
    gain = strategy.expected_gain(told, proposed)
    assert 0 <= gain < float(torch.stack(told.goal.values(told.metrics)).std(1).prod()) * 100
