"""From a movie of a lattice with defects to windows around its atoms, a few of them labelled.

    python examples/07_find_lattice_defects.py

It draws the movie first. The windows alone, from the command line:

    latentopt data prepare lattice.tif --window 16 --around peaks --out windows.h5
"""

import csv
import os
from pathlib import Path

import numpy as np
import tifffile
from scipy.spatial import KDTree
from sklearn.decomposition import PCA
from sklearn.neighbors import KNeighborsClassifier

from generative.data import Windowing, encode_set, prepare_windows, split_by_parent

SMOKE = os.environ.get("SMOKE") == "1"
FRAMES, SIZE = (6, 128) if SMOKE else (20, 256)
BOND, WIDTH = 8.0, 1.6  # pixels: between neighbours, and of an atom
LABELLED = 20  # windows of each class
CLASSES = ("pristine", "beside a vacancy", "impurity")


def draw_movie(path: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    """A hexagonal lattice that drifts and vibrates; atoms (n, 2) and classes (n,) of each frame."""
    rng = np.random.default_rng(0)
    steps = np.arange(-3, SIZE / BOND + 4)
    rows = np.array([(i * BOND * 0.75**0.5, (j + i % 2 / 2) * BOND) for i in steps for j in steps])
    fate = rng.random(len(rows))
    vacant, impure = fate < 0.04, fate > 0.96
    beside = KDTree(rows[vacant]).query(rows)[0] < 1.1 * BOND
    kinds = np.where(impure, 2, np.where(beside, 1, 0))[~vacant]
    y, x = np.arange(SIZE)[:, None], np.arange(SIZE)
    frames, truth = [], []
    for t in range(FRAMES):
        atoms = rows[~vacant] + t * np.array([0.31, -0.17])
        atoms = atoms + 0.2 * rng.standard_normal(atoms.shape)
        # A Gaussian is a product: all atoms are drawn at once.
        down, right = (
            np.exp(-((axis.ravel()[:, None] - at) ** 2) / (2 * WIDTH**2))
            for axis, at in ((y, atoms[:, 0]), (x, atoms[:, 1]))
        )
        frame = (down * np.where(kinds == 2, 1.6, 1.0)) @ right.T
        frames.append(1000 * (frame + 0.1 * rng.standard_normal(frame.shape) + 1))
        truth.append((atoms, kinds))
    tifffile.imwrite(path, np.array(frames, np.uint16), photometric="minisblack")
    return truth


def main() -> None:
    movie, table = Path("lattice.tif"), Path("points.csv")
    truth = draw_movie(movie)

    # Atoms are found to a part of a pixel; a window whose edge is outside of the frame is dropped.
    found = prepare_windows(movie, Windowing(16, "peaks", spacing=BOND / 2))
    points = found.dataset.positions
    outside = sum(frame["outside"] for frame in found.findings.images)
    errors, kinds = [], []
    for frame, *point in points:
        atoms, kinds_there = truth[int(frame)]
        error, atom = KDTree(atoms).query(point)
        errors.append(error)
        kinds.append(kinds_there[atom])
    kinds = np.array(kinds)
    print(f"{len(points)} atoms in {FRAMES} frames, {outside} more too near to an edge")
    print(f"their places are off by {np.median(errors):.2f} pixels (median)")

    # Somebody labels a few; an empty cell is "not labelled", -1 in the data set.
    rng = np.random.default_rng(1)
    known = np.concatenate(
        [rng.permutation(np.flatnonzero(kinds == k))[:LABELLED] for k in range(3)]
    )
    with table.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["file", "frame", "x", "y", "class"])
        for row, (frame, y, x) in enumerate(points):
            name = CLASSES[kinds[row]] if row in known else ""
            rows.writerow([movie.name, int(frame), x, y, name])
    windows = prepare_windows(movie, Windowing(16, table))
    data = windows.dataset
    Path("windows.h5").write_bytes(encode_set(data, windows.provenance))
    print(f"{(data.labels >= 0).sum()} of {len(data)} windows are labelled: {data.class_names}")

    # Whole frames are held out: windows of one frame overlap.
    split = split_by_parent(data)
    print("windows of each part:", [len(part) for part in split])

    # Ten numbers of a window, without a label; then the class of the nearest labelled window. A
    # vacancy lies in one of six directions, and each has to be among the labelled ones. The same
    # atoms are in every frame: a movie of another place would say how well this carries over.
    scores = PCA(10, random_state=0).fit_transform(data.images.reshape(len(data), -1))
    told = KNeighborsClassifier(1).fit(scores[data.labels >= 0], data.labels[data.labels >= 0])
    right = np.array(data.class_names)[told.predict(scores)] == np.array(CLASSES)[kinds]
    for k, name in enumerate(CLASSES):
        rest = (kinds == k) & (data.labels < 0)
        print(f"{name}: {right[rest].mean():.0%} of {rest.sum()} unlabelled windows told rightly")


if __name__ == "__main__":
    main()
