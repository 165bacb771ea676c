"""Which files of a folder are its images, the class of each, and what is left out."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from generative.data.check import reading
from generative.data.dataset import NOT_LABELLED, UNLABELLED
from generative.data.formats.content import PICTURES
from generative.data.formats.readers import READERS, kind_of_file
from generative.errors import DataError
from generative.files.walk import NOTES, walk

# Pictures and volumes we do not read: better refused than left out unseen.
# fmt: off
_FOREIGN = frozenset({
    ".gif", ".webp", ".jp2", ".j2k", ".tga", ".ppm", ".pgm", ".pbm", ".heic", ".dm3", ".dm4",
    ".czi", ".lif", ".nd2", ".svs", ".vsi", ".vtk", ".nrrd", ".mha", ".mhd",
    ".nii", ".am", ".hdr", ".img",
})
# fmt: on


@dataclass(frozen=True)
class Found:
    """The files of a folder of images, in sorted order.

    Parameters
    ----------
    files
        Images.
    left_out
        What is no image, a line each with the reason: hidden, another kind, or a link in a circle.
    foreign
        Pictures of a format that is not read.
    lost
        Links to nothing.
    seen
        How many there are, hidden ones apart.
    """

    files: tuple[Path, ...]
    left_out: tuple[str, ...] = ()
    foreign: tuple[Path, ...] = ()
    lost: tuple[Path, ...] = ()
    seen: int = 1

    @property
    def problems(self) -> list[str]:
        """What keeps the folder from being read, a line each."""
        lost = [f"{file}: is a link to nothing; mend it, or remove it." for file in self.lost]
        return lost + [
            f"{file}: pictures of this format are not read; convert it to PNG or TIFF, or move it "
            "out of the folder."
            for file in self.foreign
        ]


def find_files(root: Path) -> list[Path]:
    """As `find`, but a problem is refused by a `DataError`."""
    found = find(root)
    if found.lost:
        raise DataError(found.problems[0])
    if found.foreign:
        raise DataError(
            f"{found.foreign[0]}: pictures of this format are not read ({len(found.foreign)} of "
            f"{found.seen} files); convert them to PNG or TIFF, or move them out of the folder."
        )
    return list(found.files)


def find(root: Path) -> Found:
    """The file itself, or the images of a folder and its subfolders; and what is left out.

    Links to files and folders are followed, but not in circles. Hidden files and folders (``.x``)
    and files that are not pictures (notes, tables) are left out. A link to nothing is a problem, as
    are pictures of a format that is not read.

    Raises
    ------
    DataError
        If there is no file that might be an image, or a folder cannot be read.
    """
    if root.is_file():
        return Found((root,))
    if not root.is_dir():
        raise DataError(f"{root}: no such file or folder; check the path.")
    with reading(root):
        seen, left_out = _look(root)
    there = [file for file in seen if file.exists()]
    files = [file for file in there if file.suffix.lower() in READERS]
    foreign = [file for file in there if file.suffix.lower() not in READERS and _is_foreign(file)]
    others = [file for file in there if file not in {*files, *foreign}]
    lost = [file for file in seen if not file.exists()]
    if not (files or foreign or lost):
        only = f", only {', '.join(file.name for file in others[:3])}" if others else ""
        raise DataError(
            f"{root}: holds no images{only}; expected files ending in {', '.join(READERS)}."
        )
    left_out += [f"{file.relative_to(root).as_posix()} (no image)" for file in others]
    return Found(tuple(files), tuple(sorted(left_out)), tuple(foreign), tuple(lost), len(seen))


def _look(root: Path) -> tuple[list[Path], list[str]]:
    """Files in sorted order, and what is passed over at sight."""
    files: list[Path] = []
    left_out: list[str] = []
    for place in walk(root):
        here = place.path.relative_to(root)
        hidden = [name for name in (*place.folders, *place.files) if name.startswith(".")]
        named = [name for name in hidden if name != NOTES]
        left_out += [f"{(here / name).as_posix()} (hidden)" for name in named]
        left_out += [f"{(here / name).as_posix()} (link in a circle)" for name in place.circles]
        place.folders[:] = [name for name in place.folders if name not in hidden]
        files += [place.path / name for name in place.files if name not in hidden]
    return sorted(files), left_out


def _is_foreign(file: Path) -> bool:
    """A picture that would be left out unseen: by its ending, or by its content without one."""
    suffix = file.suffix.lower()
    if suffix in _FOREIGN:
        return True
    if suffix or not file.is_file():
        return False
    with suppress(OSError, DataError):
        return kind_of_file(file) in PICTURES
    return False


def classes_of(files: list[Path], root: Path) -> tuple[tuple[str, ...], np.ndarray]:
    """Class names and the class of each file: the subfolder, or one class for all.

    Files of a subfolder called ``unlabelled`` have the class -1, which has no name.
    """
    if root.is_file():
        return as_labels([root.stem])
    parts = [file.relative_to(root).parts for file in files]
    loose = [file for file, part in zip(files, parts, strict=True) if len(part) == 1]
    if len(loose) == len(files):
        return as_labels([root.resolve().name] * len(files))
    if loose:
        more = f" (and {len(loose) - 1} more)" if len(loose) > 1 else ""
        raise DataError(
            f"{loose[0]}: lies beside class folders{more}; move it into one of them, or move all "
            "images into one folder."
        )
    return as_labels([part[0] for part in parts])


def as_labels(classes: Sequence[str]) -> tuple[tuple[str, ...], np.ndarray]:
    """Class names in sorted order, and the label (n,) of each; -1 of ``""`` and ``"unlabelled"``.

    Examples
    --------
    >>> as_labels(["vacancy", "", "pristine", "unlabelled"])
    (('pristine', 'vacancy'), array([ 1, -1,  0, -1]))
    """
    names = sorted({name for name in classes if name not in ("", UNLABELLED)})
    number = {name: row for row, name in enumerate(names)}
    return tuple(names), np.array([number.get(name, NOT_LABELLED) for name in classes], np.int64)
