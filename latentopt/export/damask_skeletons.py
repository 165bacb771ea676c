"""``material.yaml`` and ``load.yaml`` for DAMASK, to be completed by who knows the materials."""

import json
from collections.abc import Sequence

from latentopt.export.phase_sets import simple_names
from latentopt.microstructure import Microstructure

MATERIAL, LOAD = SKELETONS = ("material.yaml", "load.yaml")

_MATERIAL = """\
# Phases of a structure, in the order of the numbers in its grid (.vti). DAMASK_grid stops until
# each phase has its elastic constants in Pa: C_11, C_12 and C_44 beside "type: Hooke". An isotropic
# one has C_44 = (C_11 - C_12) / 2. Add "plastic" where a phase yields.
"""

_LOAD = """\
# An example: tension along x to a strain of 0.01, free of stress across.
"""


def damask_skeletons(microstructure: Microstructure) -> dict[str, bytes]:
    """``material.yaml`` and ``load.yaml``, by name, as the package ``damask`` loads them.

    Parameters
    ----------
    microstructure
        Its phases become materials 0, 1, ... of one phase each, without elastic constants. A name
        that is not simple is replaced by that of `phase_set_names`, and stands in a comment.

    Returns
    -------
    Content of each file, UTF-8.
    """
    import yaml

    names = simple_names(microstructure)

    def text(comment: str, content: dict) -> bytes:
        return (comment + yaml.safe_dump(content, sort_keys=False, allow_unicode=True)).encode()

    return {
        MATERIAL: text(_MATERIAL + _full_names(microstructure), _material(names)),
        LOAD: text(_LOAD, _tension()),
    }


def _full_names(microstructure: Microstructure) -> str:
    """Comments that give the names in full, where DAMASK could not take them."""
    pairs = zip(simple_names(microstructure), microstructure.phase_names, strict=True)
    return "".join(f"# {name} is {json.dumps(full)}\n" for name, full in pairs if name != full)


def _material(names: Sequence[str]) -> dict:
    def mechanical() -> dict:
        return {"output": ["F", "P"], "elastic": {"type": "Hooke"}}

    def constituent(name: str) -> dict:
        return {"phase": name, "v": 1.0, "O": [1.0, 0.0, 0.0, 0.0]}

    return {
        "homogenization": {"direct": {"N_constituents": 1, "mechanical": {"type": "pass"}}},
        "phase": {name: {"lattice": "cF", "mechanical": mechanical()} for name in names},
        "material": [
            {"homogenization": "direct", "constituents": [constituent(name)]} for name in names
        ],
    }


def _tension() -> dict:
    step = {
        "boundary_conditions": {
            "mechanical": {  # each component is given either as a rate or as a stress
                "dot_F": [[1e-3, 0, 0], [0, "x", 0], [0, 0, "x"]],
                "P": [["x", "x", "x"], ["x", 0, "x"], ["x", "x", 0]],
            }
        },
        "discretization": {"t": 10, "N": 40},
        "f_out": 4,
    }
    return {"solver": {"mechanical": "spectral_basic"}, "loadstep": [step]}
