"""The command ``latentopt serve``: spaces and campaigns over HTTP."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from latentopt.cli.options.serving import ServeOptions
from latentopt.errors import ConfigError
from latentopt.printing import print
from latentopt.settings.yaml_files import read_yaml

__all__ = ["check_installed", "serve"]


def serve(options: ServeOptions) -> None:
    """Serve until it is stopped; print the address with its token."""
    check_installed()
    from latentopt.serve.app import create_app, new_token
    from latentopt.serve.run_server import hosts_of, listening, serve_on
    from latentopt.serve.spaces import Spaces

    if not options.spaces and options.runs is None:
        raise ConfigError("name a space to serve, or a folder of campaigns with --runs.")
    if options.runs is not None and not options.runs.is_dir():
        raise ConfigError(f"--runs: {options.runs} is no folder.")
    spaces = Spaces.load(options.spaces or ())
    token = new_token()
    with listening(options.host, options.port) as listener:
        port = listener.getsockname()[1]
        app = create_app(
            spaces,
            token=token,
            hosts=hosts_of(options.host, port),
            runs=options.runs,
            evaluate=_objectives(options.evaluate),
        )
        name = f"[{options.host}]" if ":" in options.host else options.host
        line = f"http://{name}:{port}/#token={token}"
        serve_on(app, listener, lambda: print(line, flush=True))


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
