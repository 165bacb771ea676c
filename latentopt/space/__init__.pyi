from .ax_parameters import (
    parameter_names,
    parameters_to_points,
    points_to_parameters,
    range_parameters,
)
from .classes import Classes
from .decoder import Decoder, Encoder
from .embedded import EMBEDDED
from .features import StructureFeatures
from .inversion import Inversion, InversionConfig, invert
from .latent_space import LatentSpace
from .named import load_space
from .point_files import read_points, write_points
from .whitening import Whitening

__all__ = [
    "EMBEDDED",
    "Classes",
    "Decoder",
    "Encoder",
    "Inversion",
    "InversionConfig",
    "LatentSpace",
    "StructureFeatures",
    "Whitening",
    "invert",
    "load_space",
    "parameter_names",
    "parameters_to_points",
    "points_to_parameters",
    "range_parameters",
    "read_points",
    "write_points",
]
