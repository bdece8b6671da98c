"""`evalkit view`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from evalkit.cli.options import language_option


@click.command()
@click.argument("folder", metavar="[DIR]", type=click.Path(path_type=Path), required=False)
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="The port; default a free one.")
@click.option(
    "--open/--no-open", "opening", default=None, help="Open a browser; default where there is a terminal."
)
@language_option
def view(folder: Path | None, port: int, opening: bool | None, lang: str) -> int:
    """Show a folder of runs in the browser, live while a run goes on; default reports.

    Only this machine can open it, only with the printed address, and only to read. Ctrl-C ends it.
    """
    from evalkit.core.errors import UsageError
    from evalkit.pages.terminal.console import visible
    from evalkit.pages.view import make_server
    from evalkit.pages.view.folder import RunFolder
    from evalkit.running.workspace import open_workspace

    workspace = open_workspace()
    place = folder or workspace.root / "reports"
    if folder is not None and not place.is_dir():
        raise UsageError(f"{place} is no folder; make a run first: evalkit run")
    server = make_server(RunFolder(place, lang, workspace.facts, workspace.root), port)
    click.echo(server.address)
    waits = "" if place.is_dir() else ", which waits for the first run"
    click.echo(visible(f"shows {place}{waits}; Ctrl-C ends it"), err=True)
    if opening if opening is not None else sys.stdout.isatty():
        import webbrowser

        webbrowser.open(server.address)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        return 0
    finally:
        server.server_close()
    return 0
