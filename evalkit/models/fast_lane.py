"""The fast lane: LiteLLM's own request, compiled once for each set of parameters, over our own wire.

What is sent is what LiteLLM would send: it is asked once, over a wire that only notes, and the texts are put
in from then on. What comes back is read here when it is plain; every other reply, every error and every
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
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from evalkit.errors import CallError
from evalkit.models import replies
from evalkit.models.calls import RefusedError, translated
from evalkit.models.plain import PlainReply, reader_for, sample_of
from evalkit.models.redaction import Redactor
from evalkit.models.remembered import Memory, TemplateKey
from evalkit.models.resolution import Resolved
from evalkit.models.safe_lane import OWN_CLIENT, SafeLane
from evalkit.models.template import (
    FIRST_TEXTS,
    Sent,
    Template,
    compile_template,
    holes,
    second_texts,
    with_texts,
)
from evalkit.models.wire import Exchange, Recorded, Tap, WireError, current_exchange, current_tap
from evalkit.records import Request

__all__ = ["FastLane", "can_compile"]

_CHECKS = 8
"""Calls of a template on which both lanes must agree before it is used."""
_SHADOWED = 1 / 500
"""Share of later calls that are checked too."""
_UNSHADOWED = 20_000
"""Calls of a run that a remembered template makes before LiteLLM is imported to check one: a short run does
without, of a long one the import is a small part."""


def can_compile(resolved: Resolved) -> bool:
    """Whether the model's provider sends over our wire, so that its requests can be compiled."""
    return resolved.provider in OWN_CLIENT


class FastLane(SafeLane):
    """Calls of one model by compiled requests, where they can be, else as the safe lane makes them."""

    def __init__(
        self, resolved: Resolved, user_agent: str, *, checks: int = _CHECKS, folder: Path | None = None
    ) -> None:
        """`folder` is where compiled requests are remembered; None remembers nothing."""
        super().__init__(resolved, user_agent)
        self._checks = checks
        self._folder = folder
        self._memory: Memory | None = None
        self._sent = 0
        self._templates: dict[TemplateKey, Template | None] = {}
        self._compiling = asyncio.Lock()
        self._rng = random.Random(0)
        self._used: dict[str, None] = {}
        self._slow: dict[str, None] = {}

    @property
    def notes(self) -> tuple[str, ...]:
        """How the calls were made, for the record of the run."""
        from importlib.metadata import version

        if not self._used and not self._slow:
            return ()
        found = []
        if self._used:
            found.append(
                f"fast lane: requests compiled by LiteLLM {version('litellm')} ({', '.join(self._used)})"
            )
        return (*found, *self._slow)

    def recall(self) -> bool:
        """Whether requests of an earlier run are remembered, so that LiteLLM may not be needed.

        Raises CallError (authentication, stop_model) when the key that the settings name is not set.
        """
        if self._memory is None:
            key = self._read_key()
            self._memory = Memory.open(self._resolved, self._folder, key, self._checks)
            self._plans.update(self._memory.plans)
            self._templates.update(self._memory.templates)
        return bool(self._memory.templates)

    async def aclose(self) -> None:
        """Nothing; closes the connections and remembers what has been compiled."""
        await super().aclose()
        good = {
            place: template
            for place, template in self._templates.items()
            if template is not None and template.fit and template.passed >= self._checks
        }
        if self._memory is not None and any(not template.remembered for template in good.values()):
            secrets = (*self._settings.headers_env.values(), self._settings.api_key_env)
            redactor = Redactor.from_environment(name for name in secrets if name)
            self._memory.keep(self._plans, good, self._key(), redactor)

    async def _get_ready(self, request: Request) -> None:
        """Nothing; LiteLLM is there afterwards, unless what it would say of the request is remembered."""
        if self._litellm is not None:
            return
        known = self.recall() and (
            request.kind != "generate" or self._plan_key(request.params) in self._plans
        )
        if not known:
            await self._set_up()

    async def _ask(
        self, function: str, given: Mapping[str, Any], exchange: Exchange
    ) -> tuple[Any, float | None]:
        """(the reply, seconds on the wire), as the safe lane gives them."""
        texts, template = await self._template(function, given)
        if template is None or not template.takes(texts):
            return await super()._ask(function, given, exchange)
        self._sent += 1
        checks = template.passed < self._checks or self._rng.random() < _SHADOWED
        if checks and (not template.remembered or self._sent > _UNSHADOWED or self._litellm is not None):
            return await self._checked(template, function, given, texts, exchange)
        return await self._send(template, function, given, texts, exchange)

    async def _send(
        self,
        template: Template,
        function: str,
        given: Mapping[str, Any],
        texts: Sequence[str],
        exchange: Exchange,
    ) -> tuple[Any, float | None]:
        """The plain reply to the compiled request; what is not plain is what LiteLLM makes of it."""
        token = current_exchange.set(exchange)
        kept: Recorded | WireError
        try:
            with translated(self._name, exchange, self._redact, self._cures):
                async with asyncio.timeout(self._timeout):
                    try:
                        status, headers, body = await self._wire.post(
                            template.url, template.fill(texts), template.headers
                        )
                    except WireError as error:
                        kept = error
                    else:
                        reply = _read(template, body) if status < 400 else None
                        if reply is not None:
                            self._used[template.name] = None
                            return reply, exchange.seconds
                        kept = Recorded(status, headers, body, exchange.sent, exchange.done)
        finally:
            current_exchange.reset(token)
        return await self._tapped(Tap(replay=kept), function, given, exchange)

    async def _checked(
        self,
        template: Template,
        function: str,
        given: Mapping[str, Any],
        texts: Sequence[str],
        exchange: Exchange,
    ) -> tuple[Any, float | None]:
        """The safe lane's reply, after a comparison with what the fast one would have sent and read."""
        tap = Tap()
        found: tuple[Any, float | None] | None = None
        try:
            found = await self._tapped(tap, function, given, exchange)
            return found
        finally:
            if tap.request is not None and not template.same_request(tap.request, texts):
                self._give_up(template, "sends something else")
            elif found is not None and tap.reply is not None:
                plain = _read(template, tap.reply.body)
                if plain is None or self._same(function, found[0], plain):
                    template.passed += 1
                    self._used[template.name] = None
                else:
                    self._give_up(template, "reads something else")

    async def _tapped(
        self, tap: Tap, function: str, given: Mapping[str, Any], exchange: Exchange
    ) -> tuple[Any, float | None]:
        """What the safe lane makes of the call, with the tap on its wire."""
        token = current_tap.set(tap)
        try:
            return await super()._ask(function, given, exchange)
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
                await self._warm_up(template, function, given)
                return template
        self._slow["safe lane: LiteLLM's requests could not be compiled for some calls"] = None
        return None

    async def _capture(self, function: str, given: Mapping[str, Any]) -> Sent | None:
        """What LiteLLM would send; nothing goes out."""
        tap = Tap(sends=False)
        # Without a deadline: LiteLLM loads a provider's code at its first use, which can take a second.
        with contextlib.suppress(CallError, RefusedError):  # the wire lets nothing through, as it was told
            await self._tapped(tap, function, given, Exchange(True, None))
        return tap.request

    async def _warm_up(self, template: Template, function: str, given: Mapping[str, Any]) -> None:
        """Let LiteLLM read one made-up reply, so that its code is there before a deadline runs."""
        reply = Recorded(200, {"content-type": "application/json"}, sample_of(template.url), 0.0, 0.0)
        with contextlib.suppress(CallError, RefusedError):
            await self._tapped(Tap(replay=reply), function, given, Exchange(True, None))

    def _same(self, function: str, safe: Any, fast: PlainReply) -> bool:
        """Whether both replies mean the same."""
        if any(choice.logprobs is not None for choice in fast.choices):
            return _echoes(safe) == _echoes(fast) and replies.usage_of(safe) == replies.usage_of(fast)
        read = replies.text_response if function == "atext_completion" else replies.chat_response
        try:
            theirs, ours = read(safe, self._name), read(fast, self._name)
        except CallError:
            return False
        if self._reported(theirs.model_reported) != self._reported(ours.model_reported):
            return False
        names = ("status", "text", "reasoning", "finish_reason", "usage", "notes", "tool_calls")
        return all(getattr(theirs, name) == getattr(ours, name) for name in names)

    def _give_up(self, template: Template, what: str) -> None:
        template.fit = False
        if self._memory is not None:
            self._memory.forget()
        self._slow[
            f"warning: the fast lane {what} than LiteLLM ({template.name}); the safe lane took over"
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
