"""Which files are ours to write again, and how a finished file takes its name.

The rule, in one place: a file that stands where we would write is replaced only if it is byte for
byte what we wrote there, or if its user says ``overwrite``; a file that is read is never written.
What we wrote is known by its sha256: in the ``manifest.json`` of a folder of ours (model, space,
surrogate), elsewhere in ``.latentopt.sha256`` beside the file, which ``sha256sum -c`` reads.
"""

import errno
import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from generative.errors import OutputError
from generative.files.json_text import parse_json
from generative.files.walk import NOTES, Identity, identity_of, walk

MANIFEST, SPACE = "manifest.json", "space.json"
# Of a training that was killed: they are written before the manifest that lists them.
_BEFORE_MANIFEST = (SPACE, "whitening.safetensors", "training.json")
_NAMED = 5  # files that a message lists
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)


def check_outputs(
    files: Iterable[Path | str],
    *,
    inputs: Iterable[Path | str] = (),
    overwrite: bool = False,
) -> None:
    """Refuse to write files that are not ours, before any work is done.

    Where images are read, `generative.data.outputs` refuses more.

    Parameters
    ----------
    files
        Everything that will be written: previews, sidecars and tables too.
    inputs
        Files that are read, and folders of them; none of these is ever written. Of a folder of
        ours (model, space, surrogate) its own files.
    overwrite
        Replace files that are not ours.

    Raises
    ------
    OutputError
        Naming the files and the remedy.
    IsADirectoryError
        A folder has the name of a file.
    """
    files = [Path(file) for file in files]
    read = _identities(map(Path, inputs))
    for file in files:
        if (name := read.get(identity_of(file))) is not None:
            raise OutputError(
                f"{file}: is {'' if name == file else f'the same file as {name}, '}read by this "
                "command and never written; choose another name for the output, which previews "
                "and tables beside it share."
            )
        if file.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(file))
    taken = [file for file in files if os.path.lexists(file) and not is_own(file)]
    if taken and not overwrite:
        raise OutputError(_refusal(taken))


def is_own(path: Path) -> bool:
    """Whether a file is byte for byte what we wrote under this name."""
    try:
        if path.is_symlink() or not path.is_file():
            return False
        if path.name in (MANIFEST, *_BEFORE_MANIFEST) and path.name not in manifest_of(path.parent):
            return bool(manifest_of(path.parent))
        known = {*_noted(path), *manifest_of(path.parent).get(path.name, ())}
        return bool(known) and sha256_of(path) in known
    except OSError:
        return False


def place(part: Path, path: Path, *, overwrite: bool = False) -> None:
    """Give a finished file its name; what is ours is replaced, what appeared meanwhile is not.

    Raises
    ------
    OutputError
        A file that is not ours has the name. What was made is kept beside it, and named.
    OSError
        If the disk refuses.
    """
    if overwrite or is_own(path):
        _note(path, sha256_of(part))
        os.replace(part, path)
        return
    try:
        _note(path, sha256_of(part))
        _name_anew(part, path)
    except FileExistsError:
        kept = _kept_beside(part, path)
        raise OutputError(f"{_refusal([path])} What was made is kept as {kept}.") from None


def manifest_of(folder: Path) -> dict[str, set[str]]:
    """Every sha256 that a folder of ours lists for its files; none if it is no such folder.

    A folder that was being written when its process was killed has the next manifest waiting.
    """
    listed: dict[str, set[str]] = {}
    for name in (MANIFEST, f".{MANIFEST}.new"):
        manifest = _json_object(folder / name)
        # Others keep lists of sha256, too: ours are of folders whose settings have our version.
        settings = (_json_object(folder / key) for key in ("config.json", SPACE) if key in manifest)
        if any("format_version" in found for found in settings):
            for key, sha256 in manifest.items():
                listed.setdefault(key, set()).add(str(sha256))
    return listed


def _json_object(path: Path) -> dict[str, object]:
    try:
        found = parse_json(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def sha256_of(path: Path) -> str:
    """Hexadecimal sha256 of a file, read in parts."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _refusal(files: list[Path]) -> str:
    more = f" and {len(files) - _NAMED} more" if len(files) > _NAMED else ""
    names, one = ", ".join(map(str, files[:_NAMED])), len(files) == 1
    return (
        f"{names}{more}: {'is' if one else 'are'} there already, and not as latentopt wrote "
        f"{'it' if one else 'them'}; choose another place, or replace {'it' if one else 'them'} "
        "with --overwrite (overwrite=True)."
    )


# -- inputs ---------------------------------------------------------------------------------------


def _identities(paths: Iterable[Path]) -> dict[Identity | None, Path]:
    """Every file that is read, by its identity."""
    found: dict[Identity | None, Path] = {}
    for path in paths:
        if not path.is_dir():
            found[identity_of(path)] = path
            continue
        if listed := manifest_of(path):  # other files of a folder of ours are not read
            found |= {identity_of(path / name): path / name for name in (*listed, MANIFEST)}
            continue
        with suppress(OSError):  # who reads it will say so
            every = (folder.path / name for folder in walk(path) for name in folder.files)
            found |= {identity_of(file): file for file in every}
    found.pop(None, None)
    return found


# -- notes ----------------------------------------------------------------------------------------


def _noted(path: Path) -> Iterator[str]:
    """Every sha256 that was noted for a name."""
    with suppress(OSError):
        for line in (path.parent / NOTES).read_bytes().splitlines():
            sha256, _, name = line.partition(b"  ")
            if name == _spelled(path):
                yield sha256.lstrip(b"\\").decode("ascii", "replace")


def _note(path: Path, sha256: str) -> None:
    """Note what is about to be there; where no note can be kept, the file is not ours later."""
    name = _spelled(path)
    escaped = b"\\" if name != os.fsencode(path.name) else b""
    with suppress(OSError):
        if sha256 not in _noted(path):
            with (path.parent / NOTES).open("ab") as file:
                file.write(escaped + sha256.encode() + b"  " + name + b"\n")


def _spelled(path: Path) -> bytes:
    """A name as ``sha256sum`` writes it, on one line."""
    name = os.fsencode(path.name)
    return name.replace(b"\\", b"\\\\").replace(b"\n", b"\\n").replace(b"\r", b"\\r")


# -- names ----------------------------------------------------------------------------------------


def _name_anew(part: Path, path: Path) -> None:
    """Move a file to a name that is free; ``FileExistsError`` if it is not, whatever the moment."""
    try:
        os.link(part, path)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from None
        os.rename(part, path)  # a disk without hard links
        return
    part.unlink()


def _kept_beside(part: Path, path: Path) -> Path:
    number = 1
    while True:
        kept = path.with_name(f"{path.stem}.new{number}{path.suffix}")
        with suppress(FileExistsError):
            _name_anew(part, kept)
            return kept
        number += 1
