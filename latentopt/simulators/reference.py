"""A simulator to start from: the manufacturability screen as a program, ``latentopt-screen``.

By hand it prints a table; for a campaign's `SubprocessSimulator` it writes ``result.json``. It
shows all that a program needs to take part: read the structure, compute, write a small JSON file.

Exit codes: 0 a result was found (also one that says ``infeasible`` or ``invalid``), 2 wrong usage,
3 the structure cannot be read or the result not written.
"""

import json
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from generative.files.own_files import check_outputs
from latentopt.errors import ConfigError, DataError, EvaluationError, ExportError, OutputError
from latentopt.files import explain_refusal, output_file
from latentopt.microstructure import Microstructure, to_images
from latentopt.printing import print

if TYPE_CHECKING:
    from objectives.manufacturability.design_rule_check import RuleResult

USAGE, DATA = 2, 3

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def main() -> None:
    """Screen one structure; answer a known error in one line and with its exit code."""
    try:
        app()
    except (ConfigError, OutputError) as error:
        _stop(error, USAGE)
    except (DataError, ExportError) as error:
        _stop(error, DATA)


def _stop(error: Exception, code: int) -> None:
    print(f"latentopt-screen: {error}", file=sys.stderr)
    sys.exit(code)


@app.command()
def screen(
    structure: Annotated[
        Path, typer.Argument(help="Exported structure: .h5, .tif or .vti, its sidecar beside it.")
    ],
    rules: Annotated[
        str, typer.Option(help='Name of a preset, or JSON: [{"kind": "min_solid", "limit_um": 4}].')
    ] = "laser_powder_bed",
    result: Annotated[Path | None, typer.Option(help="Write the margins to this file.")] = None,
    infeasible_below: Annotated[
        float | None, typer.Option(help="Call it infeasible if a margin is smaller.")
    ] = None,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite",
            help="Replace files that latentopt did not write; never one that it reads.",
        ),
    ] = False,
) -> None:
    """Find out whether a structure can be made: a signed margin for each rule, good from 0 on."""
    if infeasible_below is not None and math.isnan(infeasible_below):
        raise ConfigError("--infeasible-below should be a number, got nan.")
    if overwrite and result is None:
        raise ConfigError("--overwrite goes with --result, which names the file to write.")
    if result is not None:
        inputs = [structure, structure.with_name(f"{structure.name}.json")]
        check_outputs([result], inputs=inputs, overwrite=overwrite)
    checked = _rules(rules)
    try:
        found = screen_structure(read_structure(structure), checked)
    except EvaluationError as error:
        answer = {"state": "invalid", "metrics": {}, "message": str(error)}
    else:
        _print_table(found)
        answer = _answer(found, infeasible_below)
    if result is not None:
        _write(result, answer, overwrite)
    if answer["state"] != "ok":
        print(f"{answer['state']}: {answer['message']}")


def read_structure(path: Path) -> Microstructure:
    """Structure of an exported file and its sidecar, every hash compared.

    Raises
    ------
    ExportError
        A file is missing or damaged, or the two do not belong together.
    """
    from latentopt.export.exporters import EXPORTERS
    from latentopt.export.verify import verify

    record = verify(path)
    voxels = EXPORTERS[record["format"]].read(path).reshape(record["shape"]).astype("uint8")
    try:
        axes, phases = record["axes"], record["phases"]
        return Microstructure(
            voxels,
            tuple(record["voxel_size"][axis] for axis in axes),
            tuple(phases[str(label)]["name"] for label in range(len(phases))),
            tuple(record["periodic"][axis] for axis in axes),
            record.get("provenance") or {},
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ExportError(f"the sidecar of {path} is damaged ({error}). Export again.") from error


def screen_structure(structure: Microstructure, rules: Any) -> "dict[str, RuleResult]":
    """What each rule found, by name.

    Raises
    ------
    DataError
        The structure repeats along some of its axes only.
    EvaluationError
        A rule does not fit the structure, such as one for a phase that it has not.
    """
    from objectives.manufacturability.design_rule_check import check_design_rules

    sizes, count = structure.voxel_size_m, len(structure.phase_names)
    if len(set(structure.periodic)) > 1:
        raise DataError(
            f"structures should repeat along all axes or none, got {structure.periodic}; export "
            "it with one of these."
        )
    images = to_images(structure.phases[None], channels=1 if count <= 2 else count)
    # Rounded: sizes in metres have no exact 2.0 um.
    edges = tuple(float(f"{size * 1e6:.12g}") for size in sizes)
    (found,) = check_design_rules(
        images, rules, voxel_size_um=edges, periodic=structure.periodic[0]
    )
    return found


def _rules(text: str) -> Any:
    from objectives.manufacturability.design_rule_check import checked_rules

    try:
        return checked_rules(json.loads(text) if text.lstrip().startswith("[") else text)
    except ValueError as error:  # JSON that cannot be read is one, too
        raise ConfigError(f"--rules: {' '.join(str(error).split())}") from None


def _answer(found: "dict[str, RuleResult]", infeasible_below: float | None) -> dict[str, Any]:
    """Content of ``result.json``."""
    margins = {f"{name}_margin": result.margin for name, result in found.items()}
    least = -math.inf if infeasible_below is None else infeasible_below
    short = [name for name, margin in margins.items() if margin < least]
    if short:
        message = ", ".join(f"{name} is {margins[name]:.4g}" for name in short)
        return {"state": "infeasible", "metrics": {}, "message": message}
    return {"state": "ok", "metrics": margins, "message": ""}


def _write(path: Path, answer: dict[str, Any], overwrite: bool) -> None:
    try:
        with output_file(path, overwrite=overwrite) as file:
            file.write(json.dumps(answer, indent=2).encode() + b"\n")
    except OSError as error:
        raise DataError(explain_refusal(path, error)) from error


def _print_table(found: "dict[str, RuleResult]") -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, header_style="bold")
    table.add_column("rule")
    for name in ("value", "limit", "margin"):
        table.add_column(name, justify="right")
    for name in ("unit", ""):
        table.add_column(name)
    for name, result in found.items():
        numbers = (f"{x:.4g}" for x in (result.value, result.limit, result.margin))
        unit = "" if result.unit == "1" else result.unit
        table.add_row(name, *numbers, unit, "kept" if result.feasible else "violated")
    Console().print(table)


if __name__ == "__main__":
    main()
