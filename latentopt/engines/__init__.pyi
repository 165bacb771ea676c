from .dask import DaskEngine
from .engine import Engine
from .imported import ImportedEngine
from .parsl import ParslEngine
from .process import ProcessEngine
from .registry import ENGINES
from .serial import SerialEngine

__all__ = [
    "ENGINES",
    "DaskEngine",
    "Engine",
    "ImportedEngine",
    "ParslEngine",
    "ProcessEngine",
    "SerialEngine",
]
