"""What a training begins from instead of random weights: another model, or a file."""

from pathlib import Path

from generative.errors import ModelFileError
from generative.model import Model
from latentopt.errors import ConfigError
from latentopt.space.embedded import EMBEDDED
from latentopt.space.named import load_space


def source_of(begin_from: str) -> Model | Path:
    """The model of a space, or a file of weights.

    Parameters
    ----------
    begin_from
        Folder of a space, the name of one that comes with the package, or a file.

    Raises
    ------
    ConfigError
        For a space around a model that is none of ours.
    ModelFileError
        For a folder that cannot be read, or what is not there.
    """
    path = Path(begin_from)
    if begin_from in EMBEDDED or path.is_dir():
        model = load_space(begin_from).model
        if not isinstance(model, Model):
            raise ConfigError(
                f"{begin_from} holds a {type(model).__name__}, which is not a model of "
                "generative.MODELS.",
                at="train.begin_from",
            )
        return model
    if not path.exists():
        raise ModelFileError(f"{path}: no such file or folder; check begin_from.")
    return path


def check_first_weights(model: Model, source: Model | Path) -> None:
    """Refuse first weights that a model does not take, before the training.

    Raises
    ------
    ConfigError
        For weights of another kind of model, or for other images.
    ModelFileError
        For a file that does not hold what the model needs.
    """
    try:
        model.begin(source)
    except ModelFileError:
        raise
    except ValueError as error:
        raise ConfigError(str(error), at="train.begin_from") from error
