"""From messages to text and from text to tokens, by the rules of lm-evaluation-harness 0.4.13."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from evalkit.core.errors import CallError
from evalkit.core.records import ImagePart, Message, encode_message, flatten
from evalkit.models.hf.engine import ChoiceItem, Prompt
from evalkit.models.hf.loading import Description, Loaded, read_json

__all__ = ["Pair", "encode_choices", "encode_texts", "render_prompt"]


def render_prompt(template: str | None, about: Description, messages: Sequence[Message]) -> Prompt:
    """The messages as text: through the chat template, or joined by blank lines without one.

    A last message of the assistant is a prefill, which is left open. A template that knows no system role
    gets the system text in front of the first user message, and the prompt says so. Raises CallError when the
    template refuses the messages.
    """
    contents = (message.content for message in messages)
    if any(
        isinstance(part, ImagePart) for content in contents if isinstance(content, tuple) for part in content
    ):
        raise CallError(f"{about.name} sees no images", kind="unsupported", action="stop_model")
    if template is None:
        return Prompt(flatten(tuple(messages)))
    plain = [encode_message(Message(message.role, message.text)) for message in messages]
    notes: tuple[str, ...] = ()
    try:
        text = _apply(template, about, plain)
    except Exception as error:  # Jinja's errors, and what templates raise themselves
        if plain[0]["role"] != "system" or len(plain) < 2:
            raise _refused(about, error) from error
        merged = {**plain[1], "content": f"{plain[0]['content']}\n\n{plain[1]['content']}"}
        try:
            text = _apply(template, about, [merged, *plain[2:]])
        except Exception as again:
            raise _refused(about, again) from again
        notes = ("the chat template knows no system role: its text stands before the first message",)
    return Prompt(text, templated=True, notes=notes)


def _apply(template: str, about: Description, messages: list[dict[str, Any]]) -> str:
    """The text of the template; after a prefill, up to where the prefill ends."""
    prefill = messages[-1]["role"] == "assistant"
    rendered = _renderer().apply_chat_template(
        messages,
        chat_template=template,
        tokenize=False,
        add_generation_prompt=not prefill,
        continue_final_message=prefill,
        **_special_tokens(str(about.folder)),
    )
    return str(rendered)


@lru_cache(maxsize=1)
def _renderer() -> Any:
    """A tokenizer without words: a template is rendered before the model's own tokenizer is loaded."""
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    kind: Any = PreTrainedTokenizerFast
    return kind(tokenizer_object=Tokenizer(models.BPE()))


@lru_cache(maxsize=16)
def _special_tokens(folder: str) -> Mapping[str, str]:
    """The special tokens that a template may name, as the tokenizer's configuration holds them."""
    found: dict[str, str] = {}
    for file in ("special_tokens_map.json", "tokenizer_config.json"):
        for key, value in (read_json(Path(folder) / file) or {}).items():
            text = value.get("content") if isinstance(value, dict) else value
            if re.fullmatch(r"(bos|eos|unk|sep|pad|cls|mask)_token", key) and isinstance(text, str):
                found[key] = text
    return found


def _refused(about: Description, error: BaseException) -> CallError:
    return CallError(
        f"{about.name}: its chat template refuses the messages ({error}); "
        "--param chat_template=off asks in plain text",
        kind="bad_request",
        action="fail_sample",
    )


def encode_texts(loaded: Loaded, texts: Sequence[str], *, special: bool | None = None) -> list[list[int]]:
    """The tokens of each text. `special`: whether the tokenizer adds its special tokens; None: as it is made,
    but none where the text begins with BOS already."""
    if not texts:
        return []
    if special is not None:
        return _encode(loaded, texts, special)
    prefix = loaded.prefix_token
    start = loaded.tokenizer.decode([prefix]) if prefix is not None else ""
    given = [bool(start) and text.startswith(start) for text in texts]
    if not any(given):
        return _encode(loaded, texts, True)
    plain = iter(_encode(loaded, [text for text, has in zip(texts, given, strict=True) if has], False))
    other = iter(_encode(loaded, [text for text, has in zip(texts, given, strict=True) if not has], True))
    return [next(plain if has else other) for has in given]


def _encode(loaded: Loaded, texts: Sequence[str], special: bool) -> list[list[int]]:
    if not texts:
        return []
    found: list[list[int]] = loaded.tokenizer(
        list(texts),
        add_special_tokens=special,
        return_attention_mask=False,
        return_token_type_ids=False,
        verbose=False,
    )["input_ids"]
    return found


@dataclass(frozen=True, slots=True)
class Pair:
    """A context and one of its continuations, in tokens."""

    context: list[int]
    continuation: list[int]
    note: str | None = None
    """What was done to the two; None when nothing was."""


def encode_choices(loaded: Loaded, items: Sequence[ChoiceItem]) -> list[list[Pair]]:
    """The pairs of each item for a decoder, tokenised in two batches.

    White space at the end of the context goes to the continuation; both are tokenised together and cut where
    the context alone ends; before a continuation without context stands BOS (lm_eval 0.4.13, `_encode_pair`).
    Where a token spans the join and leaves nothing of the continuation, the continuation is tokenised alone.
    """
    contexts: dict[tuple[str, bool], int] = {}
    wholes: dict[tuple[str, bool], int] = {}
    alone: dict[str, int] = {}
    for item in items:
        kept, gap = _split(item.prompt.text)
        if kept:
            contexts.setdefault((kept, item.prompt.templated), len(contexts))
            for text in item.continuations:
                wholes.setdefault((kept + gap + text, item.prompt.templated), len(wholes))
        else:
            for text in item.continuations:
                alone.setdefault(gap + text, len(alone))
    heads = _encode_all(loaded, list(contexts))
    tokens = _encode_all(loaded, list(wholes))
    bare = encode_texts(loaded, list(alone), special=False)
    found = []
    for item in items:
        kept, gap = _split(item.prompt.text)
        pairs = []
        for text in item.continuations:
            if not kept:
                pairs.append(_after_nothing(loaded, bare[alone[gap + text]]))
                continue
            head = heads[contexts[kept, item.prompt.templated]]
            rest = tokens[wholes[kept + gap + text, item.prompt.templated]][len(head) :]
            if rest or not gap + text:
                pairs.append(Pair(head, rest))
            else:
                again = encode_texts(loaded, [gap + text], special=False)[0]
                pairs.append(Pair(head, again, "a token spans context and continuation: tokenised apart"))
        found.append(pairs)
    return found


def _split(context: str) -> tuple[str, str]:
    """The context without the white space at its end, and that white space."""
    kept = context.rstrip()
    return kept, context[len(kept) :]


def _after_nothing(loaded: Loaded, tokens: list[int]) -> Pair:
    prefix = loaded.prefix_token
    if prefix is None or (tokens and tokens[0] == prefix):
        return Pair(tokens[:1], tokens[1:])
    return Pair([prefix], tokens)


def _encode_all(loaded: Loaded, texts: Sequence[tuple[str, bool]]) -> list[list[int]]:
    """The tokens of each (text, whether a chat template wrote it)."""
    plain = iter(encode_texts(loaded, [text for text, templated in texts if not templated]))
    ready = iter(encode_texts(loaded, [text for text, templated in texts if templated], special=False))
    return [next(ready if templated else plain) for _, templated in texts]
