"""Served models for tests: on a test server, asked, closed."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from server import Server

from evalkit.core.errors import CallError
from evalkit.core.records import Message, Request, Response
from evalkit.models.lite import LiteModel
from evalkit.models.making import make_model
from evalkit.models.resolution import resolve_model
from evalkit.models.settings import ModelSettings

KEY = "sk-test-0123456789abcdef"
"""The key that all calls carry, from the variable TEST_KEY."""

NATIVE = ("anthropic", "gemini", "ollama_chat")
"""Providers whose address has no /v1."""

OUTSIDE = ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_API_BASE", "ANTHROPIC_API_KEY", "GEMINI_API_KEY")
"""Variables of whoever runs the tests that must not be seen."""


def set_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing; TEST_KEY is set, and no key from outside is there."""
    for name in OUTSIDE:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TEST_KEY", KEY)


def model_at(server: Server | str, route: str = "openai/gpt-4", **settings: Any) -> LiteModel:
    """The model of `route` on a server."""
    address = server if isinstance(server, str) else server.url
    if not isinstance(server, str) and route.partition("/")[0] in NATIVE:
        address = server.address
    given = ModelSettings(
        route, api_base=address, **{"api_key_env": "TEST_KEY", "timeout_s": 10.0, **settings}
    )
    model = make_model(resolve_model("m", {"m": given}))
    assert isinstance(model, LiteModel)
    return model


def ask(text: str = "What is 6*7?", **params: Any) -> Request:
    """A generate request with one user message."""
    return Request("generate", "m", (Message("user", text),), params={"max_tokens": 64, **params})


def run(model: LiteModel, *requests: Request) -> list[Response]:
    """The responses to the requests, asked all at once; the model is closed after."""

    async def work() -> list[Response]:
        try:
            calls = (
                model.generate(each) if each.kind == "generate" else model.loglikelihood(each)
                for each in requests
            )
            return list(await asyncio.gather(*calls))
        finally:
            await model.aclose()

    return asyncio.run(work())


def failure(model: LiteModel, request: Request | None = None) -> CallError:
    """The error with which a call fails."""
    with pytest.raises(CallError) as caught:
        run(model, request or ask())
    return caught.value
