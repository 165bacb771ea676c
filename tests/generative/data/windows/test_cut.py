"""Windows of frames and movies as one set: what each shows, where it was, and who its parent is."""

import itertools

import h5py
import numpy as np
import pytest
import tifffile
from PIL import Image

from generative.data import (
    Windowing,
    encode_set,
    inspect_images,
    prepare_windows,
    read_dataset,
    read_provenance,
)
from generative.data.patches import split_by_parent
from generative.data.regions import split_patches
from generative.data.windows import cut_windows
from generative.data.windows.frames import scaled
from generative.errors import DataError

RNG = np.random.default_rng(11)
GRID = Windowing(16, "grid")


def movie(path, frames=6, size=(40, 48)):
    """A movie of noise, with a little of each frame in the next."""
    values = RNG.integers(0, 256, (frames, *size), dtype=np.uint8)
    np.save(path, values)
    return values


def stored(tmp_path, prepared):
    path = tmp_path / "set.h5"
    path.write_bytes(encode_set(prepared.dataset, prepared.provenance))
    return path


def points_file(path, *rows, head="file,frame,x,y,class"):
    path.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    return path


def write_tiff(path, values):
    tifffile.imwrite(path, values, photometric="minisblack")


def write_hdf5(path, values):
    with h5py.File(path, "w") as file:
        file["movie"] = values


@pytest.mark.parametrize(
    ("name", "write"), [("a.tif", write_tiff), ("a.h5", write_hdf5), ("a.npy", np.save)]
)
def test_a_movie_is_one_whatever_file_it_is_in(tmp_path, name, write):
    values = RNG.integers(0, 256, (4, 40, 48), dtype=np.uint8)
    write(tmp_path / name, values)
    made = prepare_windows(tmp_path / name, GRID).dataset
    assert made.images.shape == (4 * 2 * 3, 1, 16, 16)
    assert made.parents.tolist() == [frame for frame in range(4) for _ in range(6)]
    assert made.positions[7].tolist() == [1, 7.5, 23.5]
    assert made.times.tolist() == made.positions[:, 0].tolist()
    assert made.sources[7] == f"{name}[1] at (7.50, 23.50)"
    low, high = np.quantile(values[1], (0.001, 0.999))
    truth = np.clip((values[1, :16, 16:32] - low) / (high - low), 0, 1)
    np.testing.assert_allclose(made.images[7, 0], truth, atol=1e-6)


def test_what_is_stored_comes_back_and_is_cut_by_rows(tmp_path):
    movie(tmp_path / "m.npy")
    made = prepare_windows(tmp_path / "m.npy", Windowing(16, "grid", interval_s=0.5))
    path = stored(tmp_path, made)
    back = read_dataset(path)
    for name in ("images", "labels", "parents", "positions", "times"):
        np.testing.assert_array_equal(getattr(back, name), getattr(made.dataset, name))
    assert back.times[-1] == 2.5
    for name in ("origins", "offsets", "copies", "sizes"):
        expected = getattr(made.dataset.places, name)
        np.testing.assert_array_equal(getattr(back.places, name), expected)
    part = back.subset([8, 3])
    np.testing.assert_array_equal(part.positions, back.positions[[8, 3]])
    joined = type(back).joined([part, back])
    np.testing.assert_array_equal(joined.times, np.r_[back.times[[8, 3]], back.times])
    record = read_provenance(path)[7]
    assert (record["file"], record["row"], record["point"]) == ("m.npy", 1, [7.5, 23.5])
    assert len(record["levels"]) == len(record["channels"]) == 1


def test_inspecting_windows_finds_nothing_wrong_with_their_channels(tmp_path):
    movie(tmp_path / "m.npy")
    path = stored(tmp_path, prepare_windows(tmp_path / "m.npy", Windowing(16, "grid", lag=1)))
    found = inspect_images(path)
    assert (found.problems, found.channels, found.phase_fractions) == ((), {2: 30}, {})
    assert found.reading.endswith("channels t x1, t+1 x1")
    assert found.pictures[0][1].shape == (16, 16)


@pytest.mark.parametrize(
    ("name", "wrong"), [("positions", np.zeros((3, 3))), ("times", np.full(36, np.nan))]
)
def test_positions_and_times_of_a_damaged_set_are_refused(tmp_path, name, wrong):
    movie(tmp_path / "m.npy")
    path = stored(tmp_path, prepare_windows(tmp_path / "m.npy", GRID))
    with h5py.File(path, "a") as file:
        del file[name]
        file[name] = wrong
    with pytest.raises(DataError, match=f"{name} are not one an image|expected finite {name}"):
        read_dataset(path)


def test_no_frame_is_in_two_parts_and_positions_go_along(tmp_path):
    movie(tmp_path / "m.npy", frames=12)
    made = prepare_windows(tmp_path / "m.npy", GRID).dataset
    for split in (split_by_parent(made), split_patches(made)):
        frames = [set(part.positions[:, 0]) for part in split]
        assert set.union(*frames) == set(range(12))
        assert not any(a & b for a, b in itertools.combinations(frames, 2))


def test_windows_of_two_frames_are_parted_by_region_and_share_no_voxel(tmp_path):
    movie(tmp_path / "m.npy", frames=2, size=(40, 160))
    how = Windowing(16, "grid", spacing=7.3, scales=(1.0, 1.5))
    made = prepare_windows(tmp_path / "m.npy", how).dataset
    parts = split_patches(made)
    assert min(map(len, parts)) > 0
    reads = []
    for part in parts:
        seen = np.zeros((2, 40, 160), bool)
        for origin, start, size in zip(
            *(getattr(part.places, name) for name in ("origins", "offsets", "sizes")), strict=True
        ):
            y, x = (slice(a, a + n) for a, n in zip(start, size, strict=True))
            seen[origin, y, x] = True
        reads.append(seen)
    assert not any((a & b).any() for a, b in itertools.combinations(reads, 2))


def test_a_lag_puts_the_same_place_into_more_channels(tmp_path):
    values = movie(tmp_path / "m.npy", frames=7)
    how = Windowing(16, "grid", lag=2, every=3, scales=(1.0, 2.0))
    made = prepare_windows(tmp_path / "m.npy", how)
    assert made.provenance[0]["channels"] == ("t x1", "t+2 x1", "t x2", "t+2 x2")
    assert set(made.dataset.positions[:, 0]) == {0, 3}  # a seventh frame has none two later
    for image, position in zip(made.dataset.images, made.dataset.positions, strict=True):
        for channel, (scale, late) in enumerate(itertools.product((1.0, 2.0), (0, 2))):
            frame, _ = scaled(values[int(position[0]) + late][None])
            truth = cut_windows(frame, position[None, 1:], 16, scale=scale)[0, 0]
            np.testing.assert_allclose(image[channel], np.clip(truth, 0, 1), atol=1e-6)


@pytest.mark.parametrize(
    ("lag", "every", "parents"), [(1, 1, 1), (1, 2, 4), (2, 1, 2), (2, 4, 2), (3, 2, 3)]
)
def test_frames_that_share_a_window_share_a_parent(tmp_path, lag, every, parents):
    movie(tmp_path / "m.npy", frames=8)
    made = prepare_windows(tmp_path / "m.npy", Windowing(16, "grid", lag=lag, every=every)).dataset
    assert len(np.unique(made.parents)) == parents
    used = {}
    for parent, frame in zip(made.parents, made.positions[:, 0], strict=True):
        used.setdefault(parent, set()).update({frame, frame + lag})
    assert not any(a & b for a, b in itertools.combinations(used.values(), 2))


def test_a_movie_may_be_the_parent_and_equal_frames_always_share_one(tmp_path):
    folder = tmp_path / "movies"
    folder.mkdir()
    values = movie(folder / "a.npy", frames=3)
    movie(folder / "b.npy", frames=3)
    made = prepare_windows(folder, Windowing(16, "grid", parents="movie")).dataset
    assert made.parents.tolist() == [0] * 18 + [1] * 18
    np.save(folder / "c.npy", values[1:, ::-1])  # mirrored
    made = prepare_windows(folder, GRID).dataset
    parents = made.parents.reshape(8, 6)
    assert parents[:, 0].tolist() == [0, 1, 2, 3, 4, 5, 1, 2]
    assert made.places.copies.sum() == 12


def test_a_later_frame_that_is_in_another_movie_too_links_the_two(tmp_path):
    folder = tmp_path / "movies"
    folder.mkdir()
    values = movie(folder / "a.npy", frames=2)
    other = movie(folder / "b.npy", frames=4)
    other[2] = values[1, ::-1]
    np.save(folder / "b.npy", other)
    made = prepare_windows(folder, Windowing(16, "grid", lag=1, every=2)).dataset
    # Pairs are a 0-1, b 0-1 and b 2-3; the last shares a frame, mirrored, with the first.
    assert made.parents.tolist() == [0] * 6 + [1] * 6 + [0] * 6


def test_several_movies_in_one_array_do_not_run_into_one_another(tmp_path):
    np.save(tmp_path / "m.npy", RNG.random((2, 3, 20, 24)))
    how = Windowing(16, "grid", lag=1)
    made = prepare_windows(tmp_path / "m.npy", how, axes="ntyx").dataset
    assert sorted(set(made.positions[:, 0])) == [0, 1, 3, 4]
    assert len(np.unique(made.parents)) == 2


def test_frames_of_other_sizes_and_bit_depths_are_scaled_each_by_itself(tmp_path):
    frame = RNG.integers(0, 256, (40, 48), dtype=np.uint8)
    Image.fromarray(frame).save(tmp_path / "a.png")
    np.save(tmp_path / "b.npy", np.pad(frame[None] * 1e3 - 7.0, ((0, 0), (0, 9), (0, 5)), "wrap"))
    tifffile.imwrite(tmp_path / "c.tif", frame.astype(np.uint16) * 200 + 3)
    made = prepare_windows(tmp_path, GRID).dataset
    of = [np.array([source.startswith(name) for source in made.sources]) for name in "abc"]
    np.testing.assert_allclose(made.images[of[0]], made.images[of[2]], atol=1e-6)
    assert made.images[of[1]].max() == 1
    assert len(np.unique(made.parents)) == 1  # the frames are equal but for the scale of levels


def test_volumes_are_cut_by_the_same_path(tmp_path):
    values = RNG.random((3, 20, 22, 21))
    np.save(tmp_path / "v.npy", values)
    points = points_file(
        tmp_path / "p.csv", "v.npy,2,10.25,9.5,9.75", "v.npy,0,0,1,2", head="file,frame,x,y,z"
    )
    made = prepare_windows(tmp_path / "v.npy", Windowing(12, points), spatial_dims=3)
    assert made.dataset.positions.tolist() == [[2, 9.75, 9.5, 10.25]]
    assert [fact["outside"] for fact in made.findings.images] == [1, 0]
    frame, _ = scaled(values[2][None])
    truth = np.clip(cut_windows(frame, np.array([[9.75, 9.5, 10.25]]), 12), 0, 1)
    np.testing.assert_allclose(made.dataset.images, truth, atol=1e-6)
    tifffile.imwrite(tmp_path / "v.tif", values[0].astype(np.float32))
    grid = prepare_windows(tmp_path / "v.tif", Windowing(10, "grid"), spatial_dims=3).dataset
    assert grid.images.shape == (8, 1, 10, 10, 10)
    assert prepare_windows(tmp_path / "v.tif", GRID).dataset.images.shape == (20, 1, 16, 16)


def test_classes_of_a_table_become_labels_and_an_empty_cell_none(tmp_path):
    movie(tmp_path / "m.npy", frames=3)
    points = points_file(
        tmp_path / "p.csv",
        "m.npy,0,20,20,vacancy", "m.npy,0,21.5,20,", "m.npy,1,20,20,pristine",
        "m.npy,1,2,20,pristine", "m.npy,2,20,20,unlabelled", "m.npy,2,40,38,vacancy",
    )  # fmt: skip
    made = prepare_windows(tmp_path / "m.npy", Windowing(16, points))
    assert made.dataset.class_names == ("pristine", "vacancy")
    assert made.dataset.labels.tolist() == [1, -1, 0, -1]
    assert [made.dataset.class_of(row) for row in (0, 1)] == ["vacancy", "unlabelled"]
    counts = [(fact["points"], fact["outside"]) for fact in made.findings.images]
    assert counts == [(2, 0), (2, 1), (2, 1)]
    assert [name for name, *_ in made.pictures] == ["vacancy", "unlabelled", "pristine"]
    back = read_dataset(stored(tmp_path, made))
    assert back.labels.tolist() == [1, -1, 0, -1]


def test_points_without_a_later_frame_are_counted(tmp_path):
    movie(tmp_path / "m.npy", frames=3)
    points = points_file(tmp_path / "p.csv", *(f"m.npy,{t},20,20" for t in (0, 1, 2, 2)),
                         head="file,frame,x,y")  # fmt: skip
    made = prepare_windows(tmp_path / "m.npy", Windowing(16, points, lag=1))
    assert made.dataset.positions[:, 0].tolist() == [0, 1]
    assert [fact.get("without_later") for fact in made.findings.images] == [None, None, 2]


def test_classes_are_folders_and_unlabelled_is_none(tmp_path):
    for name in ("steel", "unlabelled"):
        (tmp_path / name).mkdir()
        movie(tmp_path / name / "m.npy", frames=1)
    made = prepare_windows(tmp_path, GRID).dataset
    assert made.class_names == ("steel",)
    assert made.labels.tolist() == [0] * 6 + [-1] * 6


def test_an_info_bar_is_cut_off_and_positions_are_of_the_whole_frame(tmp_path):
    picture = RNG.integers(60, 200, (48, 48), dtype=np.uint8)
    bar = np.zeros((12, 48), np.uint8)
    Image.fromarray(np.vstack([bar, picture])).save(tmp_path / "a.png")
    made = prepare_windows(tmp_path, Windowing(16, "grid", info_bar="auto"))
    assert made.dataset.positions[0].tolist() == [0, 19.5, 7.5]
    assert made.dataset.places.offsets[0].tolist() == [12, 0]
    assert len(made.dataset) == 9
    Image.fromarray(picture).save(tmp_path / "a.png")
    plain = prepare_windows(tmp_path, GRID).dataset
    np.testing.assert_array_equal(plain.images, made.dataset.images)


def test_the_size_of_a_pixel_is_that_of_the_first_scale(tmp_path):
    movie(tmp_path / "m.npy", frames=1)
    made = prepare_windows(tmp_path / "m.npy", Windowing(16, "grid", scales=(2.0,)),
                           voxel_size_m=(1e-9,))  # fmt: skip
    assert made.dataset.voxel_size_m == (2e-9, 2e-9)


def test_peaks_of_a_moving_frame_have_the_same_windows(tmp_path):
    y, x = np.mgrid[:64, :64]
    atoms = np.array([(a, b) for a in range(12, 60, 13) for b in range(14, 60, 13)], float)
    atoms += RNG.uniform(-1, 1, atoms.shape)
    moves = np.array([(0, 0), (0.37, -0.61), (-0.5, 0.25)])
    frames = [
        sum(np.exp(-((y - a) ** 2 + (x - b) ** 2) / 5) for a, b in atoms + move) for move in moves
    ]
    np.save(tmp_path / "m.npy", np.array(frames))
    made = prepare_windows(tmp_path / "m.npy", Windowing(16, "peaks")).dataset
    inner = atoms[(np.abs(atoms - 31.5) < 22).all(axis=1)]
    shown = []
    for t, move in enumerate(moves):
        rows = np.flatnonzero(made.positions[:, 0] == t)
        apart = np.linalg.norm(made.positions[rows, None, 1:] - (inner + move), axis=-1)
        assert apart.min(axis=0).max() < 0.05
        shown.append(made.images[rows[apart.argmin(axis=0)]])
    assert np.abs(shown[1] - shown[0]).max() < 0.05
    assert np.abs(shown[2] - shown[0]).max() < 0.05
