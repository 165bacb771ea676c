"""A simulator that is a command: a program of any language, run in a folder for each trial."""

import os
import re
import shutil
import signal
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field, field_validator

from latentopt.errors import ConfigError, ExportError
from latentopt.files import explain_refusal
from latentopt.microstructure import Microstructure
from latentopt.printable import one_line
from latentopt.settings.credentials import with_secrets_hidden
from latentopt.simulators.process_group import run_in_group
from latentopt.simulators.result import SimulationResult, read_result
from latentopt.simulators.simulator import SimulatorSpec
from latentopt.simulators.task import RESULT, TASK, check_format, write_task

PLACEHOLDERS = ("structure", "task", "result", "folder")
_TAIL_BYTES = 2000  # of standard error, looked at for the last line


class SubprocessSimulator(SimulatorSpec):
    """A command that reads a structure and a task, and writes ``result.json``.

    It runs in a folder of its own, which holds ``structure.<suffix>`` with its sidecar and
    ``task.json`` (schema ``latentopt.task/1``), and keeps what the program leaves there, its
    output in ``stdout.txt`` and ``stderr.txt`` too. No shell is involved. After `timeout_s` the
    command and all its children are ended.

    ``result.json`` is ``{"state": "ok", "metrics": {...}, "message": ""}``. A command that ends
    with another exit code than 0 has crashed, unless its result has a state other than ``ok``: then
    that is why.
    """

    patience: ClassVar[frozenset[str]] = frozenset({"timeout_s", "environment"})

    kind: Literal["subprocess"] = "subprocess"
    command: tuple[str, ...] = Field(
        min_length=1,
        description="Program and its arguments. {structure}, {task}, {result} and {folder} stand "
        'for their paths, and "./" begins a path beside the settings file.',
    )
    format: Annotated[str, AfterValidator(check_format)] = Field(
        "hdf5",
        description="File format of the structure, by the name of an exporter such as hdf5, tiff "
        "or damask.",
    )
    timeout_s: float = Field(
        3600.0,
        gt=0,
        le=2e6,
        description="Seconds until the command and all its child processes are ended.",
    )

    environment: tuple[Annotated[str, Field(pattern=r"^[^=*\s]+\*?$")], ...] | None = Field(
        None,
        description="Names of the environment variables that the command gets, such as "
        '["OMP_NUM_THREADS", "ABAQUS_*"], where * stands for any ending. PATH, HOME, USER, '
        "LANG, LC_*, TZ and TMPDIR are always passed. null passes all variables, tokens "
        "included.",
    )

    @field_validator("command")
    @classmethod
    def _placeholders_are_known(cls, command: tuple[str, ...]) -> tuple[str, ...]:
        for name in re.findall(r"\{(\w+)\}", " ".join(command)):
            if name not in PLACEHOLDERS:
                known = ", ".join(f"{{{known}}}" for known in PLACEHOLDERS)
                raise ValueError(f"{{{name}}} is unknown; there are {known}")
        if not command[0].strip() or any("\0" in argument for argument in command):
            raise ValueError("should begin with a program, and hold no NUL")
        return tuple(_absolute(argument) for argument in command)

    def identity(self) -> dict[str, Any]:
        """The settings that its values depend on; a password that an old command holds is none."""
        return with_secrets_hidden(super().identity())

    def check(self, where: str) -> None:
        """Look for the program; a `ConfigError` if there is none."""
        if self._program() is None:
            raise ConfigError(
                f"{self.command[0]!r} is no program that can be run; install it, "
                "or give its whole path.",
                at=f"{where}.command",
            )

    def __call__(self, microstructure: Microstructure, folder: Path) -> SimulationResult:
        """Result of the command for one structure, run in `folder`, which is made anew."""
        start = time.monotonic()
        folder = folder.absolute()
        try:
            structure = write_task(folder, microstructure, self.format, self.units)
            arguments = self._arguments(folder, structure)
            code = run_in_group(arguments, folder, self.timeout_s, self.environment)
        except ExportError as error:
            result = SimulationResult("lost", message=one_line(error))
        except OSError as error:
            reason = explain_refusal(error.filename, error) if error.filename else error
            result = SimulationResult("lost", message=one_line(reason))
        else:
            result = self._result(folder, code)
        return replace(result, seconds=round(time.monotonic() - start, 3))

    def _program(self) -> str | None:
        # As if the environment of this Python were activated, which it need not be.
        places = [str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]
        return shutil.which(self.command[0], path=os.pathsep.join(places))

    def _arguments(self, folder: Path, structure: Path) -> list[str]:
        paths = {
            "{structure}": structure,
            "{task}": folder / TASK,
            "{result}": folder / RESULT,
            "{folder}": folder,
        }
        arguments = [self._program() or self.command[0]]
        for argument in self.command[1:]:
            # In one pass: a path may itself hold what looks like a placeholder.
            arguments.append(
                re.sub(
                    "|".join(map(re.escape, paths)), lambda found: str(paths[found[0]]), argument
                )
            )
        return arguments

    def _result(self, folder: Path, code: int | None) -> SimulationResult:
        if code is None:
            return SimulationResult("timeout", message=f"no end after {self.timeout_s:g} s")
        result = read_result(folder / RESULT, self.units)
        if code == 0 and result is not None:
            return result
        if result is not None and result.state != "ok":
            return result
        ended = f"wrote no {RESULT}" if code == 0 else f"ended with {_exit_code(code)}"
        last = _last_line(folder / "stderr.txt")
        return SimulationResult("crashed", message=one_line(f"{ended}: {last}" if last else ended))


def _absolute(argument: str) -> str:
    return str(Path(argument).absolute()) if argument.startswith(("./", "../")) else argument


def _exit_code(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    with suppress(ValueError):
        return f"signal {signal.Signals(-code).name}"
    return f"signal {-code}"


def _last_line(path: Path) -> str:
    """Last line of a file that says something, of its last bytes."""
    with suppress(OSError), path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _TAIL_BYTES))
        lines = file.read(_TAIL_BYTES).decode(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "")
    return ""
