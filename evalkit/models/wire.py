"""HTTP for LiteLLM: one pooled aiohttp session per model, under whichever client LiteLLM wants to call.

LiteLLM translates requests and replies; with its own clients it also opens a connection per text completion,
retries in secret, and forgets headers. Here it is handed a client that does nothing but send, and that
notes what really went over the wire (`Exchange`), so that errors are judged by facts.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal
from urllib.parse import urlsplit

import orjson

__all__ = ["Exchange", "Wire", "WireError", "current_exchange", "lite_client", "tls"]

_CONNECT_TIMEOUT_S = 15.0
_KEEPALIVE_S = 25.0

WireFault = Literal["connection", "invalid_response", "redirect"]


class WireError(Exception):
    """No usable HTTP reply: `kind` says whether the connection failed or the reply made no sense."""

    def __init__(self, message: str, kind: WireFault) -> None:
        super().__init__(message)
        self.kind: WireFault = kind


@dataclass(slots=True)
class Exchange:
    """What one call sent and got, written by the wire."""

    observed: bool = False
    """Whether the call goes over our wire; if not, what follows stays empty whatever happens."""
    deadline_s: float | None = None
    """Seconds that the call may take; None without a limit."""
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

    @property
    def seconds(self) -> float | None:
        """From sending to the last byte; None when there was no reply."""
        return None if self.sent is None or self.done is None else self.done - self.sent


@dataclass(slots=True)
class Recorded:
    """A reply that came over the wire, to be translated once more without another call."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    sent: float | None
    done: float | None


@dataclass(slots=True)
class Tap:
    """Sits on the wire of one call that LiteLLM makes: notes what is sent, and may keep it from going out."""

    sends: bool = True
    """Whether the request goes out; if not, and without `replay`, the call fails once it is noted."""
    replay: Recorded | WireError | None = None
    """What is returned, or raised, in place of the network's answer; None to ask the network."""
    request: tuple[str, Mapping[str, str], bytes] | None = None
    """(url, headers, body) that LiteLLM wanted to send; None until then."""
    reply: Recorded | None = None
    """What the network answered; None without an answer."""


current_tap: ContextVar[Tap | None] = ContextVar("evalkit_tap", default=None)
"""The tap on the call that the running task makes; None for most calls."""

current_exchange: ContextVar[Exchange | None] = ContextVar("evalkit_exchange", default=None)
"""The exchange of the call that the running task makes."""


class Wire:
    """A pool of connections to a model's server, bound to the event loop that first uses it."""

    def __init__(self, user_agent: str) -> None:
        self._user_agent = user_agent
        self._session: Any = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def post(
        self, url: str, body: bytes, headers: Mapping[str, str]
    ) -> tuple[int, dict[str, str], bytes]:
        """(status, headers in lower case, body) of a POST; one attempt, no redirects.

        Raises WireError when the connection fails, breaks off, or is sent elsewhere.
        """
        exchange = current_exchange.get() or Exchange()
        exchange.status, exchange.headers, exchange.body = None, {}, b""
        tap = current_tap.get()
        if tap is None:
            status, got, content = await self._send(url, body, headers, exchange)
        else:
            tap.request = (url, dict(headers), body)
            if isinstance(tap.replay, WireError):
                raise tap.replay
            if tap.replay is not None:
                kept = tap.replay
                status, got, content = kept.status, dict(kept.headers), kept.body
                exchange.sent, exchange.done = kept.sent, kept.done
            elif tap.sends:
                status, got, content = await self._send(url, body, headers, exchange)
                tap.reply = Recorded(status, got, content, exchange.sent, exchange.done)
            else:
                raise WireError("the request was noted and not sent", "connection")
        exchange.status, exchange.headers = status, got
        if 300 <= status < 400:
            target = got.get("location", "elsewhere")
            raise WireError(f"the server redirects to {target}; write that address as api_base", "redirect")
        if status >= 400:
            exchange.body = content
        return status, got, content

    async def _send(
        self, url: str, body: bytes, headers: Mapping[str, str], exchange: Exchange
    ) -> tuple[int, dict[str, str], bytes]:
        """(status, headers in lower case, body) from the network."""
        import aiohttp

        session = self._open(url)
        exchange.sent, exchange.done = time.perf_counter(), None
        try:
            async with session.post(url, data=body, headers=headers, allow_redirects=False) as reply:
                content: bytes = await reply.read()
                got = {name.lower(): value for name, value in reply.headers.items()}
                status: int = reply.status
        except aiohttp.ClientPayloadError as error:
            raise WireError(f"the reply broke off: {error}", "connection") from error
        except aiohttp.InvalidURL as error:
            raise WireError(f"{url!r} is no address", "connection") from error
        except (aiohttp.ClientError, OSError) as error:
            raise WireError(f"{_host(url)}: {_reason(error)}", "connection") from error
        exchange.done = time.perf_counter()
        return status, got, content

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
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_TIMEOUT_S),
            headers={"User-Agent": self._user_agent},
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=host not in ("127.0.0.1", "localhost", "::1"),  # proxies are for the world outside
            skip_auto_headers=("Content-Type",),
        )
        return self._session


@lru_cache(maxsize=1)
def tls() -> ssl.SSLContext:
    """The TLS settings: the system's authorities, or certifi's where the system has none."""
    context = ssl.create_default_context()
    if not context.get_ca_certs() and not any(ssl.get_default_verify_paths()[:2]):
        import certifi

        context.load_verify_locations(certifi.where())
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
        return f"no connection within {_CONNECT_TIMEOUT_S:g} s"
    text = getattr(inner, "strerror", None) or str(inner) or type(inner).__name__
    return f"cannot connect: {text}"


def lite_client(wire: Wire, base_url: str | None, api_key: str | None) -> Any:
    """A client for LiteLLM's `client=` that sends over `wire`.

    It serves both of LiteLLM's ways: as an AsyncHTTPHandler (`post`) for providers that LiteLLM translates
    itself, and as an AsyncOpenAI (`chat.completions`, `completions`, `embeddings`) for those
    it leaves to OpenAI's SDK.
    """
    return _client_class()(wire, base_url, api_key)


@lru_cache(maxsize=1)
def _client_class() -> Any:
    """The class of `lite_client`; made late because its base class is LiteLLM's."""
    import httpx
    from litellm.llms.custom_httpx import http_handler

    masked = getattr(http_handler, "MaskedHTTPStatusError", None)

    class LiteClient(http_handler.AsyncHTTPHandler):  # type: ignore[misc, name-defined, unused-ignore]
        """Sends for LiteLLM over our own pool."""

        def __init__(self, wire: Wire, base_url: str | None, api_key: str | None) -> None:
            # the base class would open a client of its own: its __init__ is left out on purpose
            self.timeout = self.event_hooks = self.ssl_verify = self.shared_session = self.transport = None
            self.follow_redirects = False
            self._owns_client = False
            self._client: Any = None
            self.client_alias = None
            self._wire = wire
            self.api_key = api_key or ""
            self.organization: str | None = None
            self.max_retries = 0
            self._base_url = httpx.URL(base_url or "")
            self.base_url = self._base_url
            root = (base_url or "").rstrip("/")
            self.chat = _Namespace(completions=_Endpoint(wire, f"{root}/chat/completions", self))
            self.completions = _Endpoint(wire, f"{root}/completions", self)
            self.embeddings = _Endpoint(wire, f"{root}/embeddings", self)

        def __del__(self) -> None:
            """Nothing: the wire is closed by its owner."""

        async def close(self) -> None:
            """Nothing: the wire is closed by its owner."""

        async def post(  # type: ignore[override, unused-ignore]
            self,
            url: str,
            data: Any = None,
            json: Any = None,
            params: Any = None,
            headers: Mapping[str, str] | None = None,
            timeout: Any = None,
            stream: bool = False,
            logging_obj: Any = None,
            files: Any = None,
            content: Any = None,
        ) -> Any:
            """The reply as httpx has it; raises httpx.HTTPStatusError from status 400 on."""
            address = httpx.URL(url, params=params) if params else _parsed(url)
            fields = {str(name): str(value) for name, value in (headers or {}).items()}
            body = content if content is not None else data
            if json is not None or isinstance(body, Mapping):
                body = orjson.dumps(json if json is not None else body)
                fields.setdefault("Content-Type", "application/json")
            elif isinstance(body, str):
                body = body.encode()
            status, got, raw = await self._wire.post(str(address), body or b"", fields)
            return checked(status, got, raw, str(address))

    def checked(status: int, headers: Mapping[str, str], body: bytes, url: str) -> Any:
        """The reply as an httpx.Response, when its status is below 400."""
        response = _as_httpx(status, headers, body, url)
        if status < 400:
            return response
        error = httpx.HTTPStatusError(f"HTTP {status}", request=response.request, response=response)
        if masked is None:
            raise error
        raise masked(error, message=response.text, text=response.text)

    return LiteClient


@dataclass(slots=True)
class _Namespace:
    """`client.chat`, which holds `completions`."""

    completions: Any


class _Endpoint:
    """`client.chat.completions` or `client.completions` of OpenAI's SDK, as far as LiteLLM uses them."""

    def __init__(self, wire: Wire, url: str, client: Any) -> None:
        self._wire = wire
        self._url = url
        self._client = client
        self.with_raw_response = self

    async def create(
        self,
        *,
        timeout: Any = None,
        extra_headers: Mapping[str, str] | None = None,
        extra_query: Mapping[str, str] | None = None,
        extra_body: Mapping[str, Any] | None = None,
        **data: Any,
    ) -> _RawReply:
        """The raw reply; raises openai's exception of the status from 400 on."""
        from urllib.parse import urlencode

        url = f"{self._url}?{urlencode(extra_query)}" if extra_query else self._url
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self._client.api_key:
            headers["Authorization"] = f"Bearer {self._client.api_key}"
        headers.update({name: str(value) for name, value in (extra_headers or {}).items()})
        body = {**data, **(extra_body or {})}
        status, got, raw = await self._wire.post(url, orjson.dumps(body), headers)
        if status >= 400:
            raise _status_error(status, got, raw, url)
        try:
            document = orjson.loads(raw)
        except orjson.JSONDecodeError:
            document = None
        if not isinstance(document, dict):
            start = raw[:80].decode("utf-8", "replace")
            raise WireError(f"the reply is not a JSON object: {start!r}", "invalid_response")
        return _RawReply(got, document)


@dataclass(slots=True)
class _RawReply:
    """What `with_raw_response.create` returns."""

    headers: Mapping[str, str]
    document: dict[str, Any]

    def parse(self) -> _RawReply:
        """Itself: there is nothing to build."""
        return self

    def model_dump(self, **_: Any) -> dict[str, Any]:
        """The JSON document."""
        return self.document


def _status_error(status: int, headers: Mapping[str, str], body: bytes, url: str) -> Exception:
    """The exception that OpenAI's SDK raises for this status."""
    import openai

    kinds: dict[int, type[openai.APIStatusError]] = {
        400: openai.BadRequestError,
        401: openai.AuthenticationError,
        403: openai.PermissionDeniedError,
        404: openai.NotFoundError,
        409: openai.ConflictError,
        422: openai.UnprocessableEntityError,
        429: openai.RateLimitError,
    }
    kind = kinds.get(status, openai.InternalServerError if status >= 500 else openai.APIStatusError)
    response = _as_httpx(status, headers, body, url)
    try:
        document: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        document = body[:2000].decode("utf-8", "replace")
    detail = document.get("error", document) if isinstance(document, dict) else document
    return kind(f"Error code: {status} - {document}", response=response, body=detail)


def _as_httpx(status: int, headers: Mapping[str, str], body: bytes, url: str) -> Any:
    """The reply as an httpx.Response; the body is already decompressed."""
    import httpx

    plain = [(name, value) for name, value in headers.items() if name not in _HOP_HEADERS]
    return httpx.Response(status, headers=plain, content=body, request=httpx.Request("POST", _parsed(url)))


@lru_cache(maxsize=64)
def _parsed(url: str) -> Any:
    """The address as httpx has it, which parses slowly."""
    import httpx

    return httpx.URL(url)


_HOP_HEADERS = frozenset({"content-encoding", "content-length", "transfer-encoding"})
