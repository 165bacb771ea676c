"""The strategy that settings name, made and checked."""

from collections.abc import Mapping
from typing import Any

from latentopt.settings.kinds import ROOT, as_spec
from latentopt.settings.spec import build
from latentopt.strategies.registry import STRATEGIES
from latentopt.strategies.strategy import Strategy

__all__ = ["build_strategy"]


def build_strategy(item: Any) -> Strategy:
    """Strategy of its spec, kind or itself; a `ConfigError` lists what is wrong with it."""
    if not isinstance(item, str | Mapping):
        return item
    return build(as_spec(item), STRATEGIES, f"{ROOT}.strategy")
