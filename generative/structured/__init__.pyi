from .rvae import RVAE

__all__ = ["RVAE"]
