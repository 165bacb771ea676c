"""The formats we write, by the name a user types."""

from latentopt.export.abaqus import AbaqusExporter
from latentopt.export.damask import DamaskExporter
from latentopt.export.dream3d7 import DREAM3D7Exporter
from latentopt.export.dream3d8 import DREAM3D8Exporter
from latentopt.export.gmsh import GmshExporter
from latentopt.export.hdf5 import HDF5Exporter
from latentopt.export.npz import NPZExporter
from latentopt.export.nrrd import NRRDExporter
from latentopt.export.png import PNGExporter
from latentopt.export.spparks import SPPARKSExporter
from latentopt.export.stl import STLExporter
from latentopt.export.tiff import TIFFExporter

EXPORTERS = {
    "hdf5": HDF5Exporter(),
    "npz": NPZExporter(),
    "tiff": TIFFExporter(),
    "png": PNGExporter(),
    "nrrd": NRRDExporter(),
    "damask": DamaskExporter(),
    "dream3d7": DREAM3D7Exporter(),
    "dream3d8": DREAM3D8Exporter(),
    "spparks": SPPARKSExporter(),
    "abaqus": AbaqusExporter(),
    "gmsh": GmshExporter(),
    "stl": STLExporter(),
}
