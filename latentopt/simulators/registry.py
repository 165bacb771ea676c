"""Simulators by the name that config files give them."""

from latentopt.simulators.http_service import HTTPSimulator
from latentopt.simulators.python_function import PythonSimulator
from latentopt.simulators.subprocess_command import SubprocessSimulator

SIMULATORS = {
    "python": PythonSimulator,
    "subprocess": SubprocessSimulator,
    "http": HTTPSimulator,
}
