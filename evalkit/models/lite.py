"""Models behind LiteLLM: every provider that is served over HTTP.

A model is a name, what it can do, and a lane: `async call(Request) -> Response`. The safe lane goes through
LiteLLM call by call; the fast lane sends requests that LiteLLM compiled.
"""

from __future__ import annotations

import os
import re
from typing import Any, Protocol

from evalkit.errors import UsageError
from evalkit.models.catalog import model_entry
from evalkit.models.fast_lane import FastLane, can_compile
from evalkit.models.protocol import ModelBase, unsupported
from evalkit.models.providers import address, provider_facts
from evalkit.models.remembered import requests_folder
from evalkit.models.resolution import Resolved
from evalkit.models.safe_lane import SafeLane
from evalkit.records import Request, Response, digest

__all__ = ["Lane", "LiteModel", "capabilities_of", "identity_of"]

_ECHOES = frozenset({"hosted_vllm", "text-completion-openai"})
"""Providers whose /completions returns the logprobs of the prompt. llama.cpp, LM Studio, Ollama and all that
LiteLLM routes to /chat/completions would give wrong loglikelihoods, or none."""

_OPENAI_ECHO_MODELS = frozenset({"davinci-002", "babbage-002"})
"""At OpenAI itself only the base models return them."""


_SHOWS_TOKENS = frozenset(("openai", "azure", "hosted_vllm", "lm_studio", "llamafile", "deepseek"))
"""Providers whose chat replies show the likeliest tokens; LiteLLM asks it of few others."""
_SHOWS_NONE = re.compile(r"^(gpt-5|o[1-9])|reasoner")
"""Models that do not, though their provider does."""

LANES = ("auto", "f", "s")
"""Values of --lane and EVALKIT_LANE."""


class Lane(Protocol):
    """A way in which calls are made."""

    @property
    def notes(self) -> tuple[str, ...]:
        """How the calls were made."""

    async def call(self, request: Request) -> Response:
        """The response to a request of any kind; raises CallError."""

    async def aclose(self) -> None:
        """Nothing; closes connections."""


class LiteModel(ModelBase):
    """A served model; LiteLLM is imported at its first call."""

    cacheable = True

    def __init__(self, resolved: Resolved, lane: Lane | None = None) -> None:
        super().__init__()
        settings = resolved.settings
        self.resolved = resolved
        self.name = resolved.name
        self.capabilities = capabilities_of(resolved)
        self.max_connections = settings.max_connections
        self.identity = identity_of(resolved)
        if lane is None:
            self.use_lane(os.environ.get("EVALKIT_LANE") or "auto")
        else:
            self._lane: Lane = lane

    def use_lane(self, lane: str) -> None:
        """Make the calls by the safe lane (s), or by the fast one where it can serve (f, auto)."""
        if lane not in LANES:
            raise UsageError(f"the lane is {lane!r}; write auto, f or s (--lane, EVALKIT_LANE)")
        if lane != "s" and can_compile(self.resolved):
            self._lane = FastLane(self.resolved, "evalkit", folder=requests_folder())
        else:
            self._lane = SafeLane(self.resolved, "evalkit")

    @property
    def notes(self) -> tuple[str, ...]:  # type: ignore[override]
        """How the calls were made."""
        return self._lane.notes

    async def generate(self, request: Request) -> Response:
        """The text that continues the messages."""
        return await self._lane.call(request)

    async def loglikelihood(self, request: Request) -> Response:
        """The loglikelihoods of the continuations, or of the text."""
        needed = "rolling" if request.kind == "rolling" else "loglikelihood"
        if needed not in self.capabilities:
            raise unsupported(self.name, needed, "its provider returns no logprobs of given text")
        return await self._lane.call(request)

    async def aclose(self) -> None:
        """Nothing; closes connections."""
        await self._lane.aclose()


def capabilities_of(resolved: Resolved) -> frozenset[str]:
    """What a served model can do, by its provider and settings, without a call."""
    settings = resolved.settings
    if settings.capabilities is not None:
        return frozenset(settings.capabilities)
    provider, _, name = resolved.route.partition("/")
    entry = model_entry(resolved.route) or {}
    found = {"generate"}
    if not provider.startswith("text-completion-") and entry.get("mode") != "completion":
        found.add("chat")
        if provider in _SHOWS_TOKENS and not _SHOWS_NONE.search(name):
            found.add("top_logprobs")
        if entry.get("supports_function_calling"):
            found.add("tools")
    if provider in _ECHOES and (_own_server(resolved) or name in _OPENAI_ECHO_MODELS):
        found |= {"loglikelihood", "rolling"}
    return frozenset(found)


def _own_server(resolved: Resolved) -> bool:
    """Whether the model is on a server that the user names, rather than OpenAI's."""
    base = address(resolved.provider, resolved.settings)
    return base is not None and "api.openai.com" not in base


def identity_of(resolved: Resolved) -> dict[str, Any]:
    """Everything beside the request that decides an answer; no key is part of it."""
    settings = resolved.settings
    found: dict[str, Any] = {"route": resolved.route}
    if provider_facts(resolved.provider).known or settings.api_base:
        found["api_base"] = resolved.api_base
    extras = {
        "api_version": settings.api_version,
        "revision": settings.revision,
        "params": dict(settings.params) or None,
        "headers": digest(dict(settings.headers)) if settings.headers else None,
    }
    found.update({name: value for name, value in extras.items() if value is not None})
    return found
