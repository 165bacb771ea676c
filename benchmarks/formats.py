"""Seconds to write 128^3 voxels in each format, beside the plain call of the library for it.

    python benchmarks/formats.py [SIDE]

The plain call writes the voxels alone: no sidecar, no hashes, no fsync. Times are of the processor
of this process, the best of three. Needs damask and pynrrd: pip install latentopt[test]
"""

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import tifffile
from scipy.ndimage import gaussian_filter

from latentopt.export import EXPORTERS, verify
from latentopt.microstructure import Microstructure

REPEATS = 3


def two_phases(side: int) -> Microstructure:
    """A blurred noise, cut at its median: features of some voxels, as in a real structure."""
    noise = np.random.default_rng(0).normal(size=(side,) * 3)
    field = gaussian_filter(noise, side / 32, mode="wrap")
    return Microstructure(field > np.median(field), (1e-6,) * 3, ("a", "b"), (True,) * 3)


def plain_damask(structure: Microstructure, path: Path) -> None:
    import damask

    size = np.array(structure.voxel_size_m) * structure.phases.shape
    material = structure.phases.transpose(2, 1, 0)
    damask.GeomGrid(material=material.astype(int), size=size[::-1]).save(path, compress=True)


def plain_hdf5(structure: Microstructure, path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("phase", data=structure.phases, compression="gzip")


def plain_dream3d(structure: Microstructure, path: Path) -> None:
    with h5py.File(path, "w") as file:
        for name, first in (("FeatureIds", 0), ("Phases", 1)):
            labels = structure.phases[..., None].astype(np.int32) + first
            file.create_dataset(name, data=labels, compression="gzip")


def plain_nrrd(structure: Microstructure, path: Path) -> None:
    import nrrd

    nrrd.write(str(path), structure.phases.T)


def plain_png(structure: Microstructure, path: Path) -> None:
    from PIL import Image

    for z, labels in enumerate(structure.phases):
        Image.fromarray(255 * labels).save(path.with_name(f"plain_{z:03d}.png"))


def plain_spparks(structure: Microstructure, path: Path) -> None:
    sites = np.arange(structure.phases.size)
    np.savetxt(path, np.column_stack([sites, structure.phases.ravel()]) + 1, fmt="%d")


PLAIN = {
    "hdf5": plain_hdf5,
    "npz": lambda structure, path: np.savez_compressed(path, phases=structure.phases),
    "tiff": lambda structure, path: tifffile.imwrite(path, structure.phases, imagej=True),
    "png": plain_png,
    "nrrd": plain_nrrd,
    "damask": plain_damask,
    "dream3d7": plain_dream3d,
    "dream3d8": plain_dream3d,
    "spparks": plain_spparks,
}


def seconds(call: Callable[[], object]) -> float:
    """Processor time of a call, the best of some."""
    times = []
    for _ in range(REPEATS):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return min(times)


def main(side: int) -> None:
    structure = two_phases(side)
    print(f"{side}^3 voxels   write  verify   plain   write/plain   size")
    for kind, plain in PLAIN.items():
        exporter = EXPORTERS[kind]
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            path = folder / f"ours{exporter.suffix}"
            ours = seconds(lambda e=exporter, p=path: e.write(structure, p))
            written = exporter.write(structure, path)
            check = seconds(lambda p=written: verify(p))
            megabytes = sum(file.stat().st_size for file in folder.iterdir()) / 1e6
            other = folder / f"plain{exporter.suffix}"
            library = seconds(lambda f=plain, p=other: f(structure, p))
        print(
            f"{kind:12} {ours:6.2f} s {check:5.2f} s {library:5.2f} s {ours / library:11.1f} "
            f"{megabytes:8.2f} MB"
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 128)
