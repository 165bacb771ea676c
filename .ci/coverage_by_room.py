"""Print the branch coverage of each room, the largest number of lines not run first."""

import json
import tempfile
from collections import defaultdict
from pathlib import Path

import coverage
from coverage.exceptions import CoverageException


def rooms():
    """Of each room: its statements, those not run, its branches, and those not taken."""
    measured = coverage.Coverage()
    measured.load()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "coverage.json"
        measured.json_report(outfile=str(path))
        files = json.loads(path.read_text())["files"]
    names = ["num_statements", "missing_lines", "num_branches", "missing_branches"]
    found = defaultdict(lambda: dict.fromkeys(names, 0))
    for file, of_file in files.items():
        room = "/".join(Path(file).parts[:-1][:2])
        for name in names:
            found[room][name] += of_file["summary"][name]
            found["all"][name] += of_file["summary"][name]
    return found


def main():
    """Print one line a room; those that ran whole are left out."""
    try:
        found = rooms()
    except CoverageException as error:
        print(f"No coverage: {error}")
        return
    print(f"{'Branch coverage by room':<34}lines  not run  branches  not taken  covered")
    for room, (lines, not_run, branches, not_taken) in sorted(
        ((room, tuple(counts.values())) for room, counts in found.items()),
        key=lambda row: -row[1][1] - row[1][3],
    ):
        if not_run + not_taken or room == "all":
            covered = 100 * (1 - (not_run + not_taken) / max(lines + branches, 1))
            print(f"{room:<34}{lines:5}{not_run:9}{branches:10}{not_taken:11}{covered:8.1f}%")


if __name__ == "__main__":
    main()
