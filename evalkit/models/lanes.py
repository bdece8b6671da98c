"""The ways to LiteLLM: stock is its plain call with nothing of ours in it, safe the same over our transport.

What goes wrong in the safe lane is told apart by what the transport saw. A server's status, or a connection
that failed, is an answer. A good reply that LiteLLM cannot read has been paid for, and is read here. All else
is a fault of the glue between the two, which a newer LiteLLM may loosen: the call is made again in the stock
lane, and is no failed call of the server's.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from evalkit.core.errors import CallError
from evalkit.core.redaction import learn, redact
from evalkit.models import _litellm, catalog, providers
from evalkit.models.calls import RefusedError, holds_answer, own_fault, translated
from evalkit.models.plain import read_leniently, reader_for
from evalkit.models.replies import openai_document
from evalkit.models.resolution import Resolved
from evalkit.models.seam import Fit, Lane, NoFitError, Verdicts, client_of, find_fit
from evalkit.models.wire import Exchange, Wire

__all__ = [
    "BrokenLaneError",
    "Connection",
    "SafeLane",
    "UnreadableError",
    "first_line",
    "glue",
    "is_probed",
    "stock",
]

DEFAULT_TIMEOUT_S = 600.0
"""Seconds for one attempt when the settings name none: reasoning takes minutes."""

_OPENAI_HOME = "https://api.openai.com/v1"


class BrokenLaneError(Exception):
    """Something in a lane is not as we know it; the call may be made in a slower one.

    `cause` is what was raised; `local` is what LiteLLM raised before anything had reached our transport,
    maybe of the request alone, or of whatever it is asked; None where it raised nothing of the kind.
    """

    def __init__(self, cause: Exception, lane: Lane, *, local: Exception | None = None) -> None:
        super().__init__(first_line(cause))
        self.cause = cause
        self.lane = lane
        self.local = local


class UnreadableError(Exception):
    """A good reply came, has been paid for, and cannot be read; `cause` is what LiteLLM raised."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(first_line(cause))
        self.cause = cause


@contextmanager
def glue(lane: Lane) -> Iterator[None]:
    """Nothing; inside of it is code of ours alone, and whatever it raises breaks the lane."""
    try:
        yield
    except (CallError, RefusedError, BrokenLaneError, UnreadableError):
        raise
    except NoFitError as error:
        cause = error.__cause__
        raise BrokenLaneError(error, lane, local=cause if isinstance(cause, Exception) else None) from error
    except Exception as error:
        raise BrokenLaneError(error, lane) from error


def first_line(error: BaseException) -> str:
    """Class and first line of an exception, without secrets, 200 characters at most."""
    text = redact(str(error)).strip().partition("\n")[0]
    return f"{type(error).__name__}: {text}"[:200]


@dataclass(slots=True)
class Connection:
    """What LiteLLM is told of a model in every call, whatever the lane."""

    resolved: Resolved
    wire: Wire
    cures: Mapping[str, str] = field(default_factory=dict)
    litellm: Any = None
    """The module; None until it is needed."""
    bare: str = ""
    """The model's name without its provider."""
    common: Mapping[str, Any] = field(default_factory=dict)
    """LiteLLM's arguments that every call has."""

    @property
    def timeout_s(self) -> float:
        """Seconds that one attempt may take."""
        return self.resolved.settings.timeout_s or DEFAULT_TIMEOUT_S

    def read_key(self) -> str | None:
        """The API key from the environment; None when none is needed, or LiteLLM finds its own.

        From now on it is redacted, and errors say where it is from. Raises CallError (authentication,
        stop_model) when the variable that the settings name is not set.
        """
        settings = self.resolved.settings
        secrets = [name for name in (settings.api_key_env, *settings.headers_env.values()) if name]
        learn(os.environ.get(name, "") for name in secrets)
        variable = providers.key_variable(self.resolved.provider, settings)
        told = (
            f"the key is the one in {variable}" if variable else "no key was sent; name one with api_key_env"
        )
        self.cures = {"authentication": told, "permission": told}
        value = os.environ.get(variable, "").strip() if variable else ""
        learn([value])
        if settings.api_key_env and not value:
            raise CallError(
                f"{self.resolved.name}: the environment variable {variable} is not set; "
                f"set it: export {variable}=...",
                kind="authentication",
                action="stop_model",
            )
        plain = settings.api_key_env or (variable or "").endswith(("_API_KEY", "HF_TOKEN"))
        return value if value and plain else None

    async def open(self) -> None:
        """Nothing; imports LiteLLM in a thread, reads the key, and works out the common arguments.

        Raises CallError: of a LiteLLM that cannot even be imported (litellm, stop_model), or of the key.
        """
        try:
            litellm = await asyncio.to_thread(_litellm.load)
        except Exception as error:
            raise CallError(
                f"{self.resolved.name}: LiteLLM {catalog.litellm_version()} itself cannot be imported "
                f"({first_line(error)})",
                kind="litellm",
                action="stop_model",
            ) from None
        if self.litellm is not None:
            return  # another call was quicker
        key = self.read_key()
        with translated(self.resolved.name, Exchange(observed=True), redact, self.cures):
            self._learn(litellm, key)
        self.litellm = litellm

    def _learn(self, litellm: Any, key: str | None) -> None:
        """Nothing; the common arguments are there, as LiteLLM knows the provider."""
        resolved, settings = self.resolved, self.resolved.settings
        base = providers.address(resolved.provider, settings)
        found = litellm.get_llm_provider(model=resolved.route, api_base=base, api_key=key)
        self.bare, _, found_key, found_base = found
        base, key = found_base or base, key or found_key
        if base is None and resolved.provider in ("openai", "custom_openai", "text-completion-openai"):
            base = _OPENAI_HOME
        if key is None and base is not None and providers.provider_facts(resolved.provider).openai_like:
            key = "none"  # OpenAI's protocol asks for some key; servers without keys ignore it
        common: dict[str, Any] = {
            "api_key": key,
            "api_base": base,
            "api_version": settings.api_version,
            "extra_headers": self.headers() or None,
            "timeout": self.timeout_s,
            "max_retries": 0,  # LiteLLM heeds one or the other, by provider
            "num_retries": 0,
        }
        self.common = {name: value for name, value in common.items() if value is not None}
        if resolved.provider in (
            "ollama",
            "ollama_chat",
        ):  # else LiteLLM asks localhost about it, call by call
            known = {"litellm_provider": resolved.provider, "mode": "chat", "supports_function_calling": True}
            litellm.register_model(
                {resolved.route: {**known, "input_cost_per_token": 0.0, "output_cost_per_token": 0.0}}
            )

    def headers(self) -> dict[str, str]:
        """The extra headers of the settings, those from the environment included."""
        settings = self.resolved.settings
        headers = dict(settings.headers)
        for header, variable in settings.headers_env.items():
            if variable in os.environ:
                headers[header] = os.environ[variable]
        return headers

    def route(self, function: str) -> str:
        """The model as this function of LiteLLM takes it."""
        return (
            f"text-completion-openai/{self.bare}" if function == "atext_completion" else self.resolved.route
        )

    def arguments(self, function: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments of a plain call."""
        return {"model": self.route(function), **self.common, **given}


async def stock(connection: Connection, function: str, given: Mapping[str, Any]) -> Any:
    """LiteLLM's reply to its plain call; raises what LiteLLM raises."""
    return await getattr(connection.litellm, function)(**connection.arguments(function, given))


def is_probed(resolved: Resolved) -> bool:
    """Whether our transport is tried for this provider: not for those that sign requests or fetch tokens,
    which may ask the network before they ask for anything, nor for strangers, whose address may not be ours
    to say."""
    facts = providers.provider_facts(resolved.provider)
    return facts.known and not facts.strays


class SafeLane:
    """Calls of one model through LiteLLM's own functions, over our transport."""

    def __init__(self, connection: Connection, verdicts: Verdicts) -> None:
        self._connection = connection
        self._verdicts = verdicts
        self._probing = asyncio.Lock()
        self._clients: dict[str, Any] = {}
        self._logs: dict[str, Callable[[str, str], Any] | None] = {}
        self._without_fit: dict[str, NoFitError] = {}
        self.notes: dict[str, None] = {}
        """What a reader of the run must know of how replies were read."""

    async def ask(self, function: str, given: Mapping[str, Any], exchange: Exchange) -> Any:
        """The reply as LiteLLM gives it, or as it is read here where LiteLLM cannot.

        Raises BrokenLaneError when the glue does not hold, else what LiteLLM raises of a server's answer.
        """
        connection = self._connection
        with glue("safe"):
            arguments = self._arguments(function, given, await self._fit(function))
        exchange.observed = True
        try:
            async with asyncio.timeout(exchange.deadline_s):
                reply = await getattr(connection.litellm, function)(**arguments)
        except TimeoutError:
            raise
        except Exception as error:
            return self._settle(function, error, exchange)
        if not exchange.reached:
            exchange.observed = False
            self.notes["warning: some calls went round our transport: plain LiteLLM made them"] = None
            return reply
        return reply

    def _settle(self, function: str, error: Exception, exchange: Exchange) -> Any:
        """The reply that LiteLLM could not read, where it can be read here; else raises what to do."""
        if exchange.broken is not None:
            raise BrokenLaneError(exchange.broken, "safe") from error
        if not exchange.reached:
            raise BrokenLaneError(error, "safe", local=error) from error
        if exchange.fault is not None or not exchange.answered:
            raise error
        found = read_ourselves(exchange)
        if found is None:
            answer = holds_answer(exchange.reply_body or b"")
            raise UnreadableError(error) if answer and own_fault(error) is not None else error
        self.notes[
            f"warning: LiteLLM {catalog.litellm_version()} could not read some replies, which were read "
            f"without it ({first_line(error)})"
        ] = None
        return found

    def _arguments(self, function: str, given: Mapping[str, Any], fit: Fit) -> dict[str, Any]:
        """The arguments of a plain call, with the client, and the log that does nothing."""
        connection = self._connection
        arguments = connection.arguments(function, given)
        if function not in self._clients:
            common = connection.common
            self._clients[function] = client_of(
                fit.kind,
                connection.wire,
                common.get("api_base"),
                common.get("api_key"),
                common.get("api_version"),
            )
            self._logs[function] = _litellm.no_op_log() if fit.quiet else None
        arguments["client"] = self._clients[function]
        log = self._logs[function]
        if log is not None:
            arguments["litellm_logging_obj"] = log(arguments["model"], function)
        if given.get("tools"):
            arguments |= _litellm.tool_arguments()
        return arguments

    async def _fit(self, function: str) -> Fit:
        """How this function is called over our transport; found out once for each set of versions.

        Raises NoFitError.
        """
        connection = self._connection
        name = f"{connection.resolved.provider} {function}"
        if name not in self._verdicts.fits:
            async with self._probing:
                if name not in self._verdicts.fits:
                    version = connection.common.get("api_version")
                    found: Fit | None = None
                    try:
                        found = await find_fit(
                            connection.litellm,
                            connection.route(function),
                            function,
                            {"api_version": version} if version else {},
                            connection.wire,
                        )
                    except NoFitError as error:
                        self._without_fit[function] = error
                    self._verdicts.fits[name] = found  # not before: other calls wait for it
                    self._verdicts.keep()
        fit = self._verdicts.fits[name]
        if fit is None or (fit.kind == "openai" and not connection.common.get("api_base")):
            # without an address OpenAI's SDK would send to OpenAI, with another provider's key
            unknown = NoFitError(f"LiteLLM takes no client of ours for {connection.resolved.provider}")
            raise self._without_fit.get(function, unknown)
        return fit


def read_ourselves(exchange: Exchange) -> Any:
    """The good reply that the exchange holds, read without LiteLLM; None where we do not know its shape.

    Plain replies of every dialect, all that has the shape of OpenAI's, and the text of the others'.
    """
    body = exchange.reply_body or b""
    reader = reader_for(exchange.url)
    plain = reader(body) if reader is not None else None
    return plain or openai_document(body) or read_leniently(body)
