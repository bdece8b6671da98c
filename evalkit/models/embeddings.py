"""Models that turn a text into a vector, through LiteLLM.

A vector is asked for like an answer: the text is the message of the request, and the response's text is the
vector (32-bit floats, little endian, in base64). So cache, limits, retries and budget take it for any other
call.
"""

from __future__ import annotations

import base64
import binascii
import math
import os
import struct
from collections.abc import Sequence
from typing import Any

from evalkit.core.errors import CallError, ModelError
from evalkit.core.records import Request, Response, Usage
from evalkit.models import replies
from evalkit.models.calls import RefusedError
from evalkit.models.lite import identity_of
from evalkit.models.memory import findings_folder
from evalkit.models.protocol import ModelBase
from evalkit.models.resolution import BUILT_IN, Resolved
from evalkit.models.served import Served
from evalkit.models.wire import Exchange

__all__ = ["Embedder", "make_embedder", "read_vector", "write_vector"]


def write_vector(values: Sequence[float]) -> str:
    """The numbers as text: 32-bit floats, little endian, in base64."""
    return base64.b64encode(struct.pack(f"<{len(values)}f", *values)).decode()


def read_vector(text: str | None) -> tuple[float, ...]:
    """The numbers of such a text. Raises ModelError where it is none."""
    try:
        raw = base64.b64decode(text or "", validate=True)
        return struct.unpack(f"<{len(raw) // 4}f", raw)
    except (binascii.Error, struct.error) as error:
        raise ModelError(f"this is no embedding: {(text or '')[:40]!r}") from error


_AS_NUMBERS = frozenset({"openai", "litellm_proxy"})
"""Providers whose embeddings OpenAI's SDK would ask for as base64, with a decoder of its own."""


class Embedder(ModelBase):
    """A served embedding model; LiteLLM is imported at its first call."""

    cacheable = True

    def __init__(self, resolved: Resolved) -> None:
        super().__init__()
        self.resolved = resolved
        self.name = resolved.name
        self.max_connections = resolved.settings.max_connections
        self.identity = {**identity_of(resolved), "use": "embedding"}
        self._served = _Embeddings(resolved)

    async def generate(self, request: Request) -> Response:
        """The vector of the request's message. Raises CallError."""
        return await self._served.call(request)

    async def aclose(self) -> None:
        """Nothing; closes connections."""
        await self._served.aclose()


def make_embedder(resolved: Resolved) -> Embedder:
    """The embedding model behind a resolved name. Raises ModelError for models that are not served."""
    if resolved.provider in BUILT_IN:
        raise ModelError(
            f"{resolved.name} makes no embeddings; name a served model, such as "
            "openai/text-embedding-3-small or ollama/nomic-embed-text"
        )
    return Embedder(resolved)


class _Embeddings(Served):
    """Calls of an embedding model through LiteLLM's `aembedding`."""

    def __init__(self, resolved: Resolved) -> None:
        lane = os.environ.get("EVALKIT_LANE")
        super().__init__(resolved, "stock" if lane == "stock" else "safe", folder=findings_folder())

    async def call(self, request: Request) -> Response:
        """The vector of the request's message, or CallError."""
        exchange = Exchange(deadline_s=self._ladder.connection.timeout_s)
        given = {**self._settings.params, **request.params, "input": [request.messages[-1].text]}
        if self._provider in _AS_NUMBERS:
            given["encoding_format"] = "float"
        try:
            reply, seconds = await self._ladder.ask("aembedding", given, exchange)
        except RefusedError as refusal:
            raise CallError(str(refusal), kind="bad_request", action="fail_sample") from None
        n_input = replies.usage_of(reply).input
        return Response(
            text=write_vector(self._vector(reply)),
            usage=Usage(input=n_input, output=0),
            cost_usd=replies.cost(Usage(input=n_input, output=0), self._price),
            latency_s=seconds,
            model_reported=replies.reported(getattr(reply, "model", None), self._provider),
        )

    def _vector(self, reply: Any) -> Sequence[float]:
        """The reply's only vector; CallError where there is none that a direction can be told of."""
        data = getattr(reply, "data", None) or [None]
        first = data[0]
        value = first.get("embedding") if isinstance(first, dict) else getattr(first, "embedding", None)
        if isinstance(value, str):  # some servers send base64 whatever was asked for
            try:
                value = read_vector(value)
            except ModelError as error:
                raise CallError(f"{self._name}: {error}", kind="invalid_response", action="retry") from None
        numbers = list(value) if isinstance(value, list | tuple) else []
        sound = all(isinstance(n, int | float) and math.isfinite(n) for n in numbers)
        if not sound or not any(numbers):
            raise CallError(
                f"{self._name}: the reply holds no embedding", kind="invalid_response", action="retry"
            )
        return numbers
