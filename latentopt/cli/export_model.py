"""`latentopt export-model`: a latent space for programs that have no torch."""

from generative.files.own_files import check_outputs
from latentopt.cli.options.spaces import ExportModelOptions
from latentopt.errors import ConfigError
from latentopt.onnx_models import DECODER, ENCODER, SIDECAR, export_onnx
from latentopt.printing import print
from latentopt.space.named import load_space

__all__ = ["export_model"]


def export_model(options: ExportModelOptions) -> None:
    """Write the files; print the size of each, and how far it is from the space."""
    out, overwrite = options.out, options.overwrite
    if options.format != "onnx":
        raise ConfigError(f"--format should be onnx, got {options.format!r}.")
    names = (DECODER, ENCODER, SIDECAR)
    check_outputs([out / name for name in names], inputs=[options.space], overwrite=overwrite)
    made = export_onnx(load_space(options.space), out, overwrite=overwrite)
    for name, data in made.files.items():
        print(
            f"{out / name}: {len(data) / 1e6:.1f} MB, differs from the space by at most "
            f"{made.differences[name]:.1e}"
        )
    for name, reason in made.left_out.items():
        print(f"{out / name}: not written, because {reason}")
    print(f"{out / SIDECAR}: space, shapes, radius and the sha256 of each file")
