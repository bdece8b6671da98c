"""How many tokens a prompt has, counted before it is sent."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import Any

from evalkit.core.records import Message, encode_message
from evalkit.models import _litellm
from evalkit.models.catalog import tokenizer_folder

__all__ = ["Count", "count_tokens", "rough_count", "tokenizer"]

Count = Callable[[str], float]
"""A text -> its tokens."""


def rough_count(text: str) -> float:
    """About how many tokens a text is: four ASCII characters each, other scripts one and a third a token."""
    n_ascii = len(text.encode("ascii", "ignore"))
    return n_ascii / 4 + (len(text) - n_ascii) * 0.75


def tokenizer(route: str) -> tuple[Count, bool]:
    """What counts the tokens of a text for this model, and whether that is the model's own tokenizer.

    OpenAI's are in LiteLLM's package, and are read without importing it; for others the count is rough.
    """
    provider, _, name = route.partition("/")
    if provider not in ("openai", "azure", "text-completion-openai"):
        return rough_count, False
    encoding = _encoding(name)
    if encoding is None:
        return rough_count, False
    return (lambda text: float(len(encoding.encode(text, disallowed_special=())))), True


@functools.cache
def _encoding(name: str) -> Any:
    """OpenAI's tokenizer of a model; None where it is not known or not at hand."""
    folder = tokenizer_folder()
    if folder is None:
        return None
    before = os.environ.get("TIKTOKEN_CACHE_DIR")
    try:
        import tiktoken

        os.environ["TIKTOKEN_CACHE_DIR"] = before or str(folder)
        kind = tiktoken.encoding_name_for_model(name)
        if not before and not tokenizer_folder(kind):
            return None  # it would be downloaded
        return tiktoken.get_encoding(kind)
    except (ImportError, KeyError, ValueError, OSError):
        return None
    finally:
        if before is None:
            os.environ.pop("TIKTOKEN_CACHE_DIR", None)


def count_tokens(route: str, messages: tuple[Message, ...]) -> int | None:
    """The prompt's tokens by LiteLLM's counter for this model; None where it cannot count.

    The counter knows the tokenizers of OpenAI and takes one of those for other models: approximate there.
    """
    try:
        litellm = _litellm.load()
        return int(litellm.token_counter(model=route, messages=[encode_message(item) for item in messages]))
    except Exception:  # a tokenizer that cannot be loaded raises errors of its own library
        return None
