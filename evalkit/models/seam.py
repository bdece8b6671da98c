"""Which client LiteLLM takes for a model's calls, found out by a made-up reply.

LiteLLM hands the requests of some providers to OpenAI's SDK and translates those of others itself; which is
a matter of provider, kind of call and version, and a client of the wrong kind is ignored, so that the call
goes over LiteLLM's own connections. So each kind is tried once, with our transport in it, an address at which
nobody listens, and a reply made up here: it fits when just one request came through the transport and the
made-up answer came back. What was found is remembered for each set of versions.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import inspect
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal, get_args

import orjson

from evalkit.core.version import __version__
from evalkit.models import _litellm
from evalkit.models.made_up import MADE_UP_TEXT, MADE_UP_VECTOR
from evalkit.models.transport import Tap, current_tap, http_client, transport
from evalkit.models.wire import Exchange, Wire, current_exchange

__all__ = ["Fit", "Lane", "NoFitError", "Verdicts", "client_of", "find_fit", "versions"]

Kind = Literal["openai", "azure", "handler"]
"""openai, azure: a client of OpenAI's SDK; handler: LiteLLM's own AsyncHTTPHandler."""
Lane = Literal["stock", "safe", "fast"]
"""How a served model is called: plain LiteLLM; LiteLLM over our transport; requests that LiteLLM compiled."""

CLOSED = "http://127.0.0.1:9/v1"
"""An address at which nobody listens (the discard port): a probe that goes astray reaches no host."""
_PROBE_S = 30.0
_KEPT_S = 7 * 24 * 3600.0
"""Seconds after which a verdict is found again, so that a passing fault does not last."""


@dataclass(frozen=True, slots=True)
class Fit:
    """How LiteLLM is called over our transport."""

    kind: Kind
    """The client that it takes."""
    quiet: bool
    """Whether it also takes a log that does nothing, which halves the call."""


def versions() -> dict[str, str]:
    """The versions of what stands between us and the transport; `-` for what is not installed."""
    found = {}
    for name in ("litellm", "openai", "httpx", "httpx2", "pydantic"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "-"
    return found


@dataclass(slots=True)
class Verdicts:
    """What has been found out about this LiteLLM, in the user's cache folder."""

    path: Path | None
    """The file; None keeps nothing."""
    fits: dict[str, Fit | None] = field(default_factory=dict)
    """`provider function` -> how it is called; None where nothing of ours fits."""
    broken: dict[str, str] = field(default_factory=dict)
    """`lane provider` -> why that lane was given up."""
    made: float | None = None
    """When the first of it was found out, in seconds of Unix time; None when nothing was known before."""

    @classmethod
    def open(cls, folder: Path | None) -> Verdicts:
        """What is known; nothing where it is too old, of other versions, or cannot be read."""
        if folder is None:
            return cls(None)
        identity = orjson.dumps([__version__, versions()], option=orjson.OPT_SORT_KEYS)
        found = cls(folder / "lanes" / f"{hashlib.sha256(identity).hexdigest()[:16]}.json")
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
            document = orjson.loads(found.path.read_bytes()) if found.path else {}
            if 0 <= time.time() - float(document["made"]) <= _KEPT_S:
                for name, fit in document["fits"].items():
                    found.fits[str(name)] = _read_fit(fit)
                found.broken = {str(name): str(why) for name, why in document["broken"].items()}
                found.made = float(document["made"])
        return found

    def keep(self) -> None:
        """Nothing; writes what was found, where the folder can be written."""
        if self.path is None:
            return
        # that nothing fits may be the fault of a moment: it is found out anew by each run
        fits = {name: [fit.kind, fit.quiet] for name, fit in self.fits.items() if fit is not None}
        self.made = self.made or time.time()
        document = {"made": self.made, "fits": fits, "broken": self.broken, "versions": versions()}
        temporary = self.path.with_suffix(f".{os.getpid()}")
        with contextlib.suppress(OSError):  # nothing is lost but the time of a probe
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            temporary.write_bytes(orjson.dumps(document, option=orjson.OPT_SORT_KEYS))
            temporary.replace(self.path)


def _read_fit(stored: Any) -> Fit:
    kind, quiet = stored
    if kind not in get_args(Kind):
        raise ValueError(kind)
    return Fit(kind, bool(quiet))


def client_of(kind: Kind, wire: Wire, base: str | None, key: str | None, api_version: str | None) -> Any:
    """A client for LiteLLM's `client=` that sends over `wire`.

    Raises whatever a version raises that has no such client, or takes no transport.
    """
    import httpx

    if kind == "handler":
        from litellm.llms.custom_httpx.http_handler import AsyncHTTPHandler

        if "transport" in inspect.signature(AsyncHTTPHandler.__init__).parameters:
            return AsyncHTTPHandler(transport=transport(wire, httpx), follow_redirects=False)
        handler = AsyncHTTPHandler()  # before 1.104 it took no transport
        handler.client = http_client(wire, httpx)
        return handler
    try:
        return _sdk_client(kind, http_client(wire, httpx), base, key, api_version)
    except TypeError:  # OpenAI's SDK 3 stands on httpx2, and may refuse a client of httpx
        import httpx2

        return _sdk_client(kind, http_client(wire, httpx2), base, key, api_version)


def _sdk_client(kind: Kind, client: Any, base: str | None, key: str | None, api_version: str | None) -> Any:
    import openai

    if kind == "openai":
        return openai.AsyncOpenAI(api_key=key, base_url=base, http_client=client, max_retries=0)
    return openai.AsyncAzureOpenAI(
        api_key=key,
        azure_endpoint=base or "",
        api_version=api_version,
        http_client=client,
        max_retries=0,
    )


class NoFitError(Exception):
    """No client of ours carries a provider's calls; the cause is what LiteLLM raised of the last one."""


async def find_fit(litellm: Any, route: str, function: str, shape: Mapping[str, Any], wire: Wire) -> Fit:
    """How calls of this kind reach our transport. Raises NoFitError where no client of ours does.

    `function` is LiteLLM's (`acompletion`, ...), `shape` its arguments but for the text. Nothing is sent.
    Where no made-up answer comes back, a client over which the request came is good enough: the replies can
    be read here.
    """
    azure = route.startswith("azure/")
    order: tuple[Kind, ...] = ("azure", "handler") if azure else ("openai", "handler")
    quiet = _litellm.no_op_log()
    second_best: Fit | None = None
    raised: Exception | None = None
    for kind in order:
        for log in (quiet, None) if quiet is not None else (None,):
            arrived, error = await _probe(litellm, route, function, shape, wire, kind, log)
            if arrived and error is None:
                return Fit(kind, log is not None)
            if arrived and log is None:
                second_best = second_best or Fit(kind, False)
            raised = error
    if second_best is None:
        raise NoFitError(f"LiteLLM takes no client of ours for {route.partition('/')[0]}") from raised
    return second_best


async def _probe(
    litellm: Any,
    route: str,
    function: str,
    shape: Mapping[str, Any],
    wire: Wire,
    kind: Kind,
    log: Callable[[str, str], Any] | None,
) -> tuple[bool, Exception | None]:
    """(whether just one request came to our transport, why the made-up answer did not come back)."""
    tap = Tap(makes_up=True)
    tokens = current_tap.set(tap), current_exchange.set(Exchange(True, None))
    try:
        key = "evalkit-probe"
        given = {
            "model": route,
            "api_key": key,
            "api_base": CLOSED,
            "timeout": _PROBE_S,
            "max_retries": 0,
            "num_retries": 0,
            "client": client_of(kind, wire, CLOSED, key, shape.get("api_version")),
            **shape,
            **_PROBES[function],
        }
        if log is not None:
            given["litellm_logging_obj"] = log(route, function)
        async with asyncio.timeout(_PROBE_S):
            reply = await getattr(litellm, function)(**given)
        right = _text(function, reply) == MADE_UP_TEXT
        return tap.n_requests == 1, None if right else ValueError("another answer came back")
    except Exception as error:  # whatever is raised, this kind of client does not fit
        return tap.n_requests == 1, error
    finally:
        current_tap.reset(tokens[0])
        current_exchange.reset(tokens[1])


_PROBES: Mapping[str, Mapping[str, Any]] = {
    "acompletion": {"messages": [{"role": "user", "content": MADE_UP_TEXT}], "max_tokens": 8},
    "atext_completion": {"prompt": MADE_UP_TEXT, "max_tokens": 8},
    "aembedding": {"input": [MADE_UP_TEXT]},
}
"""LiteLLM's function -> the arguments that hold the text."""


def _text(function: str, reply: Any) -> str | None:
    """The text of a reply as LiteLLM gives it; of an embedding, the made-up one if it is a vector."""
    if function == "aembedding":
        first = reply.data[0]
        vector = first["embedding"] if isinstance(first, dict) else first.embedding
        return MADE_UP_TEXT if list(vector) == MADE_UP_VECTOR else None
    choice = reply.choices[0]
    text: str | None = choice.text if function == "atext_completion" else choice.message.content
    return text
