"""The command ``latentopt serve``: spaces and campaigns over HTTP."""

import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latentopt.cli.options.serving import ServeOptions
from latentopt.errors import ConfigError
from latentopt.printing import print
from latentopt.settings.yaml_files import read_yaml

if TYPE_CHECKING:
    from latentopt.serve.spaces import Spaces

__all__ = ["check_installed", "serve", "serve_spaces"]


def serve(options: ServeOptions) -> None:
    """Serve until it is stopped; print the address with its token."""
    check_installed()
    from latentopt.serve.spaces import Spaces

    if not options.spaces and options.runs is None:
        raise ConfigError("name a space to serve, or a folder of campaigns with --runs.")
    if options.control and options.runs is None:
        raise ConfigError("--control goes with --runs, which names the campaigns.")
    if options.runs is not None and not options.runs.is_dir():
        raise ConfigError(f"--runs: {options.runs} is no folder.")
    serve_spaces(
        Spaces.load(options.spaces or ()),
        runs=options.runs,
        host=options.host,
        port=options.port,
        evaluate=_objectives(options.evaluate),
        control=options.control,
        ready=lambda line: print(line, flush=True),
    )


def serve_spaces(
    spaces: "Spaces",
    *,
    runs: Path | None,
    host: str,
    port: int,
    evaluate: Iterable[Any] | None = None,
    control: bool = False,
    ready: Callable[[str], None],
) -> None:
    """Serve until it is stopped; `ready` is called with the address once it answers."""
    from latentopt.serve.app import create_app, new_token
    from latentopt.serve.run_server import hosts_of, listening, serve_on

    token = new_token()
    # How each upload was read is no line of this command.
    logging.getLogger("generative.data").setLevel(logging.WARNING)
    with listening(host, port) as listener:
        port = listener.getsockname()[1]
        app = create_app(
            spaces,
            token=token,
            hosts=hosts_of(host, port),
            runs=runs,
            evaluate=evaluate,
            control=control,
        )
        name = f"[{host}]" if ":" in host else host
        serve_on(app, listener, lambda: ready(f"http://{name}:{port}/#token={token}"))


def check_installed() -> None:
    """Raise a `ConfigError` that says what to install, if it is not."""
    try:
        import fastapi  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            f"a service needs {error.name}: pip install 'latentopt[serve]'."
        ) from None


def _objectives(file: Path | None) -> Iterable[Any] | None:
    if file is None:
        return None
    found = read_yaml(file, keys="evaluate").get("evaluate")
    if not isinstance(found, list):
        raise ConfigError("should have a list evaluate, as a campaign has", file=file)
    return found
