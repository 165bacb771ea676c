"""The formats we write, by the name a user types."""

from latentopt.export.damask import DamaskExporter
from latentopt.export.hdf5 import HDF5Exporter
from latentopt.export.tiff import TIFFExporter

EXPORTERS = {"hdf5": HDF5Exporter(), "tiff": TIFFExporter(), "damask": DamaskExporter()}
