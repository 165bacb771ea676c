"""The lock of a campaign's folder: on the journal itself, and on ``campaign.lock`` beside it.

A lock file alone is lost when somebody deletes it: the next process makes another one and locks
that. The journal cannot be lost that way, since a campaign without it does not go on.
``campaign.lock`` holds the name of the process, and keeps out versions that lock nothing else.
"""

import errno
import os
import re
import socket
import time
from pathlib import Path

from latentopt.errors import CampaignError, CampaignLockedError
from latentopt.runs.journal_end import Kept, read_end

__all__ = [
    "JOURNAL",
    "lock_holder",
    "name_of_this_process",
    "open_journal",
    "open_lock_file",
    "write_name",
]

JOURNAL, _LOCK = "journal.jsonl", "campaign.lock"
_MOMENT = 0.05  # seconds
_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL)


def name_of_this_process() -> str:
    """How this process is called in messages and in ``campaign.lock``."""
    return f"process {os.getpid()} on {socket.gethostname()}"


def lock_holder(folder: Path | str) -> tuple[str, float] | None:
    """Who runs the campaign of a folder, and since when in seconds of the epoch; None if nobody."""
    folder = Path(folder)
    return _holder(folder) if any(_is_locked(folder / name) for name in (JOURNAL, _LOCK)) else None


def open_lock_file(folder: Path) -> int:
    """Descriptor of the folder's ``campaign.lock``, locked until it is closed."""
    return _locked(os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o644), folder)


def open_journal(folder: Path) -> int:
    """Descriptor of the folder's journal, made if need be, and locked until it is closed.

    Raises
    ------
    CampaignLockedError
        Another process has it.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND
    return _locked(os.open(folder / JOURNAL, flags, 0o644), folder)


def write_name(descriptor: int, name: str) -> None:
    """Put the name of the process that holds it into the open ``campaign.lock``."""
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, name.encode(), 0)


def _locked(descriptor: int, folder: Path) -> int:
    try:
        _lock_or_raise(descriptor)
    except BlockingIOError:
        os.close(descriptor)
        owner = _holder(folder)[0]
        raise CampaignLockedError(
            f"{folder}: {owner} is running this campaign{_if_it_has_ended(owner)}; wait for it, "
            "stop it (in Python: campaign.close()), or choose another folder."
        ) from None
    except OSError as error:
        os.close(descriptor)
        if error.errno in _NO_LOCKS:
            raise CampaignError(
                f"{folder}: cannot be locked ({error.strerror}): its disk knows no locks, so two "
                "processes could write one campaign. Choose a folder on another disk (of NFS: one "
                "that is mounted with locks)."
            ) from None
        raise
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _lock_or_raise(descriptor: int) -> None:
    import fcntl  # not on Windows, where reading a campaign should still work

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        time.sleep(_MOMENT)  # `lock_holder` may have had it, to see whether it can be had
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _is_locked(path: Path) -> bool:
    try:
        import fcntl

        descriptor = os.open(path, os.O_RDONLY)
    except (ImportError, OSError):
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # a disk without locks: nobody can have one
        return False
    finally:
        os.close(descriptor)
    return False


def _holder(folder: Path) -> tuple[str, float]:
    """Name and time in ``campaign.lock``; in ``journal.end`` where that was deleted."""
    try:
        path = folder / _LOCK
        if owner := path.read_bytes()[:200].decode(errors="replace"):
            return owner, path.stat().st_mtime
    except OSError:
        pass
    kept = read_end(folder)
    return (kept.owner, kept.since) if isinstance(kept, Kept) else ("another process", time.time())


def _if_it_has_ended(owner: str) -> str:
    """What to add where the process of that name is not there any more."""
    found = re.fullmatch(r"process (\d+) on (.*)", owner)
    if found is None or found[2] != socket.gethostname():
        return ""
    try:
        os.kill(int(found[1]), 0)
    except ProcessLookupError:
        return " (it has ended, but a process that it started still holds the journal open)"
    except OSError:
        pass
    return ""
