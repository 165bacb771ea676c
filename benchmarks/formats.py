"""Seconds to write and to read each format, beside the plain call of a library for it.

    python benchmarks/formats.py [SIDE]      # 128: voxels a side; meshes have half of it

The plain call writes the voxels alone: no sidecar, no hashes, no fsync. Read are 1,000 pictures
of 256x256 and what was written; the plain call checks no size before it decodes, no value after,
and finds no phases. Times are of the processor of this process, the best of three. Needs damask,
meshio, pynrrd and vtk: pip install latentopt[test]
"""

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import tifffile
from PIL import Image
from scipy.ndimage import gaussian_filter

from generative.data import read_dataset
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
    for z, labels in enumerate(structure.phases):
        Image.fromarray(255 * labels).save(path.with_name(f"plain_{z:03d}.png"))


def plain_spparks(structure: Microstructure, path: Path) -> None:
    sites = np.arange(structure.phases.size)
    np.savetxt(path, np.column_stack([sites, structure.phases.ravel()]) + 1, fmt="%d")


def plain_mesh(structure: Microstructure, path: Path) -> None:
    import meshio

    z, y, x = structure.phases.shape
    nodes = np.arange((z + 1) * (y + 1) * (x + 1)).reshape(z + 1, y + 1, x + 1)
    low, high = slice(-1), slice(1, None)
    corners = [
        (0, 0, 0),
        (0, 0, 1),
        (0, 1, 1),
        (0, 1, 0),
        (1, 0, 0),
        (1, 0, 1),
        (1, 1, 1),
        (1, 1, 0),
    ]
    hexahedra = np.stack(
        [nodes[tuple(high if end else low for end in corner)].ravel() for corner in corners], axis=1
    )
    points = np.stack(np.unravel_index(nodes.ravel(), nodes.shape), axis=1)[:, ::-1] * 1e-6
    labels = structure.phases.ravel()
    if path.suffix == ".msh":
        data = {name: [labels + 1] for name in ("gmsh:physical", "gmsh:geometrical")}
        mesh = meshio.Mesh(points, [("hexahedron", hexahedra)], cell_data=data)
        meshio.write(path, mesh, file_format="gmsh22", binary=False)
    else:
        sets = {f"phase_{k}": [np.flatnonzero(labels == k)] for k in (0, 1)}
        mesh = meshio.Mesh(points, [("hexahedron", hexahedra)], cell_sets=sets)
        meshio.write(path, mesh, file_format="abaqus")


def plain_stl(structure: Microstructure, path: Path) -> None:
    """VTK's surface net of all phases, smoothed, in one file."""
    import vtk
    from vtk.util.numpy_support import numpy_to_vtk

    padded = np.pad(structure.phases + 1, 1)
    image = vtk.vtkImageData()
    image.SetDimensions(*padded.shape[::-1])
    image.GetPointData().SetScalars(numpy_to_vtk(padded.ravel()))
    nets = vtk.vtkSurfaceNets3D()
    nets.SetInputData(image)
    nets.GenerateValues(2, 1, 2)
    triangles = vtk.vtkTriangleFilter()
    triangles.SetInputConnection(nets.GetOutputPort())
    writer = vtk.vtkSTLWriter()
    writer.SetInputConnection(triangles.GetOutputPort())
    writer.SetFileName(str(path))
    writer.SetFileTypeToBinary()
    writer.Write()


MESHES = ("abaqus", "gmsh", "stl")
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
    "abaqus": plain_mesh,
    "gmsh": plain_mesh,
    "stl": plain_stl,
}


def read_hdf5(path: Path) -> np.ndarray:
    with h5py.File(path) as file:
        return file["phase"][()]


def read_vti(path: Path) -> np.ndarray:
    import damask

    return damask.GeomGrid.load(path).material


READ = {
    "hdf5": read_hdf5,
    "npz": lambda path: np.load(path)["phases"],
    "tiff": tifffile.imread,
    "damask": read_vti,
}


def seconds(call: Callable[[], object]) -> float:
    """Processor time of a call, the best of some."""
    times = []
    for _ in range(REPEATS):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return min(times)


def line(name: str, ours: float, plain: float, rest: str = "") -> None:
    print(f"{name:24} {ours:6.2f} s {plain:6.2f} s {ours / plain:6.1f} {rest}", flush=True)


def write_all(side: int) -> None:
    """A line for each exporter."""
    voxels, cells = two_phases(side), two_phases(side // 2)
    print(f"{'write':24} {'ours':>8} {'plain':>8}  ratio   verify       size")
    for kind, plain in PLAIN.items():
        structure = cells if kind in MESHES else voxels
        exporter = EXPORTERS[kind]
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            path = folder / f"ours{exporter.suffix}"
            ours = seconds(lambda e=exporter, s=structure, p=path: e.write(s, p))
            written = exporter.write(structure, path)
            check = seconds(lambda p=written: verify(p))
            megabytes = sum(file.stat().st_size for file in folder.iterdir()) / 1e6
            other = folder / f"plain{exporter.suffix}"
            library = seconds(lambda f=plain, s=structure, p=other: f(s, p))
            title = f"{kind}, {structure.phases.shape[0]}^3"
            line(title, ours, library, f"{check:6.2f} s {megabytes:7.2f} MB")


def read_all(side: int) -> None:
    """A line for 1,000 pictures, segmented and not, and one for each format of volumes."""
    print(f"{'read':24} {'ours':>8} {'plain':>8}  ratio")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        grey = np.random.default_rng(0).integers(0, 256, (1000, 256, 256), dtype=np.uint8)
        blurred = gaussian_filter(grey, (0, 4, 4), mode="wrap")
        for number, picture in enumerate(blurred):
            Image.fromarray(picture).save(folder / f"{number:04d}.png")
        files = sorted(folder.iterdir())
        plain = seconds(lambda: np.stack([np.asarray(Image.open(file)) for file in files]))
        for treatment in ("keep", "otsu"):
            ours = seconds(lambda grey=treatment: read_dataset(folder, grey=grey))
            line(f"1,000 PNG, {treatment}", ours, plain)
    structure = two_phases(side)
    for kind, plain in READ.items():
        exporter = EXPORTERS[kind]
        with tempfile.TemporaryDirectory() as name:
            path = exporter.write(structure, Path(name) / f"ours{exporter.suffix}")
            ours = seconds(lambda p=path: read_dataset(p, spatial_dims=3))
            line(f"{kind}, {side}^3", ours, seconds(lambda f=plain, p=path: f(p)))


if __name__ == "__main__":
    SIDE = int(sys.argv[1]) if len(sys.argv) > 1 else 128
    write_all(SIDE)
    read_all(SIDE)
