"""Where results may be written while images are read."""

from collections.abc import Iterable
from contextlib import suppress
from os.path import abspath
from pathlib import Path

from generative.data.formats.readers import READERS
from generative.errors import OutputError
from generative.files import own_files
from generative.files.walk import Identity, identity_of, walk


def check_outputs(
    files: Iterable[Path | str],
    *,
    inputs: Iterable[Path | str] = (),
    images: Iterable[Path | str] = (),
    overwrite: bool = False,
) -> None:
    """Refuse to write files that are not ours, or among images that are read, before any work.

    Parameters
    ----------
    files, inputs, overwrite
        As of `generative.files.own_files.check_outputs`.
    images
        Files or folders of images that are read. A picture or array that is written into such a
        folder would be read as one of its images the next time, so it is refused too.

    Raises
    ------
    OutputError
        Naming the files and the remedy.
    IsADirectoryError
        A folder has the name of a file.
    """
    files, images = [Path(file) for file in files], [Path(path) for path in images]
    own_files.check_outputs(files, inputs=[*inputs, *images], overwrite=overwrite)
    folders = {folder: name for name in images for folder in _folders(name)}
    for file in files:
        if (name := _inside(file, folders)) is not None:
            raise OutputError(
                f"{file}: lies in {name}, and would be read as one of its images the next time; "
                "choose a place outside of it."
            )


def _folders(path: Path) -> set[Identity | None]:
    if not path.is_dir():
        return set()
    with suppress(OSError):
        return {identity_of(folder.path) for folder in walk(path)}
    return {identity_of(path)}


def _inside(file: Path, folders: dict[Identity | None, Path]) -> Path | None:
    """The folder of images that a file lies in, if it would be read as one of them."""
    if file.suffix.lower() not in READERS:
        return None
    for folder in Path(abspath(file)).parents:
        if (identity := identity_of(folder)) in folders:
            return folders[identity]
    return None
