"""Where a generated text ends: stop strings, found as the tokens come, whatever tokens they are made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["StopMatcher", "cut", "stop_tokens"]


def cut(text: str, stops: Sequence[str]) -> tuple[str, bool]:
    """The text before the first of the stop strings, and whether there was one."""
    position = min((at for at in (text.find(stop) for stop in stops if stop) if at >= 0), default=-1)
    return (text, False) if position < 0 else (text[:position], True)


def stop_tokens(tokenizer: Any, stops: Sequence[str]) -> frozenset[int]:
    """The stop strings that are special tokens of the tokenizer, such as <|im_end|>: their ids.

    Special tokens do not appear in a decoded text, so that no search in it would find them.
    """
    special = set(tokenizer.all_special_ids)
    known = tokenizer.get_added_vocab()
    return frozenset(known[stop] for stop in stops if known.get(stop) in special)


class StopMatcher:
    """Follows one row's tokens and says when a stop string is complete.

    The text grows as a stream: bytes of a character that is not complete yet are held back, and each new
    piece is searched together with as much of the text before as a stop string may reach into.
    """

    def __init__(self, tokenizer: Any, stops: Sequence[str]) -> None:
        self.stops = tuple(stop for stop in stops if stop)
        self._tokenizer = tokenizer
        self._tokens: list[int] = []
        self._reach = max(map(len, self.stops), default=1) - 1
        self._tail = ""
        self._stream = _stream(tokenizer) if self.stops else None

    def push(self, token: int) -> bool:
        """Whether the token completes a stop string in the text of all tokens so far."""
        if not self.stops:
            return False
        self._tokens.append(token)
        if self._stream is None:
            return any(stop in self.text() for stop in self.stops)
        try:
            piece = self._stream.step(self._tokenizer.backend_tokenizer, token)
        except Exception:  # the stream has lost its place; the whole text is searched from here on
            self._stream = None
            return any(stop in self.text() for stop in self.stops)
        if not piece:
            return False
        window = self._tail + piece
        self._tail = window[-self._reach :] if self._reach else ""
        found = any(stop in window for stop in self.stops)
        # What the stream shows is not always what the whole decodes to: the whole has the last word.
        return found and any(stop in self.text() for stop in self.stops)

    def text(self) -> str:
        """The tokens so far as text, special tokens left out."""
        return str(self._tokenizer.decode(self._tokens, skip_special_tokens=True))


def _stream(tokenizer: Any) -> Any:
    """What decodes token by token; None for a tokenizer that is not of the `tokenizers` library."""
    if not getattr(tokenizer, "is_fast", False) or tokenizer.clean_up_tokenization_spaces:
        return None
    from tokenizers.decoders import DecodeStream

    return DecodeStream(skip_special_tokens=True)
