"""How ``latentopt data prepare --window`` reads its options, and what it prints."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from generative.data.grey.segmentation import Segmentation
from generative.data.prepared import Prepared
from generative.data.windows.windowing import Around, Windowing
from latentopt.cli.data.listing import listed, plural
from latentopt.cli.data.segmentation import segmentation_of
from latentopt.cli.options.data import PrepareOptions
from latentopt.cli.reading import numbers
from latentopt.errors import ConfigError

__all__ = ["about_windows", "refuse_options_of_windows", "table_of", "windowing"]

# Names of options where `Windowing` calls them otherwise.
_OPTIONS = {
    "side": "window",
    "kernel": "resampling",
    "interval_s": "interval",
    "segmentation": "segment",
}
_OF_WINDOWS = (
    "around", "spacing", "dark", "every", "lag", "scales", "resampling", "parents", "interval",
)  # fmt: skip
_OF_PATCHES = ("patch", "stride", "denoise", "colour")


def table_of(around: str | None) -> Path | None:
    """The file of points that ``--around`` names, None if it names none."""
    return None if around is None or around in get_args(Around) else Path(around)


def refuse_options_of_windows(options: PrepareOptions) -> None:
    """Refuse options that have no effect without ``--window``."""
    for name in _OF_WINDOWS:
        if getattr(options, name):
            raise ConfigError(f"--{name} is for windows: give their side with --window.")


def windowing(options: PrepareOptions) -> Windowing:
    """What the options say of windows; a `ConfigError` for what does not fit together."""
    for name in _OF_PATCHES:
        if getattr(options, name):
            raise ConfigError(f"--{name} has no effect with --window; leave it out.")
    given: dict[str, Any] = {
        "side": options.window,
        "around": _around(options.around),
        "spacing": options.spacing,
        "dark": options.dark,
        "segmentation": _segmentation(options),
        "every": options.every,
        "lag": options.lag,
        "scales": None if options.scales is None else _scales(options.scales),
        "kernel": options.resampling,
        "parents": options.parents,
        "interval_s": options.interval,
        "info_bar": "auto" if options.info_bar == "auto" else _rows(options.info_bar),
        "drop_empty": options.drop_empty,
        "drop_duplicates": options.drop_duplicates,
    }
    try:
        return Windowing(**{name: value for name, value in given.items() if value is not None})
    except ValueError as error:
        name, _, rest = str(error).partition(" ")
        raise ConfigError(f"--{_OPTIONS.get(name, name)} {rest}") from error


def _rows(text: str) -> int:
    return numbers(text, "--info-bar", int)[0]


def _scales(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(number) for number in text.split(","))
    except ValueError:
        raise ConfigError(f"--scales should be numbers such as 1,2, got {text!r}.") from None


def _around(text: str | None) -> str | Path:
    known = ", ".join(get_args(Around))
    if text is None:
        raise ConfigError(f"--window needs points: give --around {known} or a CSV file of points.")
    table = table_of(text)
    if table is not None and table.suffix.lower() != ".csv":
        raise ConfigError(f"--around should be {known} or a CSV file of points, got {text!r}.")
    return table or text


def _segmentation(options: PrepareOptions) -> Segmentation | None:
    """How particles are told; None where nothing was said."""
    said = (options.phases, options.threshold, options.seed)
    if options.segment == "auto" and not any(value is not None for value in said):
        return None
    method = "otsu" if options.segment == "auto" else options.segment
    read = segmentation_of(method, options.phases, options.threshold, options.seed)
    if not isinstance(read, Segmentation):
        raise ConfigError(
            f"--segment {read} has no effect with --window, whose windows are grey; leave it out."
        )
    return read


def about_windows(prepared: Prepared, how: Windowing) -> list[str]:
    """How many points were found and left out, and what shares a parent."""
    frames = prepared.findings.images
    empty = [str(frame["name"]) for frame in frames if not frame["points"]]
    lines = _about_points(frames, how)
    if empty:
        lines += listed("frames without a point", empty)
    return lines + _about_parents(prepared, how, len(frames) - len(empty))


def _about_points(frames: Sequence[Mapping[str, Any]], how: Windowing) -> list[str]:
    points, outside, late = (
        sum(frame.get(name, 0) for frame in frames)
        for name in ("points", "outside", "without_later")
    )
    lines = [
        f"points: {points} in {plural(len(frames), 'frame')}",
        f"dropped: {outside}, whose window leaves the frame",
    ]
    return lines + ([f"dropped: {late}, without a frame {how.lag} later"] if late else [])


def _about_parents(prepared: Prepared, how: Windowing, frames: int) -> list[str]:
    """Where a lag has linked frames, what keeps them apart."""
    parents = len(set(prepared.dataset.parents.tolist()))
    if how.lag is None or how.parents == "movie" or parents >= frames:
        return []
    return [
        f"parents: the lag of {how.lag} links {frames} frames to {parents}, for frames that share "
        f"a window are not split; --every {2 * how.lag} keeps pairs apart"
    ]
