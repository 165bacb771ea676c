"""The command line, as ``latentopt`` and ``python -m latentopt`` start it."""

import sys

from latentopt.interrupts import interruptible


def main() -> None:
    """Run the command line; signals are answered from here on, also while it is imported."""
    with interruptible(sys.argv[1:]):
        from latentopt.cli.app import main as run

        run()


if __name__ == "__main__":
    main()
