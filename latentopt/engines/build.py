"""The engine that settings name, made and checked."""

from collections.abc import Mapping
from concurrent.futures import Executor
from typing import Any

from latentopt.engines.engine import Engine
from latentopt.engines.given import GivenExecutor
from latentopt.engines.registry import ENGINES
from latentopt.errors import ConfigError
from latentopt.settings.kinds import ROOT, as_engine
from latentopt.settings.spec import build

__all__ = ["build_engine"]


def build_engine(item: Any) -> Engine:
    """Engine of its spec, kind, executor or itself; a `ConfigError` lists what is wrong with it."""
    if isinstance(item, Executor):
        return GivenExecutor.of(item)
    if isinstance(item, Engine):
        return item
    spec, at = as_engine(item), f"{ROOT}.engine"
    if not isinstance(spec, Mapping):
        raise ConfigError(
            f"should be the name of an engine, its settings, or an executor, got {item!r}.", at=at
        )
    return build(spec, ENGINES, at)
