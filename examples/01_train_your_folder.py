"""Train a latent space on a folder of micrographs, and see how well it keeps them.

    python examples/01_train_your_folder.py micrographs/ space/

Without arguments it draws a folder of synthetic micrographs first. The same from the command line:

    latentopt train micrographs/ --out space/
"""

import os
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from generative.data.synthetic import gaussian_random_field
from latentopt.training import TrainingSettings, train_space

SMOKE = os.environ.get("SMOKE") == "1"
SIZE = 32 if SMOKE else 64


def draw_micrographs(folder: Path) -> Path:
    """Two classes of synthetic micrographs, as 8-bit PNG files in subfolders."""
    classes = {"equiaxed": (1.0, 1.2), "drawn": (2.5, 3.0)}
    for seed, (name, anisotropy) in enumerate(classes.items()):
        (folder / name).mkdir(parents=True, exist_ok=True)
        images = gaussian_random_field(
            24 if SMOKE else 600, (SIZE, SIZE), seed=seed, anisotropy=anisotropy
        )
        for i, image in enumerate(images[:, 0]):
            Image.fromarray((image * 255).astype(np.uint8)).save(folder / name / f"{i:04d}.png")
    return folder


def main() -> None:
    source = Path(sys.argv[1]) if len(sys.argv) > 1 else draw_micrographs(Path("runs/micrographs"))
    out = Path(sys.argv[2] if len(sys.argv) > 2 else "runs/space")

    # Every field has a default; a wrong key is answered with the nearest right one.
    settings = TrainingSettings.checked(
        {
            "data": {"kind": "files", "path": str(source)},
            "model": "vae",
            "training": {"steps": 5 if SMOKE else 1500, "seed": 0},
        }
    )
    # Kill it and run it again: it goes on from its last state and arrives at the same weights.
    space = train_space(settings, out)

    print(f"space {space.id} in {out}: {space.latent_dim} numbers for {space.image_shape} images")
    print(f"the training set lives within radius {space.radius:.1f}")
    table = (out / "README.md").read_text().split("## Reconstruction")[1].split("MSE and SSIM")[0]
    print("Reconstruction" + table)
    print(f"Pictures: {out / 'samples.png'}")


if __name__ == "__main__":
    main()
