"""A space that another process or machine serves, in Python."""

import http.client
import io
import json
import math
import time
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from generative.files.json_text import parse_json
from latentopt.errors import CampaignError
from latentopt.printable import one_line
from latentopt.simulators.http_exchange import Answer, exchange
from latentopt.space.classes import Classes, checked_classes
from latentopt.space.latent_space import LatentSpace
from latentopt.space.whitening import Whitening
from objectives.arrays import Array, as_tensor

__all__ = ["Client", "RemoteError", "RemoteModel"]

ROWS = 64  # of a request
BODY_BYTES = 8 * 2**20  # of a request
_HEADER_BYTES = 1024  # of an NPY file, at most
MOST_BYTES = 2**30  # of an answer
NPY = "application/x-npy"
LATER = (429, 503)


class RemoteError(CampaignError):
    """A service refused a request, or did not answer: a campaign in its space cannot go on."""


class Client:
    """The requests of one service.

    Parameters
    ----------
    url
        What ``latentopt serve`` printed, with its ``#token=`` or without.
    token
        The token, where `url` has none.
    seconds
        That a request may take.
    retries
        How often a request is sent again to a service that is busy.

    Examples
    --------
    ::

        client = Client("http://127.0.0.1:8000/#token=...")
        space = client.space()
        images = space.decode(space.sample(4))
    """

    def __init__(
        self, url: str, token: str | None = None, *, seconds: float = 60.0, retries: int = 5
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise ValueError(f"url should begin with http:// or https://, got {url!r:.80}.")
        found = parts.fragment.removeprefix("token=") if parts.fragment else None
        self.address = f"{parts.scheme}://{parts.netloc}"
        self._token = token or found
        if not self._token:
            raise ValueError(
                "a service asks for its token: give the whole address that latentopt serve "
                "printed, or token=..."
            )
        self.seconds, self.retries = seconds, retries

    def __repr__(self) -> str:
        return f"<Client of {self.address}>"

    def spaces(self) -> list[dict[str, Any]]:
        """What is said of each space that is served."""
        return self.json("GET", "/v1/spaces")

    def model(self, id: str | None = None) -> "RemoteModel":
        """A served space as a model; the only one, or that of an id.

        Raises
        ------
        RemoteError
            There is no such space, or none is named and there are several.
        """
        try:
            spaces = {str(one["id"]): one for one in self.spaces()}
        except (TypeError, KeyError):
            raise RemoteError(f"{self.address} answered no list of spaces.") from None
        if id is None and len(spaces) == 1:
            (id,) = spaces
        if id not in spaces:
            raise RemoteError(
                f"{self.address} serves {', '.join(spaces) or 'no spaces'}; name one of them by "
                "its id."
            )
        return RemoteModel(self, spaces[id])

    def space(self, id: str | None = None) -> LatentSpace:
        """A served space with its radius, reference points and classes, as a campaign takes it."""
        model = self.model(id)
        path = f"/v1/spaces/{quote(model.id, safe='')}/reference"
        reference = self.array("GET", path)
        reference = self.checked(reference, (len(reference), model.latent_dim)).astype(np.float64)
        return LatentSpace(
            model,
            Whitening.identity(model.latent_dim),
            reference=torch.from_numpy(reference),
            radius=model.radius,
            classes=self._classes(f"{path}/classes", len(reference)) if model.class_names else None,
        )

    def json(self, method: str, path: str, content: Any = None) -> Any:
        """The JSON that a request is answered; a `RemoteError` if it is refused."""
        answer = self._asked(method, path, _body(content), "application/json")
        try:
            return parse_json(answer.body)
        except ValueError as error:
            raise RemoteError(f"{self.address} answered no JSON ({one_line(error)}).") from None

    def array(self, method: str, path: str, content: Any = None) -> np.ndarray:
        """The array that a request is answered; bytes are sent as they are."""
        answer = self._asked(method, path, _body(content), NPY)
        try:
            file = io.BytesIO(answer.body)
            return np.lib.format.read_array(file, allow_pickle=False)
        except (ValueError, EOFError, OSError, MemoryError) as error:
            raise RemoteError(f"{self.address} answered no array ({one_line(error)}).") from None

    def checked(self, found: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """An array that was answered, if it is of finite floats and of this shape."""
        if found.shape != shape or found.dtype.kind != "f" or not np.isfinite(found).all():
            raise RemoteError(
                f"{self.address} should answer finite floats of shape {shape}, got {found.dtype} "
                f"of shape {found.shape}."
            )
        return found

    def _classes(self, path: str, points: int) -> Classes | None:
        found = self.json("GET", path)
        try:
            labels = torch.tensor(found["labels"], dtype=torch.int64)
            return checked_classes(Classes(labels, tuple(found["class_names"])), points)
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise RemoteError(f"{self.address} answered no classes ({one_line(error)}).") from None

    def _asked(self, method: str, path: str, body: bytes | None, accept: str) -> Answer:
        headers = {"Authorization": f"Bearer {self._token}", "Accept": accept}
        if body is not None:
            headers["Content-Type"] = "application/json"
        request = urllib.request.Request(
            self.address + path, data=body, headers=headers, method=method
        )
        wait, problem = 0.2, ""
        for _ in range(self.retries + 1):
            try:
                answer = exchange(request, self.seconds, MOST_BYTES)
            except (OSError, http.client.HTTPException) as error:
                text = one_line(getattr(error, "reason", error)) or type(error).__name__
                raise RemoteError(f"{self.address} does not answer: {text}.") from None
            if 200 <= answer.status < 300:
                return answer
            problem = f"{answer.status} {_reason(answer)}"
            if answer.status not in LATER:
                break
            time.sleep(wait)
            wait *= 2
        raise RemoteError(f"{self.address}{path}: {problem}.")


class RemoteModel:
    """A decoder and encoder of latent points, behind a service.

    Its codes are the whitened points of the served space. There are no gradients through it.

    Parameters
    ----------
    client
        Sends the requests.
    summary
        What the service says of the space.

    Attributes
    ----------
    class_names
        Names of the classes of its training structures; those of earlier services have none.
    """

    def __init__(self, client: Client, summary: Mapping[str, Any]) -> None:
        try:
            self.client, self.id = client, str(summary["id"])
            self.kind = f"remote {summary['kind']}"
            self.latent_dim = int(summary["latent_dim"])
            self.image_shape = tuple(int(side) for side in summary["image_shape"])
            self.radius = float(summary["radius"])
            self.class_names = tuple(map(str, summary.get("class_names", ())))
            self._rows = int(summary.get("most_rows", ROWS))
            self._bytes = int(summary.get("most_bytes", BODY_BYTES))
        except (TypeError, KeyError, ValueError, OverflowError) as error:
            raise RemoteError(f"{client.address} describes no space ({one_line(error)}).") from None
        sizes = (self.latent_dim, *self.image_shape, self._rows, self._bytes)
        if min(sizes) < 1 or len(self.image_shape) not in (3, 4) or not 0 < self.radius < np.inf:
            raise RemoteError(
                f"{client.address} describes a space of {self.latent_dim} dimensions, images "
                f"{self.image_shape} and radius {self.radius}."
            )

    def decode(self, code: Float[Tensor, "n d"]) -> Float[Tensor, "n c *space"]:
        """Images in [0, 1] of points; without gradient.

        Raises
        ------
        RemoteError
            The service refuses them, or does not answer.
        TypeError
            A gradient is asked for.
        """
        if torch.is_grad_enabled() and code.requires_grad:
            raise TypeError(
                "a served space decodes without a gradient; use the folder of the space where "
                "gradients are needed."
            )
        path = f"/v1/spaces/{quote(self.id, safe='')}/decode"
        rows = [
            self.client.checked(
                self.client.array("POST", path, {"z": part.detach().cpu().double().tolist()}),
                (len(part), *self.image_shape),
            ).astype(np.float32)
            for part in code.split(self._rows)
            if len(part)
        ]
        if any(part.min() < 0 or part.max() > 1 for part in rows):
            raise RemoteError(f"{self.client.address} answered images that are not in [0, 1].")
        empty = np.zeros((0, *self.image_shape), np.float32)
        return torch.from_numpy(np.concatenate([empty, *rows]))

    def encode(self, images: Array) -> Float[Tensor, "n d"]:
        """Points of images ``(n, c, *space)`` in [0, 1], float32.

        Raises
        ------
        RemoteError
            The service refuses them, has no encoder, or does not answer.
        """
        path = f"/v1/spaces/{quote(self.id, safe='')}/encode?decoded=true"
        x = as_tensor(images, integers=torch.float32).detach().cpu().float()
        rows = [
            self.client.checked(
                self.client.array("POST", path, _npy(part)), (len(part), self.latent_dim)
            )
            for part in x.split(self._images())
            if len(part)
        ]
        empty: Float64[np.ndarray, "0 d"] = np.zeros((0, self.latent_dim))
        return torch.from_numpy(np.concatenate([empty, *rows])).float()

    def _images(self) -> int:
        """Images of a request."""
        of_one = 4 * math.prod(self.image_shape)
        if (most := (self._bytes - _HEADER_BYTES) // of_one) < 1:
            raise RemoteError(
                f"{self.client.address} takes {self._bytes} bytes at a time, and an image of this "
                f"space has {of_one}; encode it by the folder of the space."
            )
        return min(self._rows, most)


def _npy(images: Tensor) -> bytes:
    file = io.BytesIO()
    np.save(file, images.numpy(), allow_pickle=False)
    return file.getvalue()


def _body(content: Any) -> bytes | None:
    if content is None or isinstance(content, bytes):
        return content
    return json.dumps(content, allow_nan=False).encode()


def _reason(answer: Answer) -> str:
    try:
        detail = parse_json(answer.body)["detail"]
    except (ValueError, KeyError, TypeError):
        detail = answer.reason
    return one_line(detail).rstrip(".")
