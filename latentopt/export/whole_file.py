"""Files that belong together, all of them new or all of them old, and the error of exports."""

import errno
import os
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from generative.files.own_files import check_outputs
from latentopt.errors import ExportError
from latentopt.files import explain_refusal, output_file


def write_whole(contents: Mapping[Path, bytes], *, overwrite: bool = False) -> None:
    """Write files so that a reader finds each of them old or new, and never half of one.

    All are on the disk under temporary names before the first of them takes its place; after a
    failure the temporary files are gone and old files are untouched.

    Parameters
    ----------
    contents
        Bytes of each file. Its folder must exist.
    overwrite
        Replace files that are not ours, too (`generative.files.own_files`).

    Raises
    ------
    OutputError
        A file that is not ours has one of the names; then none is written.
    ExportError
        If the disk is full, read-only or missing, or the path cannot be written.
    """
    try:
        check_outputs(contents, overwrite=overwrite)
        with ExitStack() as files:
            for path, data in contents.items():
                if not path.parent.is_dir():
                    reason = errno.ENOTDIR if path.parent.exists() else errno.ENOENT
                    raise OSError(reason, os.strerror(reason), str(path))
                file = files.enter_context(output_file(path, overwrite=overwrite))
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
    except OSError as error:
        raise _refusal(error.filename, error) from error


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, unless it is there; `ExportError` if that cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _refusal(folder, error) from error


def _refusal(path: Path | str, error: OSError) -> ExportError:
    return ExportError(f"cannot write {explain_refusal(path, error)}")
