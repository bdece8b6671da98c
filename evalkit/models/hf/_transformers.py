"""What differs between versions of transformers, and what it does not promise: each with a way to go on."""

from __future__ import annotations

import inspect
from typing import Any

__all__ = ["attention_of", "cache_name"]


def cache_name(model: Any) -> str:
    """How this model's forward calls the keys and values that it is given.

    `cache` from transformers 5.24 on, which warns of the older `past_key_values`; a model's own code keeps
    that name. A forward that hands everything on is asked for the one that it overrides.
    """
    overridden = [vars(kind)["forward"] for kind in type(model).__mro__ if "forward" in vars(kind)]
    for forward in (model.forward, *overridden):
        named = {"cache", "past_key_values"} & inspect.signature(forward).parameters.keys()
        if named:
            return min(named)
    return "past_key_values"


def attention_of(config: Any) -> str | None:
    """The implementation of attention that the model runs with, as `sdpa`; None where it does not tell.

    transformers documents how it is set, not how it is read. Where it is unknown, the attention is left as it
    is, and each sequence is computed alone.
    """
    found = getattr(config, "_attn_implementation", None)
    return found if isinstance(found, str) else None
