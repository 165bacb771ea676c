"""Names of phases for formats that allow less than any text."""

import re
from collections.abc import Sequence

from latentopt.microstructure import Microstructure
from latentopt.printable import is_plain, one_line

_MOST_CHARACTERS = 60  # Abaqus allows 80, and users add their own endings


def phase_set_names(microstructure: Microstructure) -> list[str]:
    """One name for each phase, ``phase_<label>_<name>``: ASCII letters, digits, underscores.

    All differ by the label. A name without such letters gives its characters by their numbers.

    >>> import numpy as np
    >>> labels = np.array([[0, 1]], dtype=np.uint8)
    >>> phase_set_names(Microstructure(labels, (1.0, 1.0), ("SiC / β", "β"), (True, True)))
    ['phase_0_SiC', 'phase_1_u3b2']
    """
    names = []
    for label, name in enumerate(microstructure.phase_names):
        plain = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_")
        plain = plain or "_".join(f"u{ord(c):x}" for c in name if not c.isspace()) or "unnamed"
        names.append(f"phase_{label}_{plain}"[:_MOST_CHARACTERS].rstrip("_"))
    return names


def phase_of_set(name: str) -> int:
    """Label in a text that begins with a name that `phase_set_names` made.

    >>> phase_of_set("phase_1_SiC"), phase_of_set("phase_2 in mm")
    (1, 2)
    """
    found = re.match(r"phase_(\d+)", name)
    if found is None:
        raise ValueError(f"should begin with phase_<label>, got {name[:_MOST_CHARACTERS]!r}")
    return int(found[1])


def simple_names(microstructure: Microstructure) -> list[str]:
    """Names of the phases where they are simple, else those of `phase_set_names`; all different.

    A simple name needs no quotes in YAML, is short, and holds no slash, which would divide it where
    HDF5 files are named after it.
    """
    names, sets = microstructure.phase_names, phase_set_names(microstructure)
    simple = [name if _is_simple(name) else plain for name, plain in zip(names, sets, strict=True)]
    return simple if len(set(simple)) == len(simple) else sets


def _is_simple(name: str) -> bool:
    import yaml

    if len(name) > _MOST_CHARACTERS or "/" in name or not is_plain(name):
        return False
    return yaml.safe_dump(name, allow_unicode=True, width=1000) == f"{name}\n...\n"


def printable_names(names: Sequence[str]) -> list[str]:
    """Names in one line each that can be printed and encoded; those that would be equal numbered.

    >>> printable_names(["a\\0", "a ", "b"])
    ['a', 'a (1)', 'b']
    """
    printed: list[str] = []
    for label, name in enumerate(names):
        text = one_line(name)
        while text in printed or (text != name and text in names):
            text = f"{text} ({label})"
        printed.append(text)
    return printed
