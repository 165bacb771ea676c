"""Names of phases for formats that allow letters, digits and underscores only."""

import re

from latentopt.microstructure import Microstructure

_MOST_CHARACTERS = 60  # Abaqus allows 80, and users add their own endings


def phase_set_names(microstructure: Microstructure) -> list[str]:
    """One name for each phase, ``phase_<label>_<name>``, ASCII, all different.

    >>> import numpy as np
    >>> labels = np.array([[0, 1]], dtype=np.uint8)
    >>> phase_set_names(Microstructure(labels, (1.0, 1.0), ("pore", "SiC / β"), (True, True)))
    ['phase_0_pore', 'phase_1_SiC']
    """
    names = []
    for label, name in enumerate(microstructure.phase_names):
        plain = re.sub(r"[^A-Za-z0-9]+", "_", f"phase_{label}_{name}")
        names.append(plain[:_MOST_CHARACTERS].rstrip("_"))
    return names


def phase_of_set(name: str) -> int:
    """Label in a name that `phase_set_names` made.

    >>> phase_of_set("phase_1_SiC")
    1
    """
    return int(name.split("_")[1])
