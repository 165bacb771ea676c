"""Frames, tables and settings that no windows can be cut from: one line each."""

from pathlib import Path

import numpy as np
import pytest

from generative.data import Limits, Windowing, prepare_windows
from generative.errors import DataError

RNG = np.random.default_rng(12)
GRID = Windowing(16, "grid")


def movie(path, frames=6, size=(40, 48)):
    np.save(path, RNG.integers(0, 256, (frames, *size), dtype=np.uint8))


def points_file(path, row, head="file,frame,x,y,class"):
    path.write_text(f"{head}\n{row}\n", encoding="utf-8")
    return path


def test_windows_without_room_and_short_movies(tmp_path):
    movie(tmp_path / "m.npy", frames=3)
    path = tmp_path / "m.npy"
    for how, wrong in (
        (Windowing(64, "grid"), r"m\.npy: a window of 64 pixels covers 64 voxels, more than a fr"),
        (Windowing(32, "grid", scales=(1.0, 2.0)), r"32 pixels at scale 2 covers 64 voxels"),
        (Windowing(16, "grid", lag=3), r"a lag of 3 needs 4 frames of one movie, got 3"),
    ):
        with pytest.raises(DataError, match=wrong):
            prepare_windows(path, how)


def test_frames_without_points(tmp_path):
    np.save(tmp_path / "flat.npy", np.full((2, 40, 40), 3.0))
    for around, wrong in (
        ("walls", r"flat\.npy\[0\]: has one value throughout \(0\), so there is nothing to find"),
        ("peaks", r"flat\.npy\[0\]: has one value throughout"),
        ("particles", r"flat\.npy\[0\]: expected at least 2 grey levels to segment, got 1"),
    ):
        with pytest.raises(DataError, match=wrong):
            prepare_windows(tmp_path / "flat.npy", Windowing(16, around))
    np.save(tmp_path / "noise.npy", RNG.random((2, 40, 40)))
    with pytest.raises(DataError, match=r"noise\.npy\[0\] and 1 more frames: no peaks found; seek"):
        prepare_windows(tmp_path / "noise.npy", Windowing(16, "peaks"))
    points = points_file(tmp_path / "p.csv", "noise.npy,0,1,1,a")
    with pytest.raises(DataError, match="all 1 points are nearer to an edge than 8 voxels"):
        prepare_windows(tmp_path / "noise.npy", Windowing(16, points))
    points = points_file(tmp_path / "p.csv", "noise.npy,1,20,20,a")
    with pytest.raises(DataError, match=r"p\.csv: no frame with points \(noise\.npy\[1\]\) has on"):
        prepare_windows(tmp_path / "noise.npy", Windowing(16, points, lag=1))


def test_frames_unlike_one_another(tmp_path):
    np.save(tmp_path / "a.npy", RNG.random((2, 1, 40, 40)))
    np.save(tmp_path / "b.npy", RNG.random((2, 2, 40, 40)))
    with pytest.raises(DataError, match=r"b\.npy: expected frames of 1 channels as in a\.npy, go"):
        prepare_windows(tmp_path, GRID)
    np.save(tmp_path / "b.npy", RNG.random((2, 20, 40, 40)))
    with pytest.raises(DataError, match=r"b\.npy: expected frames of 2 axes as in a\.npy"):
        prepare_windows(tmp_path, GRID)


def test_more_windows_than_the_limit(tmp_path):
    movie(tmp_path / "m.npy")
    how = Windowing(16, "grid", spacing=4)
    with pytest.raises(DataError, match=r"m\.npy\[0\] and the frames before it: 63 images of 1x16"):
        prepare_windows(tmp_path / "m.npy", how, limits=Limits(total_bytes=6 * 40 * 48 * 4))


HEAD = "file,frame,x,y"


@pytest.mark.parametrize(
    ("head", "row", "wrong"),
    [
        ("file,x,y", "m.npy,1,2", r"file, frame, x, y and perhaps class, got file, x, y \(frame"),
        ("file;frame;x;y", "m.npy;0;1;2", "got file;frame;x;y"),
        (f"{HEAD},x", "m.npy,0,1,2,3", "two have one name"),
        (f"{HEAD},z", "m.npy,0,1,2,3", r"has a column z, but the frames are pictures"),
        (HEAD, "n.npy,0,1,2", r"line 2: no file 'n\.npy' among the frames; there are m\.npy"),
        (HEAD, "m.npy,6,1,2", r"line 2: m\.npy has frames 0 to 5, got 6"),
        (HEAD, "m.npy,0.5,1,2", r"frames 0 to 5, got 0\.5"),
        (HEAD, "m.npy,0,nan,2", "line 2: x should be a finite number, got 'nan'"),
        (HEAD, "m.npy,0,1,", "line 2: y should be a finite number, got ''"),
        (HEAD, "m.npy,0,1", "line 2: expected 4 cells as in the first line, got 3"),
        (
            HEAD,
            "m.npy,0,48,2",
            r"the point \(2, 48\) along yx lies outside of m\.npy\[0\], a frame",
        ),
        (HEAD, "", "holds no points; give one in each line after the header"),
        (HEAD, 'm.npy,0,1,"2', "cannot be read"),
    ],
)
def test_a_table_that_is_wrong_is_refused_in_a_line(tmp_path, head, row, wrong):
    movie(tmp_path / "m.npy")
    points = points_file(tmp_path / "p.csv", row, head=head)
    with pytest.raises(DataError, match=wrong) as refused:
        prepare_windows(tmp_path / "m.npy", Windowing(16, points))
    assert "p.csv" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_table_that_is_not_there(tmp_path):
    movie(tmp_path / "m.npy")
    with pytest.raises(DataError, match=r"p\.csv: cannot be read"):
        prepare_windows(tmp_path / "m.npy", Windowing(16, tmp_path / "p.csv"))


@pytest.mark.parametrize(
    ("options", "wrong"),
    [
        ({"side": 3}, "window should be 4 pixels or more, got 3"),
        ({"around": "atoms"}, "around should be one of peaks, particles, walls, grid or the Path"),
        ({"scales": (0.0,)}, "scales should be numbers above 0"),
        ({"scales": (1.0, -2.0)}, "scales should be numbers above 0"),
        ({"scales": ()}, "scales should be numbers above 0"),
        ({"scales": (1.0, 1.0)}, "scales should differ"),
        ({"spacing": 0.0}, "spacing should be a number above 0"),
        ({"lag": 0}, "lag should be 1 frame or more"),
        ({"every": 0}, "every should be 1 frame or more"),
        ({"interval_s": float("nan")}, "interval_s should be a number above 0"),
        ({"kernel": "nearest"}, "kernel should be linear or cubic, got 'nearest'"),
        ({"parents": "file"}, "parents should be frame or movie"),
        ({"dark": True}, "dark is for peaks and particles, not for grid"),
        ({"around": Path("p.csv"), "every": 2}, "every is for points that are sought or a grid"),
        ({"around": Path("p.csv"), "spacing": 2.0}, "spacing is for points that are sought"),
    ],
)
def test_settings_that_make_no_sense(options, wrong):
    with pytest.raises(ValueError, match=wrong):
        Windowing(**{"side": 16, "around": "grid", **options})
