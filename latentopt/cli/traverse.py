"""The command ``latentopt traverse``: what the control variables of a space do."""

from generative.data.outputs import check_outputs
from latentopt.cli.options.spaces import TraverseOptions
from latentopt.cli.spaces import print_table
from latentopt.errors import ConfigError
from latentopt.fidelity.traverse_picture import traverse_picture
from latentopt.files import output_file
from latentopt.printing import print
from latentopt.space.control_meanings import cells_of, legend
from latentopt.space.named import load_space

__all__ = ["traverse"]


def traverse(options: TraverseOptions) -> None:
    """Write a picture, and print what each control means."""
    out, overwrite = options.out, options.overwrite
    check_outputs([out], inputs=[options.space], overwrite=overwrite)
    space = load_space(options.space)
    try:
        picture = traverse_picture(space, options.n, seed=options.seed)
    except ValueError as error:
        raise ConfigError(f"{options.space}: {error}") from None
    with output_file(out, overwrite=overwrite) as file:
        file.write(picture)
    print_table(cells_of(space.controls))
    print(legend())
    print(out)
