"""Engines by the name that config files give them."""

from latentopt.engines.dask import DaskEngine
from latentopt.engines.imported import ImportedEngine
from latentopt.engines.parsl import ParslEngine
from latentopt.engines.process import ProcessEngine
from latentopt.engines.serial import SerialEngine

ENGINES = {
    "serial": SerialEngine,
    "process": ProcessEngine,
    "dask": DaskEngine,
    "parsl": ParslEngine,
    "import": ImportedEngine,
}
