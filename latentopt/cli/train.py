"""The command ``latentopt train``: images become a latent space."""

from functools import partial
from typing import Any

import typer

from latentopt.cli.options.spaces import TrainOptions
from latentopt.cli.reading import read_limits
from latentopt.printing import print
from latentopt.training.settings import TrainingSettings
from latentopt.training.train_space import train_space

__all__ = ["train"]


def train(options: TrainOptions) -> None:
    """Train a space and say where it is."""
    config, out = options.config, options.out
    if options.source is None and config is None:
        raise typer.BadParameter("give a folder or file of images, or --config.")
    read = TrainingSettings.checked if config is None else partial(TrainingSettings.read, config)
    inputs = [] if config is None else [config]
    settings = read(_changes(options))
    space = train_space(settings, out, inputs=inputs, overwrite=options.overwrite)
    size = "x".join(map(str, space.image_shape[1:]))
    print(f"{out}: a space of {space.latent_dim} numbers for {size} images; see {out}/README.md")


def _changes(options: TrainOptions) -> dict[str, Any]:
    """The settings that options give, in place of those of the file."""
    limits = read_limits(options.limit)
    data = _given(
        patch=options.patch, grey=options.grey, axes=options.axes, limits=limits and vars(limits)
    )
    if options.source is not None:
        data |= {"kind": "files", "path": str(options.source)}
    training = _given(steps=options.steps, seed=options.seed)
    return _given(data=data or None, training=training or None, model=options.model)


def _given(**options: Any) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}
