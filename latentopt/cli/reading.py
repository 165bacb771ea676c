"""The options of every command that reads images, and what it says of them."""

import logging
from typing import TYPE_CHECKING, Annotated, Any

import typer

from latentopt.cli.grey import check_grey
from latentopt.printing import print

if TYPE_CHECKING:
    from generative.data.check import Limits

AS_THEY_ARE = ": values 0, 1 became phases 0, 1"

__all__ = ["AxesOption", "LimitOption", "read_limits", "reading_options", "tell_readings"]

AxesOption = Annotated[
    str | None,
    typer.Option(help="A letter of n, t, c, z, y, x for each axis of an array: zyx, nyxc, ..."),
]
LimitOption = Annotated[
    list[str] | None,
    typer.Option(
        help="Read more than is allowed: image_voxels=2e9, total_bytes=2e10 or ratio=2000; may be "
        "repeated."
    ),
]


def reading_options(
    grey: str, axes: str | None = None, limit: list[str] | None = None
) -> dict[str, Any]:
    """Arguments of `generative.data.read_dataset`; a `ConfigError` for wrong options."""
    check_grey(grey)
    return {"grey": grey, "axes": axes, "limits": read_limits(limit)}


def read_limits(limit: list[str] | None) -> "Limits | None":
    """The limits that ``--limit`` sets, None for those that hold anyway."""
    from generative.data.check import Limits
    from latentopt.errors import ConfigError

    try:
        return Limits.parse(limit) if limit else None
    except ValueError as error:
        raise ConfigError(f"--limit: {error}") from None


def tell_readings() -> None:
    """Print what becomes of the values of each file as it is read, once.

    Nothing is said of values 0 and 1 that are phases 0 and 1.
    """
    log = logging.getLogger("generative.data")
    log.handlers[:] = [_OnStandardOutput()]
    log.setLevel(logging.INFO)


class _OnStandardOutput(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self._told: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if message not in self._told and not message.endswith(AS_THEY_ARE):
            self._told.add(message)
            print(message, flush=True)
