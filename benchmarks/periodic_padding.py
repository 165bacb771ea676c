"""Periodic convolutions: time of our padding and its gradient over torch's own, in turns.

python benchmarks/periodic_padding.py

A convolution of kernel 3, forward and backward, on one thread. The control is a convolution padded
with zeros, which costs neither.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import copy
import time

import torch
from torch import nn

from objectives.convolutions import sound

LAYERS = {2: nn.Conv2d, 3: nn.Conv3d}
LAST = {2: torch.channels_last, 3: torch.channels_last_3d}
CASES = ((16, (64, 64)), (32, (32, 32)), (64, (16, 16)), (16, (21, 21, 21)), (32, (16, 16, 16)))
TURNS = 15


def seconds(layer: nn.Module, x: torch.Tensor) -> float:
    """Processor time of an answer and its gradient."""
    started = time.process_time()
    layer(x).sum().backward()
    return time.process_time() - started


def main() -> None:
    torch.set_num_threads(1)
    print(
        f"{'channels, image':<24}{'layout':<14}{'torch, ms':>10}{'ours / torch':>14}"
        f"{'zeros / torch':>15}"
    )
    for channels, shape in CASES:
        dims = len(shape)
        own = LAYERS[dims](channels, channels, 3, padding=1, padding_mode="circular")
        zeros = LAYERS[dims](channels, channels, 3, padding=1)
        layers = {"torch": own, "ours": sound(copy.deepcopy(own)), "zeros": zeros}
        images = torch.rand(16, channels, *shape)
        torch.testing.assert_close(layers["ours"](images), own(images))
        for name, layout in (("first", torch.contiguous_format), ("last", LAST[dims])):
            x = images.contiguous(memory_format=layout).requires_grad_()
            best = dict.fromkeys(layers, float("inf"))
            for _ in range(TURNS):
                for kind, layer in layers.items():
                    best[kind] = min(best[kind], seconds(layer, x))
            print(
                f"{channels:>3}, {'x'.join(map(str, shape)):<19}channels {name:<5}"
                f"{1000 * best['torch']:>10.1f}{best['ours'] / best['torch']:>14.2f}"
                f"{best['zeros'] / best['torch']:>15.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
