"""Attention inside a stream of bundles: a token sees what stands before it in its own branch, nothing else.

The trunk of a bundle keeps the fast causal kernel; only the small tree behind it takes a mask. transformers
calls `attend` for every layer (`AttentionInterface`), so that linear layers run over the whole stream at
once, without padding, and keys and values are never copied but for shared beginnings.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

__all__ = ["NAME", "Layers", "Span", "Stream", "UnsharedError", "attend", "register", "streaming"]

NAME = "evalkit_stream"
"""Under which transformers knows this attention; outside a stream it is `sdpa`."""

_ACTIVE = threading.local()


class UnsharedError(RuntimeError):
    """The model's attention does something that a stream cannot."""


Layers = list[tuple[Any, Any]]
"""Keys and values of every layer, each (1, heads, tokens, width)."""


@dataclass(frozen=True, slots=True)
class Span:
    """A bundle's place in the stream."""

    start: int
    trunk: int
    """Where its trunk ends: up to there every token sees all before it."""
    end: int
    mask: Any
    """(1, 1, queries, keys), added to the scores; the queries are the tree's tokens, or all after a past."""
    past: Layers | None
    """Keys and values of the shared beginning; None without one."""


@dataclass
class Stream:
    """One pass."""

    spans: Sequence[Span]
    kept: Layers | None = None
    """Collects keys and values of the whole stream, behind those of the past; None: they are let go."""
    longest: int = 0
    """The longest branch in tokens, its past included."""
    layer: int = field(default=0, init=False)


def register() -> None:
    """Nothing; makes the attention known to transformers."""
    from transformers import AttentionInterface, AttentionMaskInterface

    masks: Any = AttentionMaskInterface
    AttentionInterface.register(NAME, attend)
    masks.register(NAME, masks()["sdpa"])


@contextmanager
def streaming(stream: Stream) -> Iterator[None]:
    """Inside, this thread's attention follows the stream."""
    _ACTIVE.stream = stream
    try:
        yield
    finally:
        _ACTIVE.stream = None


def attend(
    module: Any, query: Any, key: Any, value: Any, attention_mask: Any, **settings: Any
) -> tuple[Any, None]:
    """The attention of one layer, (batch, tokens, heads, width). Raises UnsharedError for what it cannot."""
    stream: Stream | None = getattr(_ACTIVE, "stream", None)
    if stream is None:
        from transformers import AttentionInterface

        known: Any = AttentionInterface
        found: tuple[Any, None] = known()["sdpa"](module, query, key, value, attention_mask, **settings)
        return found
    if (
        settings.get("softcap") is not None
        or settings.get("position_bias") is not None
        or query.shape[0] != 1
    ):
        raise UnsharedError("this attention has a bias or a cap of its own")
    window = settings.get("sliding_window")
    if window is not None and stream.longest > window:
        raise UnsharedError(f"a branch of {stream.longest} tokens does not fit the window of {window}")
    return _attend(stream, query, key, value, settings.get("scaling")), None


def _attend(stream: Stream, query: Any, key: Any, value: Any, scale: float | None) -> Any:
    import torch

    product = torch.nn.functional.scaled_dot_product_attention
    layer, stream.layer = stream.layer, stream.layer + 1
    if stream.kept is not None:
        past = stream.spans[0].past
        stream.kept.append(
            (key, value)
            if past is None
            else (torch.cat([past[layer][0], key], 2), torch.cat([past[layer][1], value], 2))
        )
    groups = query.shape[1] // key.shape[1]
    heads, n_tokens = query.shape[1:3]
    out = query.new_empty((1, n_tokens, heads, value.shape[-1]))
    for span in stream.spans:
        a, b, c = span.start, span.trunk, span.end
        keys, values = key[:, :, a:c], value[:, :, a:c]
        if span.past is not None:
            keys = torch.cat([span.past[layer][0], keys], 2)
            values = torch.cat([span.past[layer][1], values], 2)
        if groups > 1:
            keys, values = keys.repeat_interleave(groups, 1), values.repeat_interleave(groups, 1)
        if span.past is not None:
            found = product(query[:, :, a:c], keys, values, attn_mask=span.mask, scale=scale)
            out[:, a:c] = found.transpose(1, 2)
            continue
        found = product(
            query[:, :, a:b], keys[:, :, : b - a], values[:, :, : b - a], is_causal=True, scale=scale
        )
        out[:, a:b] = found.transpose(1, 2)
        if c > b:
            found = product(query[:, :, b:c], keys, values, attn_mask=span.mask, scale=scale)
            out[:, b:c] = found.transpose(1, 2)
    return out
