"""Surrogates by the name that config files give them, and any of them from its folder."""

from pathlib import Path
from typing import Any

from objectives.errors import SurrogateFileError
from objectives.surrogates.cnn import CNN
from objectives.surrogates.folder import CONFIG, read_surrogate
from objectives.surrogates.latent_gp import LatentGP
from objectives.surrogates.pymks_conduction import PymksConduction
from objectives.surrogates.pymks_pipeline import PymksPipeline
from objectives.surrogates.surrogate import Surrogate
from objectives.surrogates.two_point_gp import TwoPointGP

SURROGATES = {
    "pymks_pipeline": PymksPipeline,
    "pymks_localization": PymksConduction,
    "two_point_gp": TwoPointGP,
    "cnn": CNN,
    "latent_gp": LatentGP,
}


def load_surrogate(folder: Path | str, **given: Any) -> Surrogate:
    """The surrogate of a folder, of the class that its ``kind`` names; it runs no code of theirs.

    Parameters
    ----------
    folder
        What `Surrogate.save` wrote.
    **given
        Settings that no file can hold: ``encode`` of a `LatentGP`.

    Raises
    ------
    SurrogateFileError
        (A ``ValueError``.) The folder is missing, incomplete, changed or of a newer format.
    """
    folder = Path(folder)
    state, facts = read_surrogate(folder)
    kind = facts.get("kind")
    if kind not in SURROGATES:
        raise SurrogateFileError(
            f"{folder / CONFIG}: unknown surrogate {kind!r}; this version knows "
            f"{', '.join(SURROGATES)}. Load it with the class "
            "(PymksLocalization of pymks_local_fields) or the version that wrote it."
        )
    return SURROGATES[kind].restored(folder, state, facts, given)
