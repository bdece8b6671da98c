"""The fast lane: LiteLLM's own request, compiled once for each set of parameters, over our own wire.

What is sent is what LiteLLM would send: it is asked once, over a transport that only notes, and the texts are
put in from then on. What comes back is read here when it is plain; every other reply, every error and every
broken connection is handed to LiteLLM as it came, so that it means the same in both lanes.

The guard: the first calls of each template, and a few later ones drawn by a seeded generator, are made by the
safe lane while the fast one looks on. Both must send the same bytes' meaning and read the same response; one
difference, and the template is never used again.

Templates that passed are remembered for a week, so that a later run starts without the seconds that LiteLLM's
import takes; it is imported then for the first reply that is not plain, and for the later comparisons.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import orjson

from evalkit.core.errors import CallError
from evalkit.core.redaction import refresh
from evalkit.models import replies
from evalkit.models.catalog import litellm_version
from evalkit.models.lanes import Connection, SafeLane, glue
from evalkit.models.memory import Memory, TemplateKey
from evalkit.models.plain import PlainReply, reader_for
from evalkit.models.template import (
    FIRST_TEXTS,
    Template,
    compile_template,
    holes,
    second_texts,
    with_texts,
)
from evalkit.models.transport import Sent, Tap, current_tap
from evalkit.models.wire import Exchange, Recorded, WireError, current_exchange

__all__ = ["FastLane"]

CHECKS = 8
"""Calls of a template on which both lanes must agree before it is used."""
_SHADOWED = 1 / 500
"""Share of later calls that are checked too."""
_UNSHADOWED = 20_000
"""Calls of a run that a remembered template makes before LiteLLM is imported to check one: a short run does
without, of a long one the import is a small part."""


class FastLane:
    """Calls of one model by compiled requests; BrokenLaneError for those that the safe lane has to make."""

    def __init__(
        self,
        connection: Connection,
        safe: SafeLane,
        wake: Callable[[], Awaitable[None]],
        *,
        checks: int,
        memory: Memory,
    ) -> None:
        """`wake` imports LiteLLM, which a remembered template does without; `checks` is `CHECKS` but for
        tests."""
        self._connection = connection
        self._safe = safe
        self._wake = wake
        self._checks = checks
        self._memory = memory
        self._sent = 0
        self._templates: dict[TemplateKey, Template | None] = dict(memory.templates)
        self._compiling = asyncio.Lock()
        self._rng = random.Random(0)
        self._used: dict[str, None] = {}
        self._slow: dict[str, None] = {}

    @property
    def notes(self) -> tuple[str, ...]:
        """How the calls were made, for the record of the run."""
        if not self._used:
            return tuple(self._slow)
        names = ", ".join(self._used)
        return (f"fast lane: requests compiled by LiteLLM {litellm_version()} ({names})", *self._slow)

    def remember(self, plans: Mapping[bytes, Any], key: str | None) -> None:
        """Nothing; what has been compiled and has passed outlives the run."""
        good = {
            place: template
            for place, template in self._templates.items()
            if template is not None and template.fit and template.passed >= self._checks
        }
        if any(not template.remembered for template in good.values()):
            self._memory.keep(plans, good, key, refresh())

    async def ask(self, function: str, given: Mapping[str, Any], exchange: Exchange) -> Any:
        """The reply, as the safe lane gives it. Raises BrokenLaneError, else what LiteLLM raises."""
        with glue("fast"):
            texts, template = await self._template(function, given)
            takes = template is not None and template.takes(texts)
        if template is None or not takes:
            return await self._tapped(None, function, given, exchange)
        self._sent += 1
        checks = template.passed < self._checks or self._rng.random() < _SHADOWED
        awake = self._connection.litellm is not None
        if checks and (not template.remembered or self._sent > _UNSHADOWED or awake):
            return await self._checked(template, function, given, texts, exchange)
        return await self._send(template, function, given, texts, exchange)

    async def _send(
        self,
        template: Template,
        function: str,
        given: Mapping[str, Any],
        texts: Sequence[str],
        exchange: Exchange,
    ) -> Any:
        """The plain reply to the compiled request; what is not plain is what LiteLLM makes of it."""
        kept: Recorded | WireError
        with glue("fast"):
            body = template.fill(texts)
        exchange.observed = exchange.reached = True
        try:
            async with asyncio.timeout(exchange.deadline_s):
                kept = await self._connection.wire.send("POST", template.url, template.headers, body)
        except WireError as error:
            kept = error
        else:
            reply = self._read(template, kept) if kept.status < 300 else None
            if reply is not None:
                self._used[template.name] = None
                return reply
        return await self._tapped(Tap(replay=kept), function, given, exchange)

    def _read(self, template: Template, kept: Recorded) -> PlainReply | None:
        """The plain reply; None where LiteLLM has to read it."""
        try:
            return _read(template, kept.body)
        except Exception as error:  # the reply is paid for: it must not be lost to a fault of ours
            self._give_up(template, f"reads less of a reply ({type(error).__name__})")
            return None

    async def _checked(
        self,
        template: Template,
        function: str,
        given: Mapping[str, Any],
        texts: Sequence[str],
        exchange: Exchange,
    ) -> Any:
        """The safe lane's reply, after a comparison with what the fast one would have sent and read."""
        tap = Tap()
        found: Any = None
        try:
            found = await self._tapped(tap, function, given, exchange)
            return found
        finally:
            self._compare(template, function, tap, texts, found)

    def _compare(self, template: Template, function: str, tap: Tap, texts: Sequence[str], found: Any) -> None:
        """Nothing; the template has passed once more, or is given up."""
        try:
            self._judge(template, function, tap, texts, found)
        except Exception as error:  # the call itself has been made, and its reply must not be lost
            self._give_up(template, f"reads less ({type(error).__name__})")

    def _judge(self, template: Template, function: str, tap: Tap, texts: Sequence[str], found: Any) -> None:
        if tap.request is not None and not template.same_request(tap.request, texts):
            self._give_up(template, "sends something else")
        elif found is not None and tap.reply is not None:
            plain = self._read(template, tap.reply)
            if plain is None or self._same(function, found, plain, tap.reply.body):
                template.passed += 1
                self._used[template.name] = None
            else:
                self._give_up(template, "reads something else")

    async def _tapped(
        self, tap: Tap | None, function: str, given: Mapping[str, Any], exchange: Exchange
    ) -> Any:
        """What the safe lane makes of the call, with the tap on its transport."""
        if self._connection.litellm is None:
            await self._wake()
        token = current_tap.set(tap)
        try:
            return await self._safe.ask(function, given, exchange)
        finally:
            current_tap.reset(token)

    async def _template(
        self, function: str, given: Mapping[str, Any]
    ) -> tuple[Sequence[str], Template | None]:
        """(the call's texts, the template that they fit into; None when there is none)."""
        found = holes(given)
        if found is None:
            return (), None
        texts, shape = found
        rest = {name: value for name, value in given.items() if name not in ("messages", "prompt")}
        try:
            key = (function, orjson.dumps(rest, option=orjson.OPT_SORT_KEYS), shape)
        except TypeError:
            return texts, None
        if key not in self._templates:
            async with self._compiling:
                if key not in self._templates:
                    self._templates[key] = await self._compile(function, given, len(texts))
        return texts, self._templates[key]

    async def _compile(self, function: str, given: Mapping[str, Any], n: int) -> Template | None:
        """The template of calls like this one; None when LiteLLM's requests do not allow one."""
        first = await self._capture(function, with_texts(given, FIRST_TEXTS[:n]))
        for edges in (True, False):
            texts = second_texts(n, edges=edges)
            second = await self._capture(function, with_texts(given, texts))
            if first is None or second is None or reader_for(first[0]) is None:
                break
            template = compile_template(first, FIRST_TEXTS[:n], second, texts, trims=not edges)
            if template is not None:
                return template
        self._slow["safe lane: LiteLLM's requests could not be compiled for some calls"] = None
        return None

    async def _capture(self, function: str, given: Mapping[str, Any]) -> Sent | None:
        """What LiteLLM would send; nothing goes out, and a made-up reply comes back."""
        tap = Tap(makes_up=True)
        # Without a deadline: LiteLLM loads a provider's code at its first use, which can take a second.
        exchange = Exchange(True, None)
        token = current_exchange.set(exchange)
        try:
            with contextlib.suppress(Exception):  # what does not arrive cannot be compiled
                await self._tapped(tap, function, given, exchange)
        finally:
            current_exchange.reset(token)
        return tap.request

    def _same(self, function: str, safe: Any, fast: PlainReply, body: bytes) -> bool:
        """Whether both replies mean the same."""
        if any(choice.logprobs is not None for choice in fast.choices):
            return _echoes(safe) == _echoes(fast) and replies.usage_of(safe) == replies.usage_of(fast)
        name, provider = self._connection.resolved.name, self._connection.resolved.provider
        read = replies.text_response if function == "atext_completion" else replies.chat_response
        try:
            theirs, ours = read(safe, name, body), read(fast, name, body)
        except CallError:
            return False
        if replies.reported(theirs.model_reported, provider) != replies.reported(
            ours.model_reported, provider
        ):
            return False
        names = ("status", "text", "reasoning", "finish_reason", "usage", "notes", "tool_calls")
        return all(getattr(theirs, name) == getattr(ours, name) for name in names)

    def _give_up(self, template: Template, what: str) -> None:
        template.fit = False
        self._memory.forget()
        version = litellm_version()
        self._slow[
            f"warning: the fast lane {what} than LiteLLM {version} ({template.name}); the safe lane took over"
        ] = None


def _read(template: Template, body: bytes) -> PlainReply | None:
    """The plain reply in the bytes; None when they hold none."""
    reader = reader_for(template.url)
    return reader(body) if reader is not None else None


def _echoes(reply: Any) -> list[tuple[Any, ...]]:
    """What is read of a completion with logprobs, choice by choice."""
    found = []
    for choice in sorted(reply.choices, key=lambda choice: getattr(choice, "index", 0)):
        block = choice.logprobs
        names = ("tokens", "token_logprobs", "top_logprobs")
        get = block.get if isinstance(block, dict) else lambda name, block=block: getattr(block, name, None)
        found.append((choice.text, *([*(get(name) or ())] for name in names)))
    return found
