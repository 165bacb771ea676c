"""What batching, gradients and the FFT solver cost or gain: ratios, side by side in one run.

python benchmarks/homogenization.py       # one thread, a minute

Compares with finite elements too where scikit-fem and pyamg are installed.
"""

import importlib.util
import time
from functools import partial

import numpy as np
import torch

from objectives.homogenize import effective_conductivity, effective_stiffness
from objectives.homogenize.elasticity import VOIGT
from objectives.homogenize.stiffness import lame_parameters

PHASES = (1.0, 100.0)
POISSON = (0.3, 0.2)


def seconds(*functions, repeats=3):
    """Best time of each function, taken in turns so that a busy machine slows all alike."""
    best = [float("inf")] * len(functions)
    for _ in range(repeats):
        for i, function in enumerate(functions):
            start = time.perf_counter()
            function()
            best[i] = min(best[i], time.perf_counter() - start)
    return best


def random_structures(n, *space):
    """Two phases with features of about three voxels."""
    noise, pool = torch.rand(n, 1, *space), torch.nn.functional
    blur = pool.avg_pool2d if len(space) == 2 else pool.avg_pool3d
    return (blur(noise, 5, 1, 2, count_include_pad=False) > 0.5).float()


def batching():
    images = random_structures(64, 32, 32)
    batch, single = seconds(
        lambda: effective_conductivity(images, PHASES, tol=1e-4),
        lambda: [effective_conductivity(image, PHASES, tol=1e-4) for image in images.split(1)],
    )
    print(
        f"64 images of 32x32 at once, {batch / 64 * 1e3:.2f} ms each: {single / batch:.1f}x faster"
    )


def gradient():
    for n, space in ((16, (64, 64)), (4, (21, 21, 21))):
        images = random_structures(n, *space)
        leaf = images.clone().requires_grad_()
        forward, both = seconds(
            partial(effective_conductivity, images, PHASES),
            lambda leaf=leaf: effective_conductivity(leaf, PHASES).sum().backward(),
        )
        print(f"{n} x {space}: forward and backward cost {both / forward:.2f} of forward")


def stiffness_gradient():
    for n, space in ((4, (64, 64)), (1, (21, 21, 21))):
        images = random_structures(n, *space)
        leaf = images.clone().requires_grad_()
        forward, both = seconds(
            partial(effective_stiffness, images, PHASES, POISSON),
            lambda leaf=leaf: effective_stiffness(leaf, PHASES, POISSON).sum().backward(),
        )
        print(
            f"stiffness, {n} x {space}: forward and backward cost {both / forward:.2f} of forward"
        )


def finite_elements(k):
    """Effective tensor by scikit-fem on the same voxels: assemble, make periodic, solve."""
    import skfem
    from scipy.sparse import coo_matrix
    from scipy.sparse.linalg import splu

    dim, space = k.ndim, k.shape
    mesh_type, element = (
        (skfem.MeshQuad, skfem.ElementQuad1()) if dim == 2 else (skfem.MeshHex, skfem.ElementHex1())
    )
    mesh = mesh_type.init_tensor(*[np.arange(n + 1.0) for n in space])
    basis = skfem.Basis(mesh, element, intorder=2)
    centres = mesh.p[:, mesh.t].mean(1).astype(int)
    conductivity = k[tuple(centres)][:, None] * np.ones_like(basis.dx)
    form = skfem.BilinearForm(lambda u, v, w: w.k * sum(u.grad * v.grad))
    stiffness = form.assemble(basis, k=conductivity)
    nodes = np.ravel_multi_index(mesh.p.astype(int) % np.array(space)[:, None], space)
    fold = coo_matrix((np.ones(len(nodes)), (np.arange(len(nodes)), nodes))).tocsr()
    reduced, loads = fold.T @ stiffness @ fold, -(fold.T @ (stiffness @ mesh.p.T))
    u = np.zeros_like(loads)
    if dim == 2:
        u[1:] = splu(reduced[1:, 1:].tocsc()).solve(loads[1:])
    else:
        import pyamg

        solver = pyamg.smoothed_aggregation_solver(reduced[1:, 1:].tocsr())
        for load in range(dim):
            u[1:, load] = solver.solve(loads[1:, load], tol=1e-5, accel="cg")
    total = fold @ u + mesh.p.T
    return total.T @ stiffness @ total / k.size


def against_finite_elements():
    for space in ((64, 64), (256, 256), (21, 21, 21), (51, 51, 51)):
        images = random_structures(1, *space)
        k = (PHASES[0] + (PHASES[1] - PHASES[0]) * images[0, 0]).double().numpy()
        options = {"scheme": "q1", "tol": 1e-5}
        tensor = effective_conductivity(images, PHASES, **options)[0].numpy()
        difference = abs(tensor - finite_elements(k)).max()
        ours, theirs = seconds(
            partial(effective_conductivity, images, PHASES, **options),
            partial(finite_elements, k),
            repeats=2,
        )
        print(
            f"{space}: {ours * 1e3:.0f} ms, {theirs / ours:.1f}x faster than scikit-fem, "
            f"tensors {difference:.0e} apart"
        )


def elastic_finite_elements(lam, mu):
    """Stiffness by scikit-fem on the same voxels, solved by pyamg in 3-D."""
    import skfem
    from scipy.sparse import coo_matrix
    from scipy.sparse.linalg import splu
    from skfem.helpers import ddot, sym_grad, trace

    dim, space = lam.ndim, np.array(lam.shape)
    mesh_type, element = (
        (skfem.MeshQuad, skfem.ElementQuad1()) if dim == 2 else (skfem.MeshHex, skfem.ElementHex1())
    )
    mesh = mesh_type.init_tensor(*[np.arange(n + 1.0) for n in space])
    basis = skfem.Basis(mesh, skfem.ElementVector(element), intorder=2)
    centres = tuple(mesh.p[:, mesh.t].mean(1).astype(int))
    lam, mu = (values[centres][:, None] * np.ones_like(basis.dx) for values in (lam, mu))
    form = skfem.BilinearForm(
        lambda u, v, w: (
            w.lam * trace(sym_grad(u)) * trace(sym_grad(v))
            + 2 * w.mu * ddot(sym_grad(u), sym_grad(v))
        )
    )
    stiffness = form.assemble(basis, lam=lam, mu=mu)
    nodes = np.ravel_multi_index(mesh.p.astype(int) % space[:, None], space)
    strained = np.zeros((stiffness.shape[0], len(VOIGT[dim])))
    unknowns = np.zeros(stiffness.shape[0], dtype=int)
    for load, (i, j) in enumerate(VOIGT[dim]):
        strained[basis.nodal_dofs[i], load] += 0.5 * mesh.p[j]
        strained[basis.nodal_dofs[j], load] += 0.5 * mesh.p[i]
    for axis in range(dim):
        unknowns[basis.nodal_dofs[axis]] = nodes * dim + axis
    fold = coo_matrix((np.ones(len(unknowns)), (np.arange(len(unknowns)), unknowns))).tocsr()
    reduced, loads = fold.T @ stiffness @ fold, -(fold.T @ (stiffness @ strained))
    reduced = reduced.tocsr()[dim:, dim:]
    u = np.zeros_like(loads)
    if dim == 2:
        u[dim:] = splu(reduced.tocsc()).solve(loads[dim:])
    else:
        import pyamg

        translations = np.tile(np.eye(dim), (reduced.shape[0] // dim, 1))
        solver = pyamg.smoothed_aggregation_solver(reduced.tobsr((dim, dim)), B=translations)
        for load in range(loads.shape[1]):
            u[dim:, load] = solver.solve(loads[dim:, load], tol=1e-5, accel="cg")
    total = fold @ u + strained
    return total.T @ (stiffness @ total) / np.prod(space)


def stiffness_against_finite_elements():
    pairs = [lame_parameters(*pair) for pair in zip(PHASES, POISSON, strict=True)]
    for space in ((64, 64), (21, 21, 21)):
        images = random_structures(1, *space)
        x = images[0, 0].double().numpy()
        lam, mu = (a + (b - a) * x for a, b in zip(*pairs, strict=True))
        options = {"scheme": "q1", "tol": 1e-5}
        tensor = effective_stiffness(images, PHASES, POISSON, **options)[0].numpy()
        difference = abs(tensor - elastic_finite_elements(lam, mu)).max()
        ours, theirs = seconds(
            partial(effective_stiffness, images, PHASES, POISSON, **options),
            partial(elastic_finite_elements, lam, mu),
            repeats=2,
        )
        print(
            f"stiffness, {space}: {ours * 1e3:.0f} ms, {theirs / ours:.1f}x faster than "
            f"scikit-fem, matrices {difference:.0e} apart"
        )


def main():
    torch.set_num_threads(1)
    torch.manual_seed(0)
    batching()
    gradient()
    stiffness_gradient()
    if importlib.util.find_spec("skfem") and importlib.util.find_spec("pyamg"):
        against_finite_elements()
        stiffness_against_finite_elements()
    else:
        print("pip install scikit-fem pyamg compares with finite elements as well")


if __name__ == "__main__":
    main()
