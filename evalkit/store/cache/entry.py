"""An entry of the cache: its key, the question in full, and the response, all as JSON and never as pickle."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson

from evalkit.core.records import Request, Response, digest, encode_message


def cache_key(request: Request, identity: Mapping[str, Any]) -> str:
    """The key of a request to a model of this identity, in hexadecimal."""
    return digest({"request": request.digest, "identity": dict(identity)})


def question(request: Request, identity: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Everything that decides an answer, part by part: what the key is the digest of."""
    return {
        "kind": request.kind,
        "model": request.model,
        "messages": [encode_message(message) for message in request.messages],
        "continuations": list(request.continuations),
        "text": request.text,
        "params": dict(request.params),
        "repeat": request.repeat,
        "identity": dict(identity or {}),
        "digest": request.digest,
    }


FORMAT = "evalkit-cache-2"
"""Of a file of entries: each with a digest of itself. Those of version 1 have none."""
HEAD = orjson.dumps({"format": FORMAT}) + b"\n"
"""The first line of such a file."""


def make_line(row: Mapping[str, Any]) -> bytes:
    """A row of the table as a line of such a file."""
    line = {name: row[name] for name in ("key", "model", "created", "status")}
    line |= {name: orjson.loads(row[name]) for name in ("request", "response")}
    line["digest"] = digest(line)
    return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)


_ASKED = ("kind", "model", "messages", "continuations", "text", "params", "repeat")
"""The parts of a question that its digest is made of."""


def check_key(key: str, model: str, asked: Mapping[str, Any]) -> None:
    """Nothing; raises ValueError where a key is not that of the question, made again from its parts."""
    lacking = [name for name in (*_ASKED, "identity", "digest") if name not in asked]
    if lacking:
        raise ValueError(f"its question has no {lacking[0]}, so that its key cannot be made again")
    if asked["model"] != model:
        raise ValueError("its model is not that of its question")
    if digest({name: asked[name] for name in _ASKED}) != asked["digest"]:
        raise ValueError("its question is not the one that was asked")
    if digest({"request": asked["digest"], "identity": asked["identity"]}) != key:
        raise ValueError("its key is not that of its question")


def make_row(
    key: str, request: Request, response: Response, identity: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The entry as a row of the table."""
    options = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS
    return {
        "key": key,
        "model": request.model,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "status": response.status,
        "request": orjson.dumps(question(request, identity), default=str, option=options),
        "response": orjson.dumps(response),
    }


def read_response(content: bytes) -> Response:
    """The response of an entry, marked as from the cache. Raises ValueError or TypeError."""
    response: Response = _adapter().validate_json(content)
    return replace(response, from_cache=True)


@functools.cache
def _adapter() -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(Response)
