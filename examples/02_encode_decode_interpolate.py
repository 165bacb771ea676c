"""Use a latent space in your own loop: encode, decode, interpolate, traverse.

python examples/02_encode_decode_interpolate.py
"""

from pathlib import Path

from generative.data.synthetic import gaussian_random_field
from latentopt import LatentSpace
from latentopt.microstructure import to_phases
from latentopt.pictures import image_grid_png


def main() -> None:
    space = LatentSpace.default()

    # Images are (n, channels, height, width) in [0, 1]; numpy in, numpy out, torch in, torch out.
    images = gaussian_random_field(2, (64, 64), seed=11, correlation_length_px=(8, 16))
    z = space.encode(images)
    again = space.decode(z)
    print(f"{images[0].size} voxels -> {z.shape[1]} numbers -> {again[0].size} voxels")
    print(f"mean squared error {((images - again) ** 2).mean():.4f}")

    # A point says how far it can be trusted.
    for name, points in {"data": z, "prior": space.sample(2, seed=0).numpy()}.items():
        distance = space.distance_from_data(points).mean()
        cycle = space.cycle_error(points).mean()
        print(f"{name:>6}: distance from data {distance:.2f}, cycle error {cycle:.2f}")

    # Eight equidistant points between the two, on the line and on the arc.
    rows = {}
    for how in ("linear", "slerp"):
        path = space.decode(space.interpolate(z[0], z[1], 8, how=how))
        fractions = to_phases(path).mean(axis=(1, 2))
        print(f"{how:>6}: volume fractions {' '.join(f'{v:.2f}' for v in fractions)}")
        rows[how] = to_phases(path)

    # The widest direction of the data, from -3 to 3 standard deviations.
    rows["axis 0"] = to_phases(space.decode(space.traverse(0, 8))).numpy()

    titles = [f"{name} {i}" for name in rows for i in range(8)]
    structures = [structure for row in rows.values() for structure in row]
    out = Path("runs/interpolation.png")
    out.parent.mkdir(exist_ok=True)
    out.write_bytes(image_grid_png(structures, titles, columns=8))
    print(f"picture: {out}")


if __name__ == "__main__":
    main()
