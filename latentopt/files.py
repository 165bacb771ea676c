"""What to do when a disk says no, and single files that appear whole or not at all."""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import BinaryIO

from generative.files.own_files import place

__all__ = ["explain_refusal", "output_file", "replacing"]

_REMEDIES = {
    errno.ENOSPC: "Free some space, or choose a folder on another disk.",
    errno.EDQUOT: "Free some of your quota, or choose a folder on another disk.",
    errno.EFBIG: "Choose a folder on a disk that takes larger files.",
    errno.EROFS: "Choose a folder on a disk that can be written.",
    errno.EACCES: "Choose a folder you may read and write in.",
    errno.EPERM: "Choose a folder you may read and write in.",
    errno.ENOENT: "Make the folder first, or choose one that exists.",
    errno.ENOTDIR: "Choose a folder; a file stands in its place.",
    errno.EEXIST: "Choose another folder; a file has this name.",
    errno.EISDIR: "Choose another name; a folder has this one.",
    errno.ENAMETOOLONG: "Choose a shorter name.",
}


def explain_refusal(path: Path | str, error: OSError) -> str:
    """One line for a file that could not be written: its path, the reason and the remedy.

    >>> explain_refusal("z.npy", OSError(errno.EROFS, "Read-only file system"))
    'z.npy: Read-only file system. Choose a folder on a disk that can be written.'
    """
    # The system's own words: `error.strerror` may hold a remedy already.
    reason = os.strerror(error.errno) if error.errno else str(error)
    return f"{path}: {reason}. {_REMEDIES.get(error.errno, 'Choose another file name or folder.')}"


def output_file(path: Path, *, overwrite: bool = False) -> AbstractContextManager[BinaryIO]:
    """A file to write under a name that a user gave, as `replacing` does.

    What stands there is replaced if it is ours (`generative.files.own_files`), else only by
    `overwrite`.

    Raises
    ------
    OutputError
        Another file has the name, or came to have it meanwhile: it is left as it is.
    OSError
        With `path` as its ``filename``, if the disk is full or read-only.
    """
    return replacing(path, put=partial(place, overwrite=overwrite))


@contextmanager
def replacing(
    path: Path, *, alone: bool = False, put: Callable[[Path, Path], object] = os.replace
) -> Iterator[BinaryIO]:
    """A file to write in the place of `path`, which it takes when all of it is on the disk.

    Until then, and after any failure, `path` is what it was before. Its folder is made if need be,
    and those above it unless the file is ours `alone`: then they were there, and have been moved.
    For files within folders that are ours, such as a campaign's; see `output_file` for others.

    Parameters
    ----------
    path
        Where the file will be.
    alone
        No other process writes this file at the same time, as a lock says: what a killed one left
        half written is then overwritten, and not kept beside it.
    put
        Gives the finished file its name.

    Raises
    ------
    OSError
        With `path` as its ``filename``, if the disk is full or read-only.
    """
    part = path.with_name(f".{path.name}.part" if alone else f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=not alone, exist_ok=True)
        if path.is_dir():
            raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
        # Readable too: past a file that is only written NumPy writes by a stream of its own, and
        # does not notice that the disk is full.
        with part.open("w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        put(part, path)
        _sync_folder(path.parent)
    except OSError as error:
        if error.filename is not None and Path(error.filename) not in (part, path.parent):
            raise  # of another file, written at the same time
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    # The file is whole by now; where a folder cannot be synced, only the renaming may be lost.
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
