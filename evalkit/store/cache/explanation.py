"""Why a request hits or misses the cache: the entry that answers it, else the nearest and what differs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from evalkit.core.records import Request
from evalkit.store.cache.entry import cache_key, question
from evalkit.store.cache.store import Cache

_NEAREST = 3
_SHOWN = 160


@dataclass(frozen=True, slots=True)
class Difference:
    """A part of the key in which an entry is not the request."""

    part: str
    """Its place, such as params.temperature or messages[0].content."""
    asked: str
    """Its value in the request, as JSON, shortened round the first difference."""
    kept: str
    """Its value in the entry."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """An entry that does not answer the request, but nearly."""

    key: str
    created: str
    status: str
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """What the cache says to a request."""

    key: str
    question: Mapping[str, Any]
    """Every part of the key."""
    created: str | None = None
    """When the entry that answers was made; None for a miss."""
    status: str | None = None
    neighbours: tuple[Neighbour, ...] = field(default=())
    """The nearest entries of the same model, nearest first; empty for a hit."""

    @property
    def hit(self) -> bool:
        """Whether the answer is there."""
        return self.created is not None


def explain_request(cache: Cache, request: Request, identity: Mapping[str, Any]) -> Explanation:
    """Whether the cache answers the request, and if not, what differs from the nearest entries."""
    key = cache_key(request, identity)
    asked = _normal(question(request, identity))
    nearest: list[tuple[int, int, Neighbour]] = []
    for number, row in enumerate(cache.rows(request.model)):
        if row["key"] == key:
            return Explanation(key, asked, row["created"], row["status"])
        differences = tuple(_differences(asked, orjson.loads(row["request"])))
        weight = sum(
            3 if item.part.startswith(("messages", "text", "continuations")) else 1 for item in differences
        )
        nearest.append((weight, -number, Neighbour(row["key"], row["created"], row["status"], differences)))
        nearest = sorted(nearest, key=lambda item: item[:2])[:_NEAREST]
    return Explanation(key, asked, neighbours=tuple(item for _, _, item in nearest))


def find_request(cache: Cache, model: str, wanted: str) -> Request | None:
    """The request with this digest that an entry of the model answers; None when there is none.

    Of texts only: a request of messages is kept by the run that asked it.
    """
    for row in cache.rows(model):
        kept = orjson.loads(row["request"])
        if kept.get("digest") == wanted and not kept.get("messages"):
            continuations, params = tuple(kept["continuations"]), kept["params"]
            return Request(
                kept["kind"], model, (), continuations, kept["text"], params, repeat=kept["repeat"]
            )
    return None


def _normal(value: Any) -> Any:
    return orjson.loads(orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS))


def _differences(asked: Any, kept: Any, place: str = "") -> list[Difference]:
    """The places in which two JSON values differ."""
    if isinstance(asked, dict) and isinstance(kept, dict):
        found = []
        for name in sorted(asked.keys() | kept.keys()):
            if place or name != "digest":
                inner = f"{place}.{name}" if place else name
                found += _differences(asked.get(name, "(none)"), kept.get(name, "(none)"), inner)
        return found
    if isinstance(asked, list) and isinstance(kept, list) and len(asked) == len(kept):
        pairs = enumerate(zip(asked, kept, strict=True))
        return [item for i, (a, b) in pairs for item in _differences(a, b, f"{place}[{i}]")]
    return [] if asked == kept else [Difference(place, *_shortened(_json(asked), _json(kept)))]


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


def _shortened(first: str, second: str) -> tuple[str, str]:
    """Both texts from shortly before their first difference."""
    at = next((i for i, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), 0)
    start = max(0, at - 30)
    cut = [("…" if start else "") + text[start : start + _SHOWN] for text in (first, second)]
    return cut[0], cut[1]
