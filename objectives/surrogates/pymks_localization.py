"""Local fields of structures of low contrast, by PyMKS's localization."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from objectives.arrays import Array, as_tensor
from objectives.images import checked_images, in_kind
from objectives.pymks_import import import_pymks
from objectives.surrogates.folder import read_surrogate, write_surrogate


class PymksLocalization:
    r"""Local fields p as a convolution of the phases with learned kernels [1]_.

    .. math:: p(s) \approx \sum_l \sum_r \alpha_l(r)\, m_l(s - r)

    The first term of the contrast expansion, learned frequency by frequency by PyMKS's
    ``LocalizationRegressor``: for contrasts up to 2. (R2 of the local dissipation of conduction in
    random structures of 64x64, learned from 200: .98 at contrast 1.5, .94 at 2, .54 at 10, .24 at
    100.) It learns fields, so it is no row of `SURROGATES`, and has no standard deviation.

    Averaged over the image a convolution keeps its zero frequency alone: **the mean of a predicted
    field is linear in the phase fractions**. For a conductivity take the row
    ``pymks_localization``, which averages a product of such fields.

    Needs PyMKS (Python 3.11), periodic images of one size, and more images than phases.

    References
    ----------
    .. [1] Brough, Wheeler, Kalidindi (2017), Materials Knowledge Systems in Python, IMMI 6, 36.
    """

    kind = "pymks_local_fields"

    def __init__(self) -> None:
        self.regressor_: Any = None

    def fit(
        self,
        images: Float[Tensor, "n c *space"] | Float[np.ndarray, "n c *space"],
        fields: Float[Tensor, "n ..."] | Float[np.ndarray, "n ..."],
    ) -> "PymksLocalization":
        """Learn from images and a scalar field of each, such as one component of the local flux.

        Raises
        ------
        EvaluationError
            (A ``ValueError``.) The images are not images.
        ValueError
            The fields have another shape or are not finite, or there are too few images.
        ImportError
            PyMKS is not installed.
        """
        import dask.array as da

        pymks = import_pymks()
        states = _local_states(images)
        values = as_tensor(fields, "fields").detach().cpu().double().numpy()
        if values.shape != states.shape[:-1]:
            raise ValueError(
                f"fields should have shape {states.shape[:-1]}, one scalar a voxel, got "
                f"{values.shape}."
            )
        if not np.isfinite(values).all():
            row = int((~np.isfinite(values)).reshape(len(values), -1).any(1).argmax())
            raise ValueError(f"fields should be finite, got NaN or infinite values in row {row}.")
        if len(states) <= states.shape[-1]:
            raise ValueError(
                f"{states.shape[-1]} phases need {states.shape[-1] + 1} images or more, got "
                f"{len(states)}."
            )
        chunked = (da.from_array(array, chunks=array.shape) for array in (states, values))
        self.regressor_ = pymks.LocalizationRegressor().fit(*chunked)
        return self

    def predict(self, images: Float[Array, "n c *space"]) -> Float64[Array, "n *space"]:
        """The field of every image.

        Raises
        ------
        EvaluationError
            (A ``ValueError``.) The images are not images.
        ValueError
            Nothing was fitted, or on images of another size.
        """
        import dask.array as da

        self._check_fitted()
        states = _local_states(images)
        shape = tuple(self.regressor_.coeff.shape)
        if states.shape[1:] != shape:
            raise ValueError(
                f"images should have {shape[-1]} phases and size {shape[:-1]} as those of fit, got "
                f"{states.shape[-1]} phases and size {states.shape[1:-1]}."
            )
        if not len(states):
            return in_kind(torch.zeros(states.shape[:-1], dtype=torch.float64), images)
        predicted = self.regressor_.predict(da.from_array(states, chunks=states.shape))
        return in_kind(torch.from_numpy(np.asarray(predicted)), images)

    def save(self, folder: Path | str, *, overwrite: bool = False) -> Path:
        """Write a folder that `load` reads: the kernels' transforms, and a sha256 of each file.

        Files of these names that are something else are refused, unless ``overwrite`` is given.
        """
        state = self.state_dict()
        *space, phases = state["real"].shape
        size = "x".join(map(str, space))
        card = f"# {self.kind}\n\nLocal fields of {size} images of {phases} phases.\n"
        return write_surrogate(Path(folder), state, {"kind": self.kind}, card, overwrite=overwrite)

    @classmethod
    def load(cls, folder: Path | str) -> "PymksLocalization":
        """The one that was saved in a folder.

        Raises
        ------
        SurrogateFileError
            (A ``ValueError``.) The folder is missing, incomplete, changed or of a newer format.
        ValueError
            It holds a surrogate of another kind.
        """
        state, facts = read_surrogate(Path(folder))
        if facts.get("kind") != cls.kind:
            raise ValueError(
                f"{folder}: holds a {facts.get('kind')}, expected a {cls.kind}. "
                "Load it with objectives.surrogates.load_surrogate."
            )
        return cls().load_state_dict(state)

    def state_dict(self) -> dict[str, Tensor]:
        """What was learned: real and imaginary parts of the kernels' transforms."""
        self._check_fitted()
        kernels = torch.from_numpy(np.asarray(self.regressor_.coeff))
        return {"real": kernels.real.contiguous(), "imaginary": kernels.imag.contiguous()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> "PymksLocalization":
        """Take over what another one learned, its `state_dict`; PyMKS must be installed."""
        import dask.array as da

        kernels = torch.complex(state["real"], state["imaginary"]).numpy()
        self.regressor_ = import_pymks().LocalizationRegressor()
        self.regressor_.coeff = da.from_array(kernels, chunks=kernels.shape)
        self.regressor_.y_data_shape = (1, *kernels.shape[:-1])
        return self

    def _check_fitted(self) -> None:
        if self.regressor_ is None:
            raise ValueError("PymksLocalization is not fitted: call fit(images, fields) first.")


def _local_states(
    images: Float[Tensor, "n c *space"] | Float[np.ndarray, "n c *space"],
) -> Float64[np.ndarray, "n *space l"]:
    """Fraction of each phase in every voxel, phases last as PyMKS has them."""
    x = checked_images(images).detach().cpu().double()
    if x.shape[1] == 1:
        x = torch.cat([1 - x, x], 1)
    return np.ascontiguousarray(x.movedim(1, -1).numpy())
