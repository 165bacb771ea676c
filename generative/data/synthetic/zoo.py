"""Ten classes of two-phase structures, to benchmark models on: a family each, and its ranges."""

from typing import Any

ZOO: dict[str, tuple[str, dict[str, Any]]] = {
    "field": ("gaussian_random_field", {"anisotropy": (1.0, 1.0)}),
    "stretched_field": ("gaussian_random_field", {"anisotropy": (3.0, 6.0)}),
    "fibres": ("fibres", {"volume_fraction": (0.4, 0.6)}),
    "spheres": ("spheres", {"volume_fraction": (0.1, 0.3)}),
    "ellipsoids": ("ellipsoids", {"aspect": (2.0, 3.0), "volume_fraction": (0.1, 0.2)}),
    "spinodal": ("spinodal", {}),
    "voronoi": ("voronoi", {}),
    "laminate": ("laminate", {}),
    "checkerboard": ("checkerboard", {}),
    "woven": ("woven", {"phases": 2}),
}
