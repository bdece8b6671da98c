"""`evalkit view`: a folder of runs in the browser, live while a run goes on, read only, on this machine."""

from evalkit.pages.view.server import ViewServer, make_server

__all__ = ["ViewServer", "make_server"]
