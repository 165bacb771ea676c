"""One training at a time in a folder: two would overwrite each other's state."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from generative.errors import ModelFileError


@contextmanager
def only_training(folder: Path | str | None) -> Iterator[None]:
    """Hold a folder while a training runs in it; the system lets go of it when a process dies.

    Where folders cannot be held (Windows, some network file systems) nothing is checked; one that
    cannot be made is left to who writes there first, to name it.

    Parameters
    ----------
    folder
        Made if need be; ``None`` is no folder.

    Raises
    ------
    ModelFileError
        If another training is running there.
    """
    descriptor = None if folder is None else _held(Path(folder))
    try:
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _held(folder: Path) -> int | None:
    try:
        import fcntl
    except ImportError:  # Windows
        return None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise ModelFileError(
            f"{folder}: another training is running here; wait for it or stop it, or train in "
            "another folder."
        ) from None
    except OSError:
        os.close(descriptor)
        return None
    return descriptor
