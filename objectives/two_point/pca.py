"""Principal components of two-point statistics: a few numbers that say what a structure is like."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Float64
from safetensors.torch import load, save
from torch import Tensor

from objectives.arrays import Array, as_tensor
from objectives.grid import Grid
from objectives.images import checked_images, in_kind
from objectives.two_point.correlation import Pairs, radial_average, two_point_statistics

FORMAT_VERSION = 1
WEIGHTS, CONFIG = "weights.safetensors", "config.json"
# Images are taken in parts of so many numbers; a part and its transform stay in the memory's reach.
PART = 2**18
# Less than this share of the first component's variance is rounding, as is a relative change of
# all statistics by its square.
LEAST_VARIANCE = 1e-12
LEAST_SHARE = 0.01  # least variance of an indicator that is divided by: a phase of one per cent


class TwoPointPCA:
    r"""Scores of images on the principal components of a data set's two-point statistics.

    With statistics f, their mean :math:`\bar f` and orthonormal components :math:`\phi_a`,

    .. math:: \alpha_a = \langle f - \bar f, \phi_a \rangle, \qquad
              f \approx \bar f + \sum_a \alpha_a \phi_a .

    Components come in order of variance, each with its largest entry positive. Scores are not
    scaled: score a has variance ``explained_variance_[a]`` over the data set.

    Parameters
    ----------
    components
        Number of scores k.
    correlations, periodic, cutoff
        As `two_point_statistics` takes them. With a cutoff, images may have another size than the
        data set's.
    radial
        Whether to average the statistics over directions first; scores then do not depend on the
        orientation, and one structure along y scores as the same along x.
    voxel_size_um
        Edge of a voxel, or one for each axis of the images: lengths of shifts are compared if
        radial. Without, it is refused.
    normalized
        Whether to take from the statistics what phase fractions alone say of them. Of most data
        sets these make up nearly all of the variance; without, the scores tell arrangement only:

        .. math:: \frac{f_{ij}(r) - v_i v_j}{\sqrt{v_i (1 - v_i)\, v_j (1 - v_j)}}

    Attributes
    ----------
    mean_
        Mean statistics of the data set, ``(p, *shifts)``, or ``(p, r)`` if radial. All of these are
        float64 tensors.
    components_
        ``(k, p, *shifts)``, orthonormal.
    explained_variance_
        Of each component over the data set (n - 1 in the denominator), ``(k,)``.
    explained_variance_ratio_
        The same as a share of all variance, ``(k,)``.

    References
    ----------
    .. [1] Niezgoda, Kanjarla, Kalidindi (2013), Novel microstructure quantification framework for
       databasing, visualization, and analysis of microstructure data, IMMI 2, 54.

    Examples
    --------
    Layers of five thicknesses t vary in one number only. It is the volume fraction.

    >>> layers = torch.zeros(5, 1, 8, 8)
    >>> for t in range(5):
    ...     layers[t, 0, : t + 1] = 1
    >>> pca = TwoPointPCA(1, cutoff=0).fit(layers)
    >>> pca.transform(layers)[:, 0]
    tensor([-0.2500, -0.1250,  0.0000,  0.1250,  0.2500])
    >>> pca.explained_variance_ratio_
    tensor([1.], dtype=torch.float64)
    """

    def __init__(
        self,
        components: int = 10,
        *,
        correlations: Pairs | None = None,
        periodic: bool = True,
        cutoff: int | None = None,
        radial: bool = False,
        normalized: bool = False,
        voxel_size_um: float | int | Sequence[float | int] = 1.0,
    ) -> None:
        if components < 1:
            raise ValueError(f"components should be 1 or more, got {components}.")
        if not radial and voxel_size_um != 1:
            raise ValueError(
                "voxel_size_um has no effect on the statistics of single shifts: leave it out, or "
                "set radial=True."
            )
        self.components = components
        self.correlations = correlations
        self.periodic = periodic
        self.cutoff = cutoff
        self.radial = radial
        self.normalized = normalized
        self.voxel_size_um = Grid(voxel_size_um).voxel_size_um

    def fit(
        self, images: Float[Tensor, "n c *space"] | Float[np.ndarray, "n c *space"]
    ) -> "TwoPointPCA":
        """Learn mean and components, in float64 on the images' device.

        Raises
        ------
        EvaluationError
            (A ``ValueError``.) The images are not images.
        ValueError
            There are no more images than components, or their statistics differ in fewer
            directions than components.
        """
        x = checked_images(images).detach()
        if len(x) <= self.components:
            raise ValueError(
                f"{self.components} components need {self.components + 1} images or more, got "
                f"{len(x)}. Ask for fewer components."
            )
        fields = torch.cat([self.statistics(part.double()) for part in _parts(x)])
        rows = fields.flatten(1)
        mean = rows.mean(0)
        rows -= mean
        rounding = len(rows) * float(mean.square().sum()) * LEAST_VARIANCE**2
        basis, variance = _principal_components(rows, self.components, rounding)
        self.mean_ = mean.reshape(fields.shape[1:])
        self.components_ = basis.reshape(-1, *fields.shape[1:])
        self.explained_variance_ = variance
        self.explained_variance_ratio_ = variance / rows.square().sum() * (len(rows) - 1)
        return self

    def statistics(self, images: Float[Tensor, "n c *space"]) -> Float[Tensor, "n p *shifts"]:
        """What is projected: statistics, normalized and averaged over directions if so asked."""
        fields = two_point_statistics(
            images, correlations=self.correlations, periodic=self.periodic, cutoff=self.cutoff
        )
        if self.normalized:
            fields = _normalized(fields, images, self.correlations)
        if not self.radial:
            return fields
        return radial_average(fields, voxel_size_um=self.voxel_size_um)

    def transform(self, images: Float[Array, "n c *space"]) -> Float[Array, "n k"]:
        """Scores of every image, of the images' type and on their device; differentiable.

        Raises
        ------
        EvaluationError
            (A ``ValueError``.) The images are not images.
        ValueError
            Nothing was fitted, or the images' statistics have another shape than the data set's.
        """
        self._check_fitted()
        x = checked_images(images)
        scores = [self._project(self.statistics(part)) for part in _parts(x)]
        return in_kind(torch.cat(scores) if scores else x.new_zeros(0, self.components), images)

    def inverse_transform(self, scores: Float[Array, "n k"]) -> Float[Array, "n p *shifts"]:
        """The statistics that have these scores and nothing of any other component.

        Raises
        ------
        ValueError
            Nothing was fitted, or the scores are not ``(n, k)``.
        """
        self._check_fitted()
        a = as_tensor(scores, "scores")
        if a.ndim != 2 or a.shape[1] != self.components:
            raise ValueError(
                f"scores should have shape (n, {self.components}), got {tuple(a.shape)}."
            )
        return in_kind(torch.tensordot(a, self.components_.to(a), 1) + self.mean_.to(a), scores)

    def options(self) -> dict[str, object]:
        """What `TwoPointPCA(**options)` needs to build this one again, ready for JSON."""
        pairs = self.correlations
        return {
            "components": self.components,
            "correlations": pairs if pairs is None else [[int(i), int(j)] for i, j in pairs],
            "periodic": self.periodic,
            "cutoff": self.cutoff,
            "radial": self.radial,
            "normalized": self.normalized,
            "voxel_size_um": self.voxel_size_um,
        }

    def state_dict(self) -> dict[str, Tensor]:
        """What was learned, as plain tensors by name."""
        self._check_fitted()
        return {name: getattr(self, name) for name in _STATE}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> "TwoPointPCA":
        """Take over what another one with the same options learned.

        Raises
        ------
        ValueError
            A tensor is missing, or has a shape that does not fit the options.
        """
        if set(state) != set(_STATE):
            raise ValueError(f"state should have {', '.join(_STATE)}, got {', '.join(state)}.")
        k, shape = self.components, tuple(state["mean_"].shape)
        expected = {"mean_": shape, "components_": (k, *shape)}
        for name, tensor in state.items():
            if tuple(tensor.shape) != expected.get(name, (k,)):
                raise ValueError(
                    f"{name} should have shape {expected.get(name, (k,))}, got "
                    f"{tuple(tensor.shape)}. Build TwoPointPCA with the options it was saved with."
                )
            setattr(self, name, tensor.double())
        return self

    def save(self, folder: Path | str, *, overwrite: bool = False) -> Path:
        """Write ``weights.safetensors`` and ``config.json`` (options, sha256 of the weights).

        Raises
        ------
        ValueError
            Files of these names are there, and not of a TwoPointPCA; ``overwrite`` replaces them.
        """
        folder = Path(folder)
        if not overwrite and any(os.path.lexists(folder / name) for name in (WEIGHTS, CONFIG)):
            self._check_ours(folder)
        weights = save({name: t.cpu().contiguous() for name, t in self.state_dict().items()})
        config = {
            "format_version": FORMAT_VERSION,
            "kind": "two_point_pca",
            "options": self.options(),
            "weights_sha256": hashlib.sha256(weights).hexdigest(),
        }
        folder.mkdir(parents=True, exist_ok=True)
        _replace(folder / WEIGHTS, weights)
        _replace(folder / CONFIG, (json.dumps(config, indent=2) + "\n").encode())
        return folder

    @classmethod
    def _check_ours(cls, folder: Path) -> None:
        try:
            cls.load(folder)
        except ValueError as error:
            raise ValueError(
                f"{folder}: holds {WEIGHTS} or {CONFIG} of something else ({error}) Choose another "
                "folder, or give overwrite=True."
            ) from error

    @classmethod
    def load(cls, folder: Path | str) -> "TwoPointPCA":
        """The one that was saved in a folder.

        Raises
        ------
        ValueError
            A file is missing, damaged, or of a newer format; the message names it.
        """
        folder = Path(folder)
        remedy = "Restore the folder from a copy, or fit and save again."
        try:
            config = json.loads((folder / CONFIG).read_bytes())
            weights = (folder / WEIGHTS).read_bytes()
        except (OSError, ValueError, RecursionError) as error:
            raise ValueError(f"{folder}: cannot be read ({error}). {remedy}") from error
        if not isinstance(config, dict) or config.get("kind") != "two_point_pca":
            raise ValueError(f"{folder / CONFIG}: is not of a TwoPointPCA. {remedy}")
        if config.get("format_version") != FORMAT_VERSION:
            raise ValueError(
                f"{folder / CONFIG}: has format_version {config.get('format_version')}, this "
                f"version reads {FORMAT_VERSION}. Upgrade latentopt: pip install -U latentopt."
            )
        if hashlib.sha256(weights).hexdigest() != config.get("weights_sha256"):
            raise ValueError(f"{folder / WEIGHTS}: is not the file that was saved. {remedy}")
        try:
            return cls(**config["options"]).load_state_dict(load(weights))
        except (KeyError, TypeError) as error:
            raise ValueError(f"{folder / CONFIG}: has no or other options. {remedy}") from error

    def _project(self, fields: Float[Tensor, "n p *shifts"]) -> Float[Tensor, "n k"]:
        if fields.shape[1:] != self.mean_.shape:
            raise ValueError(
                f"statistics of these images have shape {tuple(fields.shape[1:])}, those fitted "
                f"have {tuple(self.mean_.shape)}. Give images of the data set's channels and size, "
                "or fit with a cutoff."
            )
        centred = (fields - self.mean_.to(fields)).flatten(1)
        return centred @ self.components_.to(fields).flatten(1).T

    def _check_fitted(self) -> None:
        if not hasattr(self, "mean_"):
            raise ValueError("TwoPointPCA is not fitted: call fit(images) first, or load a folder.")


_STATE = ("mean_", "components_", "explained_variance_", "explained_variance_ratio_")


def _normalized(
    fields: Float[Tensor, "n p *shifts"],
    images: Float[Tensor, "n c *space"],
    correlations: Pairs | None,
) -> Float[Tensor, "n p *shifts"]:
    """Statistics as correlation coefficients: 1 at no shift between a phase and itself."""
    shares = images.flatten(2).mean(2)
    pairs = [(0, j) for j in range(images.shape[1])] if correlations is None else correlations
    i, j = (torch.tensor([pair[k] for pair in pairs], device=images.device) for k in (0, 1))
    variance = (shares * (1 - shares)).clamp_min(LEAST_SHARE)
    product, scale = shares[:, i] * shares[:, j], (variance[:, i] * variance[:, j]).sqrt()
    ones = (1,) * (fields.ndim - 2)
    return (fields - product.unflatten(1, (-1, *ones))) / scale.unflatten(1, (-1, *ones))


def _parts(x: Float[Tensor, "n c *space"]) -> tuple[Tensor, ...]:
    return x.split(max(1, PART // x[0].numel())) if len(x) else ()


def _principal_components(
    rows: Float64[Tensor, "n f"], k: int, rounding: float
) -> tuple[Float64[Tensor, "k f"], Float64[Tensor, "k"]]:
    """Leading components of centred rows by the smaller of their two Gram matrices."""
    wide = rows.shape[1] > len(rows)
    values, vectors = torch.linalg.eigh(rows @ rows.T if wide else rows.T @ rows)
    values, vectors = values.flip(0), vectors.flip(1)[:, :k]
    rank = int((values > max(LEAST_VARIANCE * float(values[0]), rounding)).sum())
    if rank < k:
        raise ValueError(
            f"{k} components need statistics that differ in {k} directions, those of these images "
            f"differ in {rank}. Ask for fewer components, or give more varied images."
        )
    # QR: the vectors of small values lose their right angles when taken to the other side.
    basis = torch.linalg.qr(rows.T @ vectors if wide else vectors).Q.T
    size = basis.abs()
    first = (size >= (1 - 1e-6) * size.amax(1, keepdim=True)).int().argmax(1)  # ties: the first
    basis = basis * basis.gather(1, first[:, None]).sign()
    return basis.contiguous(), values[:k] / (len(rows) - 1)


def _replace(path: Path, data: bytes) -> None:
    """Write a file that appears whole or not at all."""
    waiting = path.with_name(f".{path.name}.new")
    with waiting.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(waiting, path)
