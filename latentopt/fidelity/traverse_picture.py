"""The control variables of a space as a picture: a row of structures for each."""

import numpy as np
from scipy.special import erf

from latentopt.microstructure import to_phases
from latentopt.pictures import image_grid_png
from latentopt.space.latent_space import LatentSpace
from latentopt.space.traverses import controls_of, traverse

__all__ = ["CONTROLS_PICTURE", "traverse_picture"]

CONTROLS_PICTURE = "controls.png"


def traverse_picture(space: LatentSpace, n: int = 9, *, seed: int = 0) -> bytes:
    """One sample, moved along each control of the model in turn.

    Parameters
    ----------
    space
        Its model has controls.
    n
        Structures in a row, for a continuous control from low to high.
    seed
        Of the sample.

    Returns
    -------
    PNG file, phases in colour; volumes as their middle slices. A row of categories ends with
    empty places, or goes on in the next one.

    Raises
    ------
    ValueError
        For a model without controls, or n below 2.
    """
    controls = controls_of(space.model)
    if not controls:
        raise ValueError("the model of this space has no controls; train one of model infogan.")
    images, titles = [], []
    for control in controls:
        z = traverse(space, control.name, n, seed=seed)
        structures = to_phases(space.decode(z).detach()).cpu().numpy()
        shown = [one if one.ndim == 2 else one[len(one) // 2] for one in structures]
        if control.categories:
            names = [str(i + 1) for i in range(len(shown))]
        else:
            values = erf(z[:, control.numbers[0]].numpy() / np.sqrt(2))
            names = [f"{value:.2f}" for value in values]
        empty = -len(shown) % n
        images += shown + [np.ones(shown[0].shape)] * empty  # white
        titles += [f"{control.name}: {name}" for name in names] + [""] * empty
    return image_grid_png(images, titles, columns=n)
