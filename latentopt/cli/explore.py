"""`latentopt explore --static`: a page in which a space is explored without a server."""

from generative.files.own_files import check_outputs
from latentopt.cli.options.spaces import ExploreOptions
from latentopt.files import output_file
from latentopt.printing import print
from latentopt.space.named import load_space
from latentopt.static_explorer import static_page

__all__ = ["explore"]


def explore(options: ExploreOptions) -> None:
    """Write the page."""
    out, overwrite = options.static, options.overwrite
    check_outputs([out], inputs=[options.space], overwrite=overwrite)
    page = static_page(load_space(options.space)).encode()
    with output_file(out, overwrite=overwrite) as file:
        file.write(page)
    print(f"{out}: {len(page) / 1e6:.1f} MB; open it in a browser, it needs no server")
