"""The network under every call to a served model: one pooled aiohttp session, and notes of what went over it.

What is sent, by whom and in which dialect is no matter here. The `Exchange` of a call says what really
happened, so that errors are judged by facts and not by what a library made of them.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import time
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from evalkit.core.redaction import learn_sent

__all__ = ["Exchange", "Recorded", "Wire", "WireError", "current_exchange", "tls"]

CONNECT_TIMEOUT_S = 15.0
_KEEPALIVE_S = 25.0

WireFault = Literal["connection", "invalid_response", "redirect", "timeout"]


class WireError(Exception):
    """No usable HTTP reply: `kind` says whether the connection failed or the reply made no sense."""

    def __init__(self, message: str, kind: WireFault) -> None:
        super().__init__(message)
        self.kind: WireFault = kind


@dataclass(slots=True)
class Exchange:
    """What one call sent and got, written by the wire and by the transport above it."""

    observed: bool = False
    """Whether the call goes over our wire; if not, what follows stays empty whatever happens."""
    deadline_s: float | None = None
    """Seconds that the call may take; None without a limit."""
    reached: bool = False
    """Whether LiteLLM handed us a request, sent or not."""
    sent: float | None = None
    """When the request was sent (`time.perf_counter`); None when it never was."""
    done: float | None = None
    """When its last byte arrived; None until then."""
    status: int | None = None
    """The HTTP status; None without a reply."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """The reply's headers, lower case."""
    body: bytes = b""
    """The reply's body, of failed calls only."""
    reply_body: bytes | None = None
    """The reply's body, of good calls only; None where the call was not seen, or failed."""
    url: str = ""
    """Where the request went."""
    fault: WireError | None = None
    """Why there is no reply that can be used; None when there is one, or none was asked for."""
    broken: Exception | None = None
    """What went wrong in our own transport; None in all calls, one hopes."""

    @property
    def seconds(self) -> float | None:
        """From sending to the last byte; None when there was no reply."""
        return None if self.sent is None or self.done is None else self.done - self.sent

    @property
    def answered(self) -> bool:
        """Whether a reply of a good status arrived whole: it has been paid for."""
        return self.status is not None and self.status < 300 and self.fault is None

    def clear(self) -> None:
        """Nothing; forgets what was noted, for another attempt under the same deadline."""
        self.reached, self.sent, self.done, self.status = False, None, None, None
        self.headers, self.body, self.reply_body = {}, b"", None
        self.url, self.fault, self.broken = "", None, None


@dataclass(slots=True)
class Recorded:
    """A reply that came over the wire, to be translated once more without another call."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    sent: float | None = None
    done: float | None = None


current_exchange: ContextVar[Exchange | None] = ContextVar("evalkit_exchange", default=None)
"""The exchange of the call that the running task makes."""


class Wire:
    """A pool of connections to a model's server, bound to the event loop that first uses it."""

    def __init__(self, user_agent: str) -> None:
        self._user_agent = user_agent
        self._session: Any = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes,
        *,
        connect_s: float | None = None,
        read_s: float | None = None,
    ) -> Recorded:
        """The reply, with its headers in lower case; one attempt, no redirects.

        `connect_s` bounds the connecting, `read_s` the silence between two pieces of the reply; None leaves
        the usual bound, or none. What is sent and received is noted in the running call's exchange. Raises
        WireError when the connection fails, breaks off, is silent too long, or the server sends us elsewhere.
        """
        exchange = current_exchange.get() or Exchange()
        exchange.status, exchange.headers, exchange.body, exchange.reply_body = None, {}, b"", None
        reply = await self._send(method, url, headers, body, exchange, connect_s, read_s)
        note(exchange, reply)
        return reply

    async def _send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes,
        exchange: Exchange,
        connect_s: float | None,
        read_s: float | None,
    ) -> Recorded:
        import aiohttp

        session = self._open(url)
        patience = aiohttp.ClientTimeout(
            total=None, sock_connect=min(connect_s or CONNECT_TIMEOUT_S, CONNECT_TIMEOUT_S), sock_read=read_s
        )
        learn_sent(headers)
        exchange.sent, exchange.done, exchange.url = time.perf_counter(), None, url
        try:
            async with session.request(
                method, url, data=body or None, headers=headers, allow_redirects=False, timeout=patience
            ) as reply:
                content: bytes = await reply.read()
                got = {name.lower(): value for name, value in reply.headers.items()}
                status: int = reply.status
        except aiohttp.SocketTimeoutError as error:
            raise WireError(f"no answer within {read_s:g} s", "timeout") from error
        except aiohttp.ClientPayloadError as error:
            raise WireError(f"the reply broke off: {error}", "connection") from error
        except aiohttp.InvalidURL as error:
            raise WireError(f"{url!r} is no address", "connection") from error
        except (aiohttp.ClientError, OSError) as error:
            raise WireError(f"{_host(url)}: {_reason(error)}", "connection") from error
        exchange.done = time.perf_counter()
        return Recorded(status, got, content, exchange.sent, exchange.done)

    async def aclose(self) -> None:
        """Nothing; closes the connections."""
        session, self._session, self._loop = self._session, None, None
        if session is not None:
            await session.close()
            await asyncio.sleep(0)  # lets the transports finish, else they warn

    def _open(self, url: str) -> Any:
        """The session of the running loop."""
        import aiohttp

        loop = asyncio.get_running_loop()
        if self._session is not None and self._loop is loop:
            return self._session
        self._loop = loop
        host = urlsplit(url).hostname or ""
        connector = aiohttp.TCPConnector(
            limit=0,  # the runner's limiter decides how many calls are in flight
            ssl=tls() if url.startswith("https") else False,
            keepalive_timeout=_KEEPALIVE_S,
            ttl_dns_cache=300,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            headers={"User-Agent": self._user_agent},
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=host not in ("127.0.0.1", "localhost", "::1"),  # proxies are for the world outside
            skip_auto_headers=("Content-Type",),
        )
        return self._session


def note(exchange: Exchange, reply: Recorded) -> None:
    """Nothing; the exchange says what the reply is. Raises WireError for one that sends us elsewhere."""
    exchange.sent, exchange.done = reply.sent, reply.done
    exchange.status, exchange.headers = reply.status, reply.headers
    if reply.status < 300:
        exchange.reply_body = reply.body
    else:
        exchange.body = reply.body
    if 300 <= reply.status < 400:
        target = reply.headers.get("location", "elsewhere")
        raise WireError(f"the server redirects to {target}; write that address as api_base", "redirect")


@lru_cache(maxsize=1)
def tls() -> ssl.SSLContext:
    """The TLS settings: the system's authorities, or certifi's where the system has none.

    `SSL_CERT_FILE` and `SSL_CERT_DIR` are OpenSSL's; `SSL_VERIFY` (false, or a file of authorities) and
    `SSL_CERTIFICATE` (our own certificate, for servers that want one) are LiteLLM's, and mean the same here.
    """
    verify = os.environ.get("SSL_VERIFY", "").strip()
    context = ssl.create_default_context()
    if verify.lower() in ("false", "0", "no"):
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    elif verify and Path(verify).is_file():
        context.load_verify_locations(verify)
    elif not context.get_ca_certs() and not any(ssl.get_default_verify_paths()[:2]):
        import certifi

        context.load_verify_locations(certifi.where())
    own = os.environ.get("SSL_CERTIFICATE", "").strip()
    if own and Path(own).is_file():
        context.load_cert_chain(own)
    return context


def _host(url: str) -> str:
    """The address without path and query."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _reason(error: BaseException) -> str:
    """Why a connection failed, in few words."""
    import aiohttp

    inner = getattr(error, "os_error", None) or error
    if isinstance(inner, ConnectionRefusedError):
        return "connection refused; is the server running?"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "the server closed the connection"
    if isinstance(inner, ConnectionResetError):
        return "connection reset"
    if isinstance(error, aiohttp.ConnectionTimeoutError | aiohttp.ServerTimeoutError):
        return f"no connection within {CONNECT_TIMEOUT_S:g} s"
    text = getattr(inner, "strerror", None) or str(inner) or type(inner).__name__
    return f"cannot connect: {text}"
