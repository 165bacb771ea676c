"""What a strategy is called in journals and messages."""

from latentopt.strategies.strategy import Strategy

__all__ = ["strategy_name"]


def strategy_name(strategy: Strategy) -> str:
    """Kind of a strategy, or the name of its class where it has none: one of the user's own."""
    return getattr(strategy, "kind", type(strategy).__name__)
