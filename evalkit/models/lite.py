"""Models behind LiteLLM: every provider that is served over HTTP.

A model is a name, what it can do, and a way to call it, for which there are three lanes (`ladder`).
"""

from __future__ import annotations

import os
import re
from typing import Any, get_args

from evalkit.core.errors import UsageError, did_you_mean
from evalkit.core.records import Request, Response, digest
from evalkit.models.catalog import model_entry
from evalkit.models.memory import findings_folder
from evalkit.models.protocol import ModelBase, unsupported
from evalkit.models.providers import address, provider_facts
from evalkit.models.resolution import Resolved
from evalkit.models.seam import Lane
from evalkit.models.served import Served

__all__ = ["LANES", "LiteModel", "capabilities_of", "identity_of"]

_ECHOES = frozenset({"hosted_vllm", "text-completion-openai"})
"""Providers whose /completions returns the logprobs of the prompt. llama.cpp, LM Studio, Ollama and all that
LiteLLM routes to /chat/completions would give wrong loglikelihoods, or none."""

_OPENAI_ECHO_MODELS = frozenset({"davinci-002", "babbage-002"})
"""At OpenAI itself only the base models return them."""


_SHOWS_TOKENS = frozenset(("openai", "azure", "hosted_vllm", "lm_studio", "llamafile", "deepseek"))
"""Providers whose chat replies show the likeliest tokens; LiteLLM asks it of few others."""
_SHOWS_NONE = re.compile(r"^(gpt-5|o[1-9])|reasoner")
"""Models that do not, though their provider does."""

LANES = ("auto", *get_args(Lane))
"""Values of --lane and EVALKIT_LANE."""


class LiteModel(ModelBase):
    """A served model; LiteLLM is imported at its first call."""

    cacheable = True

    def __init__(self, resolved: Resolved) -> None:
        super().__init__()
        settings = resolved.settings
        self.resolved = resolved
        self.name = resolved.name
        self.capabilities = capabilities_of(resolved)
        self.max_connections = settings.max_connections
        self.identity = identity_of(resolved)
        self.use_lane(os.environ.get("EVALKIT_LANE") or "auto")

    def use_lane(self, lane: str) -> None:
        """Make the calls by this lane, or by a slower one where it does not work; auto, the fastest.

        Raises UsageError for a lane that there is not.
        """
        if lane not in LANES:
            near = did_you_mean(lane, LANES)
            raise UsageError(f"the lane is {lane!r}; write {', '.join(LANES)} (--lane, EVALKIT_LANE).{near}")
        chosen = next((each for each in get_args(Lane) if each == lane), None)
        self._served = Served(self.resolved, chosen, folder=findings_folder())

    @property
    def lane(self) -> Lane:
        """The lane in which the next call is made."""
        return self._served.lane

    @property
    def notes(self) -> tuple[str, ...]:  # type: ignore[override]
        """How the calls were made."""
        return self._served.notes

    async def generate(self, request: Request) -> Response:
        """The text that continues the messages."""
        return await self._served.call(request)

    async def loglikelihood(self, request: Request) -> Response:
        """The loglikelihoods of the continuations, or of the text."""
        needed = "rolling" if request.kind == "rolling" else "loglikelihood"
        if needed not in self.capabilities:
            raise unsupported(self.name, needed, "its provider returns no logprobs of given text")
        return await self._served.call(request)

    async def aclose(self) -> None:
        """Nothing; closes connections."""
        await self._served.aclose()


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
