from .http_service import HTTPSimulator
from .python_function import PythonSimulator
from .registry import SIMULATORS
from .result import SimulationResult
from .simulator import Simulator
from .subprocess_command import SubprocessSimulator

__all__ = [
    "SIMULATORS",
    "HTTPSimulator",
    "PythonSimulator",
    "SimulationResult",
    "Simulator",
    "SubprocessSimulator",
]
