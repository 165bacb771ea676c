"""Structures that take several files, as a simulator gets them."""

import json

import numpy as np

from latentopt.export import verify
from latentopt.export.sidecar import exported_files
from latentopt.microstructure import Microstructure
from latentopt.simulators.task import write_task


def test_the_task_names_the_first_picture_of_a_stack(tmp_path):
    phases = np.random.default_rng(0).integers(0, 2, (3, 4, 5))
    structure = Microstructure(phases, (1e-6,) * 3, ("a", "b"), (True,) * 3)
    first = write_task(tmp_path / "run", structure, "png", ["a"])
    task = json.loads((tmp_path / "run" / "task.json").read_text())
    assert task["structure"] == first.name == "structure_000.png"
    assert task["metrics"] == ["a"]
    assert verify(first)["voxel_sha256"] == structure.sha256
    slices = [f"structure_{z:03d}.png" for z in range(3)]
    names = [path.name for path in exported_files(first)]
    assert names == [slices[0], "structure_000.png.json", *slices[1:]]
