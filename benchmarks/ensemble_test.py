"""How often the ensemble test accepts a second held-out set, shuffled pixels and a magnified one.

python benchmarks/ensemble_test.py VOLUME.npz    # one array of 0 and 1, such as a scanned rock

The volume is cut into 20 slabs; for each of 20 seeds, ten slabs are drawn as one set and the other
ten as the second, with 10 patches of 64x64 from each slab. The slab is the parent of its patches.
"""

import sys

import numpy as np
import torch

from objectives.fidelity import ensemble_test, share_within_sigma, shuffled_pixels

SEEDS, SLABS, PER_SLAB, SIDE = 20, 20, 10, 64


def patches(volume, slabs, rng, side):
    """(n, 1, side, side) from random places in each slab, and the slab of each."""
    edges = np.linspace(0, len(volume), SLABS + 1).astype(int)
    cut = []
    for slab in slabs:
        for _ in range(PER_SLAB):
            z = rng.integers(edges[slab], edges[slab + 1])
            y, x = (rng.integers(0, n - side + 1) for n in volume.shape[1:])
            cut.append(volume[z, y : y + side, x : x + side])
    return np.stack(cut)[:, None].astype(np.float32), np.repeat(slabs, PER_SLAB)


def main():
    torch.set_num_threads(1)
    with np.load(sys.argv[1], allow_pickle=False) as arrays:
        volume = arrays[arrays.files[0]]
    rejected, shares = {}, {}
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        order = rng.permutation(SLABS)
        first, parents = patches(volume, order[: SLABS // 2], rng, SIDE)
        second, others = patches(volume, order[SLABS // 2 :], rng, SIDE)
        small, _ = patches(volume, order[SLABS // 2 :], rng, SIDE // 2)
        cases = {
            "second held-out set": second,
            "its pixels shuffled": shuffled_pixels(second, seed),
            "magnified twofold": small.repeat(2, -1).repeat(2, -2),
        }
        for name, images in cases.items():
            answer = ensemble_test(first, images, parents=(parents, others), seed=seed)
            rejected[name] = rejected.get(name, 0) + (answer.p_value < 0.05)
            shares.setdefault(name, []).append(share_within_sigma(first, images).mean())
    for name, count in rejected.items():
        share = float(np.mean(shares[name]))
        print(
            f"{name:20} rejected {count:2} of {SEEDS}   within 6 sigma: {share:.4f} of all shifts"
        )


if __name__ == "__main__":
    main()
