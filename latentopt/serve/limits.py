"""How much a request may ask for."""

from dataclasses import dataclass

__all__ = ["Limits"]


@dataclass(frozen=True)
class Limits:
    """Largest sizes that a service accepts; what is larger is refused before it costs anything.

    Parameters
    ----------
    body_bytes
        Of the body of a request, however it is sent.
    held_bytes
        Of the bodies of all requests that are being read or answered.
    rows
        Points or structures of a request.
    voxels
        Voxels of all structures of a request, in all channels.
    waiting
        Requests that wait for the thread that computes. One more is asked to come back.
    seconds
        From the moment a request is read to its answer.
    job_voxels
        Voxels of the structure of a job, in all channels.
    jobs
        Jobs that are kept, ended ones among them. The oldest ended ones are forgotten first.
    """

    body_bytes: int = 8 * 2**20
    held_bytes: int = 64 * 2**20
    rows: int = 64
    voxels: int = 2**24
    job_voxels: int = 2**20
    waiting: int = 512
    seconds: float = 60.0
    jobs: int = 256
