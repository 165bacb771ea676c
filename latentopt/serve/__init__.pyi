from .app import create_app
from .client import Client, RemoteError, RemoteModel
from .limits import Limits

__all__ = [
    "Client",
    "Limits",
    "RemoteError",
    "RemoteModel",
    "create_app",
]
