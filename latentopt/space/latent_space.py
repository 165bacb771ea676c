"""The 64-number space a search moves in: encode, decode, sample, look around."""

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, SupportsIndex

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from generative.batching import map_rows
from generative.model import CoordinateName, Drawn, is_standard_normal
from latentopt.space.analysis import Analysis, analyse
from latentopt.space.arguments import AnyArray, checked_images, checked_points, like
from latentopt.space.ax_parameters import (
    parameters_to_points,
    points_to_parameters,
    range_parameters,
)
from latentopt.space.classes import Classes, checked_classes
from latentopt.space.control_meanings import ControlMeaning, meanings
from latentopt.space.coordinates import flowing, turned, two_coordinates
from latentopt.space.decoder import Decoder, Encoder
from latentopt.space.draws import normal_draws, truncated
from latentopt.space.embedded import embedded_folder
from latentopt.space.encoding import checked_steps, encoded, inverted
from latentopt.space.files import read_space, write_space
from latentopt.space.fitting import REFERENCE_ROWS, as_kept, of_prior, thinned, white_over
from latentopt.space.model_tensors import device_of, digest_of
from latentopt.space.paths import Way, grid, path
from latentopt.space.shown import space_html, space_png, space_text
from latentopt.space.spacing import box_around, median_spacing, nearest_distance
from latentopt.space.traverses import traverse
from latentopt.space.whitening import Whitening
from objectives.arrays import Array

INVERTED_ROWS, INVERTED_STEPS = 512, 50  # of the reference, where an encoder only guesses


class LatentSpace:
    """A decoder, seen through coordinates in which its training set is white.

    Latent points are float64 ``(n, d)`` with mean 0 and covariance I over the training set, along
    the principal axes of the code, the widest first. Images are float32 ``(n, c, *space)`` in
    [0, 1]. Torch or numpy: the answer is of the kind of the question.

    Parameters
    ----------
    model
        Any object with ``latent_dim``, ``image_shape`` and ``decode``; ``encode`` too if it is to
        encode.
    whitening
        Map between its code and z.
    reference
        Whitened latent points of training structures.
    classes
        The class of each of these, kept as ``reference_classes_``; None where none are known.
    radius
        Norm that 95 % of the training set keeps below. In 64 dimensions a standard normal
        lives near radius 8; further out decoders were never trained.
    trained_on
        Digests of the training images (`generative.data.duplicates`), where they are known.
    inversion_steps
        Steps of descent by which `encode` improves what the encoder says; see `inverting`.

    Examples
    --------
    >>> space = LatentSpace.default()
    >>> z = space.sample(2, seed=0)
    >>> space.decode(z).shape
    torch.Size([2, 1, 64, 64])
    """

    def __init__(
        self,
        model: Decoder,
        whitening: Whitening,
        *,
        reference: Float[Tensor, "m d"],
        radius: float,
        classes: Classes | None = None,
        documents: Mapping[str, bytes] | None = None,
        trained_on: Int64[np.ndarray, " t"] | None = None,
        inversion_steps: int = 0,
    ) -> None:
        self.model = model.eval() if isinstance(model, nn.Module) else model
        self.whitening = whitening
        self.reference_ = reference
        self.reference_classes_ = checked_classes(classes, len(reference))
        self.radius = float(radius)
        self.documents = dict(documents or {})
        self.trained_on = trained_on
        self.inversion_steps = checked_steps(inversion_steps)
        self.latent_dim = int(model.latent_dim)
        self.image_shape = tuple(model.image_shape)

    # -- making one ------------------------------------------------------------------------------

    @classmethod
    def fit(
        cls,
        model: Decoder,
        images: AnyArray,
        *,
        reference: AnyArray | None = None,
        classes: Classes | None = None,
        inversion_steps: int = 0,
        progress: Callable[[int, int], None] | None = None,
    ) -> "LatentSpace":
        """Space of a trained model, whitened over its training images.

        Parameters
        ----------
        model
            Has ``encode`` and ``decode``. Codes that are standard normal by construction, which it
            says by ``standard_normal``, are taken as they are, with the radius of that
            distribution. Points of an encoder that only guesses (`Drawn`) lie too near the origin:
            what is whitened are draws, and the reference are points of 512 images after 50 steps of
            inversion.
        images
            ``(n, c, *space)`` in [0, 1]; 10,000 are encoded in the same memory as 100. Of a model
            with standard normal codes 2,048 are encoded at most.
        reference
            Images whose points are kept; those of `images` if None.
        classes
            The class of each image whose point is kept, such as ``Classes.of_data(dataset)``.
        inversion_steps
            Of the space (`inverting`).
        progress
            Called with the images inverted and all of them.

        Raises
        ------
        TypeError
            For a model that cannot encode; see `from_prior`.
        """
        known = images if reference is None else reference
        classes = checked_classes(classes, len(known), "images")
        space = cls(model, **white_over(model, images, known), inversion_steps=inversion_steps)
        if isinstance(model, Drawn):
            x = checked_images(thinned(known, INVERTED_ROWS), space.image_shape)
            space.reference_ = as_kept(inverted(space, x, INVERTED_STEPS, progress).cpu())
        rows = INVERTED_ROWS if isinstance(model, Drawn) else REFERENCE_ROWS
        space.reference_classes_ = None if classes is None else classes.thinned(rows)
        return space

    @classmethod
    def from_prior(cls, model: Decoder) -> "LatentSpace":
        """Space of a decoder whose codes are standard normal, such as a GAN's; no data needed."""
        return cls(model, **of_prior(model))

    @classmethod
    def load(cls, folder: Path | str, *, model: Decoder | None = None) -> "LatentSpace":
        """Space of a folder that `save` or ``latentopt train`` wrote.

        Parameters
        ----------
        folder
            Its files are checked against their sha256.
        model
            For a space that was saved around a model of your own, that model.

        Raises
        ------
        ModelFileError
            For a folder that is missing, incomplete, truncated, changed or of a newer format.
        """
        return cls(**read_space(Path(folder), model))

    @classmethod
    def default(cls, name: str = "default") -> "LatentSpace":
        """An embedded space: 64x64 two-phase random textures, see its ``README.md``.

        Parameters
        ----------
        name
            ``"default"``, the code of a variational autoencoder; or ``"ldm"``, the noise of a
            latent diffusion over it, in which every typical point is a likely structure.
        """
        return cls.load(embedded_folder(name))

    def in_coordinates(self, coordinates: CoordinateName) -> "LatentSpace":
        """The same model seen in its noise, or in its code (of a GAN its style), whitened.

        Raises
        ------
        TypeError
            For a model with one coordinate system alone.
        ValueError
            For coordinates that this model has not.
        """
        other = (model := two_coordinates(self.model, coordinates)).in_coordinates(coordinates)
        if is_standard_normal(other) == is_standard_normal(model):
            return self
        z, whitening, radius = turned(model, other, self.reference_, self.whitening)
        space = type(self)(other, whitening, reference=z, radius=radius, trained_on=self.trained_on)
        space.reference_classes_ = self.reference_classes_
        return space.inverting(self.inversion_steps)

    def inverting(self, steps: SupportsIndex) -> "LatentSpace":
        """The same space, whose `encode` improves what the encoder says by that many steps.

        0 leaves the encoder alone. Without one, inversion begins at the origin.
        """
        space = copy.copy(self)
        space.documents, space.inversion_steps = dict(self.documents), checked_steps(steps)
        return space

    def by_flow(self) -> "LatentSpace":
        """The same points, decoded by the exact flow where the model decodes in one step."""
        space = self.inverting(self.inversion_steps)
        space.model, space.documents = flowing(self.model), {}
        return space

    def save(self, folder: Path | str, *, overwrite: bool = False) -> Path:
        """Write weights, settings, whitening and the model card, with the sha256 of each.

        A space or model that was saved there is replaced; files of these names that are something
        else are refused by an `OutputError`, unless ``overwrite`` is given.
        """
        return write_space(Path(folder), self, overwrite=overwrite)

    __repr__, _repr_html_, _repr_png_ = space_text, space_html, space_png

    @property
    def id(self) -> str:
        """Twelve hexadecimal digits that name this space: equal weights, equal id.

        A model that is not a torch module has no weights to compare, only its whitening.
        """
        return digest_of(self.model, self.whitening)

    # -- there and back --------------------------------------------------------------------------

    @property
    def encodes(self) -> bool:
        """Whether it has points of given images: by an encoder, or by inversion."""
        return isinstance(self.model, Encoder) or self.inversion_steps > 0

    def encode(self, images: Array) -> Array:
        """Latent points of images: what the encoder says, improved by `inversion_steps`.

        Inverted points lie inside the radius, and have no gradient with respect to the images.

        Parameters
        ----------
        images
            ``(n, c, *space)`` of the shape the space was trained on, finite, in [0, 1].

        Returns
        -------
        float64 ``(n, d)``.

        Raises
        ------
        ValueError
            For images of another shape, out of range or not finite.
        TypeError
            For a model without an encoder, unless the space inverts.
        """
        x = checked_images(images, self.image_shape)
        steps = self.inversion_steps
        z = inverted(self, x, steps) if steps else encoded(self.model, self.whitening, x)
        return like(images, z)

    def decode(self, z: Array) -> Array:
        """Images of latent points; differentiable for a tensor that requires a gradient.

        Parameters
        ----------
        z
            ``(n, d)``, or any other leading shape, such as the grid that `manifold` returns.

        Returns
        -------
        float32 ``(n, c, *space)`` in [0, 1].

        Raises
        ------
        ValueError
            For points of another width, or not finite.
        """
        points, device = self._points(z), device_of(self.model)
        rows = points.reshape(-1, self.latent_dim)
        with torch.set_grad_enabled(torch.is_grad_enabled() and rows.requires_grad):
            images = map_rows(
                lambda part: self.model.decode(self.whitening.to_code(part.to(device))).float(),
                rows,
                math.prod(self.image_shape),
            )
        return like(z, images.reshape(*points.shape[:-1], *self.image_shape))

    def analyse(self, images: AnyArray) -> Analysis:
        """Content and pose of images, by a model that keeps them apart, such as an rvae."""
        return analyse(self.model, self.whitening, images)

    # -- points ----------------------------------------------------------------------------------

    def sample(self, n: int, seed: int = 0, *, truncation: float = 1.0) -> Float[Tensor, "n d"]:
        """Standard normal draws inside the radius, float64; the same for the same seed.

        A ``truncation`` below 1 moves them to the mean by that factor, see `truncated`.
        """
        return truncated(self.project(normal_draws(n, self.latent_dim, seed)), truncation)

    def project(self, z: Array) -> Array:
        """The nearest points inside the radius: points beyond it move towards the origin."""
        norm = (points := self._points(z)).norm(dim=-1, keepdim=True).clamp_min(1e-12)
        return like(z, points * (self.radius / norm).clamp(max=1.0))

    def interpolate(self, a: Array, b: AnyArray, n: int, how: Way = "linear") -> Array:
        """``n`` equidistant points from a to b, both ``(d,)`` and both included: ``(n, d)``.

        Along a straight line, or (``"slerp"``) along an arc on which the norm changes evenly.

        Raises
        ------
        ValueError
            For another way, points of another width or not finite, or n below 2.
        """
        start, end = self._points(a).reshape(-1), self._points(b).reshape(-1)
        return like(a, path(start, end, n, how, numbers=self.latent_dim))

    def traverse(
        self, axis: int | str, n: int = 9, *, span: float | None = None, seed: int | None = None
    ) -> Float[Tensor, "n d"]:
        """Points along an axis, or a control by its name: see `latentopt.space.traverses`."""
        return traverse(self, axis, n, span=span, seed=seed)

    def manifold(
        self, axes: tuple[int, ...] = (0, 1), n: int = 9, *, span: float = 3.0
    ) -> Float[Tensor, "*grid d"]:
        """Grid of points over some axes, the others at 0: ``(n, n, d)`` for two axes.

        Each axis goes from -span to span standard deviations. A ``ValueError`` refuses axes that
        the space has not.
        """
        ticks = torch.linspace(-span, span, n, dtype=torch.float64)
        return grid(torch.zeros(self.latent_dim, dtype=torch.float64), axes, ticks)

    @property
    def controls(self) -> tuple[ControlMeaning, ...]:
        """What the control variables of its model came to mean; most models have none."""
        return meanings(self)

    # -- trust -----------------------------------------------------------------------------------

    def distance_from_data(self, z: Array) -> Array:
        """Distance to the nearest training structure, 1 being as near as they are to one another.

        Returns
        -------
        ``(n,)``, dimensionless: Euclidean distance in z over the median distance between a kept
        training structure and its nearest other.
        """
        points, spacing = self._points(z), self._spacing()
        nearest = nearest_distance(points.reshape(-1, self.latent_dim), self.reference_)
        return like(z, (nearest / spacing).reshape(points.shape[:-1]))

    def cycle_error(self, z: Array) -> Array:
        """Root-mean-square change of z when it is decoded and encoded again: ``(n,)``."""
        points = self._points(z).detach()
        rows = points.reshape(-1, self.latent_dim)
        change = (self.encode(self.decode(rows)) - rows).pow(2).mean(1).sqrt()
        return like(z, change.reshape(points.shape[:-1]))

    def _spacing(self) -> float:
        if not hasattr(self, "_spacing_"):
            self._spacing_ = median_spacing(self.reference_)
        return self._spacing_

    # -- Ax --------------------------------------------------------------------------------------

    @property
    def bounds(self) -> Float[Tensor, "2 d"]:
        """Lower and upper bound of each latent number: the data's range, at least -3 to 3."""
        return box_around(self.reference_)

    def ax_parameters(self) -> list[Any]:
        """Range parameters for ``Client.configure_experiment(parameters=...)``."""
        return range_parameters(self.bounds)

    def to_ax(self, z: AnyArray) -> list[dict[str, float]]:
        """Parameters of each latent point, by the names of `ax_parameters`."""
        return points_to_parameters(self._points(z).reshape(-1, self.latent_dim))

    def from_ax(
        self, parameters: Mapping[str, float] | Sequence[Mapping[str, float]]
    ) -> Float[Tensor, "*n d"]:
        """Latent points of Ax parameters, inside the radius: ``(d,)`` for one, ``(n, d)`` for more.

        A corner of the box is far outside the data, so points beyond the radius are projected.
        """
        return self.project(parameters_to_points(parameters, self.latent_dim))

    def _points(self, z: AnyArray) -> Tensor:
        return checked_points(z, self.latent_dim)
