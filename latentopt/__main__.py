"""`python -m latentopt` is the command line."""

from latentopt.cli import main

if __name__ == "__main__":
    main()
