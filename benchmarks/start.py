"""CPU-seconds until a command answers, Python's own start included: best of five.

python benchmarks/start.py       # some seconds, POSIX

The bars are those of decision 1: 0.1 for the import of the package and 0.4 for the list of
commands, both without torch.
"""

import os
import resource
import subprocess
import sys

REPEATS = 5
COMMAND_LINE = "import sys; sys.argv[0] = 'latentopt'; from latentopt.__main__ import main; main()"
COMPLETE = {"_LATENTOPT_COMPLETE": "complete_bash", "COMP_WORDS": "latentopt tr", "COMP_CWORD": "1"}
STARTS = {
    "python": (["-c", "pass"], {}),
    "import latentopt": (["-c", "import latentopt"], {}),
    "latentopt --help": (["-c", COMMAND_LINE, "--help"], {}),
    "latentopt train --help": (["-c", COMMAND_LINE, "train", "--help"], {}),
    "completion of latentopt tr": (["-c", COMMAND_LINE], COMPLETE),
}


def cpu_seconds(arguments, environment):
    """User and system time of one process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main():
    for name, start in STARTS.items():
        best = min(cpu_seconds(*start) for _ in range(REPEATS))
        print(f"{name:28} {best:.3f} CPU-s")


if __name__ == "__main__":
    main()
