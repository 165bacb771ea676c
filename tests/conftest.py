"""One torch thread, and array shapes checked at run time, for every test."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")

from jaxtyping import install_import_hook

# Annotations such as Float[Tensor, "n c *space"] are checked in tests; users do not pay for it.
install_import_hook(["generative", "latentopt", "objectives"], "beartype.beartype")

import torch  # noqa: E402  after the hook and the thread count

torch.set_num_threads(1)
