"""The narrow place between LiteLLM and the network: an httpx transport that sends over our wire.

LiteLLM and OpenAI's SDK take an httpx client, and httpx takes a transport: one method, a request in, a
response out. So whatever LiteLLM wants to send, to whichever provider, passes here whole, and a reply that is
already there can be returned from here. httpx2, on which newer SDKs stand, is the same under another name.

No error of a connection is ever raised into LiteLLM: it would send the request a second time, or round this
transport. Such a call is answered with a reply of our own instead, and the exchange says what it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from evalkit.models.documents import sound_body
from evalkit.models.made_up import sample_of
from evalkit.models.wire import Exchange, Recorded, Wire, WireError, current_exchange, note

__all__ = ["Sent", "Tap", "current_tap", "http_client", "transport"]

Sent = tuple[str, Mapping[str, str], bytes]
"""(url, headers, body) of a request."""

FAULT = Recorded(
    503, {"content-type": "application/json"}, b'{"error": {"message": "evalkit: there was no reply"}}'
)
"""What LiteLLM gets where there was no reply; no server sent it, and the exchange knows better."""

_OURS = frozenset({"host", "content-length", "connection", "accept-encoding", "transfer-encoding"})
"""Headers of a request that the wire writes itself."""
_HOP_HEADERS = frozenset({"content-encoding", "content-length", "transfer-encoding", "connection"})
"""Headers of a reply that no longer hold once it is here, decompressed and whole."""


@dataclass(slots=True)
class Tap:
    """Sits on the transport of one call that LiteLLM makes: notes what is sent, and may keep it from going
    out."""

    sends: bool = True
    """Whether the request goes out; if not, and without `replay`, it is answered as a lost connection."""
    replay: Recorded | WireError | None = None
    """What stands in place of the network's answer; None to ask the network."""
    makes_up: bool = False
    """Whether the answer is a small good one in the dialect of the request's address, made here."""
    request: Sent | None = None
    """What LiteLLM wanted to send; None until then."""
    n_requests: int = 0
    """How many requests LiteLLM handed over."""
    reply: Recorded | None = None
    """What the network answered; None without an answer."""


current_tap: ContextVar[Tap | None] = ContextVar("evalkit_tap", default=None)
"""The tap on the call that the running task makes; None for most calls."""


async def answer(
    wire: Wire, method: str, sent: Sent, connect_s: float | None = None, read_s: float | None = None
) -> Recorded:
    """The reply to a request that LiteLLM handed over: the network's, the tap's, or `FAULT`.

    Raises nothing but CancelledError; what went wrong is in the call's exchange.
    """
    exchange, tap = current_exchange.get() or Exchange(), current_tap.get()
    exchange.reached, exchange.url = True, sent[0]
    try:
        if tap is None:
            return await wire.send(method, *sent, connect_s=connect_s, read_s=read_s)
        tap.request, tap.n_requests = sent, tap.n_requests + 1
        kept = Recorded(200, _JSON, sample_of(sent[0]), 0.0, 0.0) if tap.makes_up else tap.replay
        if isinstance(kept, WireError):
            raise kept
        if kept is not None:
            note(exchange, kept)
            return kept
        if not tap.sends:
            raise WireError("the request was noted and not sent", "connection")
        tap.reply = await wire.send(method, *sent, connect_s=connect_s, read_s=read_s)
        return tap.reply
    except WireError as error:
        exchange.fault = error
    except Exception as error:  # a fault of ours must not be taken for one of the server
        exchange.broken = error
    return FAULT


_JSON = {"content-type": "application/json"}


def http_client(wire: Wire, package: ModuleType) -> Any:
    """An AsyncClient of httpx, or of httpx2, that sends over `wire`."""
    return package.AsyncClient(transport=transport(wire, package), follow_redirects=False, timeout=None)


def transport(wire: Wire, package: ModuleType) -> Any:
    """A transport for that package's clients."""

    class Transport(package.AsyncBaseTransport):  # type: ignore[misc, name-defined]
        """Sends for one model; its connections belong to the wire, and are closed with it."""

        async def handle_async_request(self, request: Any) -> Any:
            """The reply to any request, whole."""
            headers = {name: value for name, value in request.headers.items() if name not in _OURS}
            try:
                sent = (str(request.url), headers, await request.aread())
                limits = request.extensions.get("timeout") or {}
                connect_s, read_s = limits.get("connect"), limits.get("read")
            except Exception as error:
                exchange = current_exchange.get() or Exchange()
                exchange.reached, exchange.broken = True, error
                reply = FAULT
            else:
                reply = await answer(wire, request.method, sent, connect_s, read_s)
            plain = [(name, value) for name, value in reply.headers.items() if name not in _HOP_HEADERS]
            kind = reply.headers.get("content-type", "")
            content = sound_body(reply.body) if "json" in kind else reply.body
            return package.Response(reply.status, headers=plain, content=content, request=request)

        async def aclose(self) -> None:
            """Nothing: LiteLLM may close its client at any time, the wire is closed by its owner."""

    return Transport()
