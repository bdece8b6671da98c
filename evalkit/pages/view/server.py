"""The server behind `evalkit view`: loopback only, a secret in the address, read only.

A page of another site can make the browser send requests to 127.0.0.1, and can make its own name lead there.
So a request is answered only when it names this server as its host, comes from no other origin, and knows the
secret.
"""

from __future__ import annotations

import hmac
import secrets
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

from evalkit.core.errors import EvalkitError, UsageError
from evalkit.pages.view.folder import RunFolder

_HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_AGAIN_S = 2
"""Seconds after which the browser asks again for a page whose run goes on."""
_IDLE_S = 5
"""The same for the list of runs when none goes on: one may begin."""


class ViewServer(ThreadingHTTPServer):
    """Serves the pages of a folder on 127.0.0.1."""

    daemon_threads = True

    def __init__(self, folder: RunFolder, port: int) -> None:
        self.folder = folder
        self.secret = secrets.token_urlsafe(24)
        super().__init__(("127.0.0.1", port), _Handler)

    @property
    def address(self) -> str:
        """The address to open; it holds the secret."""
        return f"http://127.0.0.1:{self.server_port}/{self.secret}/"

    @property
    def hosts(self) -> frozenset[str]:
        """The names by which a browser may address this server."""
        return frozenset(f"{name}:{self.server_port}" for name in ("127.0.0.1", "localhost"))


def make_server(folder: RunFolder, port: int = 0) -> ViewServer:
    """A server that listens; 0 takes a free port. Raises UsageError when the port cannot be had."""
    try:
        return ViewServer(folder, port)
    except OSError as error:
        raise UsageError(
            f"port {port} cannot be used: {error.strerror}; leave out --port, or name another"
        ) from error


class _Handler(BaseHTTPRequestHandler):
    server: ViewServer
    server_version = "evalkit"
    sys_version = ""
    timeout = 30

    def do_GET(self) -> None:
        """Answer with a page."""
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        """Answer as GET would, without the page."""
        self._answer(with_body=False)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the address holds the secret."""

    def _answer(self, *, with_body: bool) -> None:
        hosts = self.server.hosts
        origin = self.headers.get("Origin")
        if self.headers.get("Host") not in hosts or (origin and urlsplit(origin).netloc not in hosts):
            return self._send(HTTPStatus.FORBIDDEN, "This server answers its own pages only.", with_body)
        _, _, rest = self.path.partition("/")
        secret, slash, path = rest.partition("/")
        if not hmac.compare_digest(secret.encode(), self.server.secret.encode()):
            return self._send(HTTPStatus.FORBIDDEN, "Open the address that evalkit view printed.", with_body)
        if not slash:
            return self._send(HTTPStatus.NOT_FOUND, "There is no such page.", with_body)
        run, _, name = unquote(urlsplit(path).path).rpartition("/")
        try:
            page = self.server.folder.page(run, name)
        except EvalkitError as error:
            return self._send(HTTPStatus.SERVICE_UNAVAILABLE, str(error), with_body, again=_AGAIN_S)
        except Exception as error:  # a defect, told where the user looks; the server goes on
            text = f"{type(error).__name__}: this is a defect of evalkit. Please report it."
            return self._send(HTTPStatus.INTERNAL_SERVER_ERROR, text, with_body)
        if page is None:
            return self._send(HTTPStatus.NOT_FOUND, "There is no such page.", with_body)
        again = _AGAIN_S if page.going_on else _IDLE_S if not run and not name else None
        return self._send(HTTPStatus.OK, page.html, with_body, kind="text/html", again=again)

    def _send(
        self,
        status: HTTPStatus,
        text: str,
        with_body: bool,
        *,
        kind: str = "text/plain",
        again: int | None = None,
    ) -> None:
        body = text.encode(errors="replace")
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        if again is not None:
            self.send_header("Refresh", str(again))
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        self.end_headers()
        if with_body:
            self.wfile.write(body)
