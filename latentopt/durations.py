"""Times in words."""

__all__ = ["duration"]


def duration(seconds: float) -> str:
    """A time in the unit that suits it.

    >>> duration(5.0), duration(125.0), duration(5400.0), duration(2e5)
    ('5 s', '2 min', '1.5 h', '2.3 d')
    """
    if seconds < 60:
        return f"{seconds:.0f} s"
    if seconds < 3600:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 172_800 else f"{seconds / 86_400:.1f} d"
