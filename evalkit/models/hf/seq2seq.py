"""Encoder-decoder models (T5, BART): the prompt goes to the encoder, the answer is the decoder's.

Rules of lm_eval 0.4.13: the prompt is tokenised with the tokenizer's special tokens, the continuation
without; white space at the end of the prompt goes to the continuation; a prompt that is too long keeps its
end. A whole text has no likelihood of its own here: the decoder's is conditional on what the encoder read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from transformers import DynamicCache, EncoderDecoderCache

from evalkit.core.errors import CallError
from evalkit.core.records import Loglikelihood
from evalkit.models.hf._transformers import cache_name
from evalkit.models.hf.batching import BatchSize
from evalkit.models.hf.encoding import encode_texts
from evalkit.models.hf.engine import ChoiceItem, Generated, GenerationItem, Scores, TextItem
from evalkit.models.hf.loading import Loaded
from evalkit.models.hf.plain_generation import generate_plainly, pad_token
from evalkit.models.hf.rows import CUT_NOTE, make_rows
from evalkit.models.protocol import unsupported

__all__ = ["Seq2SeqEngine"]


@dataclass
class _Source:
    """A prompt in tokens and all continuations that are asked after it."""

    tokens: list[int]
    continuations: dict[tuple[int, ...], Loglikelihood | None] = field(default_factory=dict)


class Seq2SeqEngine:
    """The engine of encoder-decoder models."""

    def __init__(self, loaded: Loaded, size: BatchSize) -> None:
        self._loaded = loaded
        self._size = size
        self._cache_name = cache_name(loaded.model)

    def loglikelihood(self, items: Sequence[ChoiceItem]) -> Iterator[tuple[int, Scores | CallError]]:
        """The likelihoods of the continuations, each prompt read by the encoder once."""
        pairs = _encode(self._loaded, items)
        sources: dict[tuple[int, ...], _Source] = {}
        waiting: dict[int, list[int]] = {}
        for number, (prompt, continuations) in enumerate(pairs):
            kept = prompt[-self._loaded.max_length :]
            source = sources.setdefault(tuple(kept), _Source(kept))
            source.continuations.update(dict.fromkeys(map(tuple, continuations)))
            waiting.setdefault(id(source), []).append(number)
        rows = sorted(sources.values(), key=lambda source: (-len(source.tokens), source.tokens))
        for batch, _ in self._size.compute(rows, lambda source: len(source.tokens), self._score):
            for source in batch:
                for number in waiting[id(source)]:
                    yield number, _scores(source, *pairs[number])

    def rolling(self, items: Sequence[TextItem]) -> Iterator[tuple[int, Scores | CallError]]:
        """Nothing but errors: there is no likelihood of a text without a prompt."""
        why = "the likelihoods of an encoder-decoder model are conditional on a prompt"
        for number in range(len(items)):
            yield number, unsupported(self._loaded.name, "rolling", why)

    def generate(self, items: Sequence[GenerationItem]) -> Iterator[tuple[int, Generated | CallError]]:
        """The decoder's text for each prompt."""
        rows, failed = make_rows(self._loaded, items)
        yield from failed
        for row in generate_plainly(self._loaded, self._size, rows):
            result = row.result(self._loaded.tokenizer)
            yield from ((number, result) for number in row.numbers)

    @torch.inference_mode()
    def _score(self, sources: Sequence[_Source]) -> None:
        """Nothing; fills in the likelihoods after these prompts."""
        loaded = self._loaded
        longest = max(len(source.tokens) for source in sources)
        tokens = torch.full((len(sources), longest), pad_token(loaded), dtype=torch.long)
        mask = torch.zeros((len(sources), longest), dtype=torch.long)
        for number, source in enumerate(sources):
            tokens[number, : len(source.tokens)] = torch.tensor(source.tokens)
            mask[number, : len(source.tokens)] = 1
        mask = mask.to(loaded.device)
        states = loaded.model.get_encoder()(input_ids=tokens.to(loaded.device), attention_mask=mask)[0]
        start = torch.full((len(sources), 1), _start_token(loaded), device=loaded.device)
        memory = EncoderDecoderCache(DynamicCache(), DynamicCache())
        first = self._decode(states, mask, start, memory)
        rows = [
            (number, continuation)
            for number, source in enumerate(sources)
            for continuation in source.continuations
        ]
        rows.sort(key=lambda row: len(row[1]))
        count = max(1, self._size.tokens // longest)
        for begin in range(0, len(rows), count):
            self._score_rows(sources, rows[begin : begin + count], states, mask, first, memory)

    def _score_rows(
        self,
        sources: Sequence[_Source],
        rows: Sequence[tuple[int, tuple[int, ...]]],
        states: torch.Tensor,
        mask: torch.Tensor,
        first: torch.Tensor,
        memory: EncoderDecoderCache,
    ) -> None:
        """Nothing; fills in the likelihoods of (number of the source, continuation)."""
        width = max((len(continuation) for _, continuation in rows), default=0)
        if not width:
            for number, continuation in rows:
                sources[number].continuations[continuation] = Loglikelihood(0.0, 0, True)
            return
        targets = torch.zeros((len(rows), width), dtype=torch.long)
        scored = torch.zeros((len(rows), width), dtype=torch.bool)
        for place, (_, continuation) in enumerate(rows):
            targets[place, : len(continuation)] = torch.tensor(continuation)
            scored[place, : len(continuation)] = True
        targets, scored = targets.to(states.device), scored.to(states.device)
        chosen = torch.tensor([number for number, _ in rows], device=states.device)
        logits = first[chosen]
        if width > 1:
            forked = _fork(memory, chosen)
            rest = self._decode(states[chosen], mask[chosen], targets[:, :-1], forked)
            logits = torch.cat([logits, rest], 1)
        logprobs = torch.log_softmax(logits, -1).gather(-1, targets[..., None])[..., 0]
        sums = torch.where(scored, logprobs.double(), 0.0).sum(-1).tolist()
        greedy = ((logits.argmax(-1) == targets) | ~scored).all(-1).tolist()
        for (number, continuation), logprob, likeliest in zip(rows, sums, greedy, strict=True):
            sources[number].continuations[continuation] = Loglikelihood(
                min(0.0, logprob), len(continuation), likeliest
            )

    def _decode(
        self, states: torch.Tensor, mask: torch.Tensor, tokens: torch.Tensor, memory: EncoderDecoderCache
    ) -> torch.Tensor:
        """The decoder's logits after each of the tokens, in float32; the memory grows by them."""
        output = self._loaded.model(
            encoder_outputs=(states,),
            attention_mask=mask,
            decoder_input_ids=tokens,
            use_cache=True,
            **{self._cache_name: memory},
        )
        return output.logits.float()  # type: ignore[no-any-return]


def _encode(loaded: Loaded, items: Sequence[ChoiceItem]) -> list[tuple[list[int], list[list[int]]]]:
    """(prompt, continuations) of each item in tokens; after an empty prompt stands BOS, else EOS."""
    kept = [item.prompt.text.rstrip() if item.prompt.text else "" for item in items]
    texts = [
        [f"{item.prompt.text[len(text) :]}{continuation}" for continuation in item.continuations]
        for item, text in zip(items, kept, strict=True)
    ]
    prompts: dict[int, list[int]] = {}
    for templated in (False, True):
        chosen = [number for number, item in enumerate(items) if item.prompt.templated == templated]
        encoded = encode_texts(
            loaded, [kept[number] for number in chosen], special=False if templated else None
        )
        prompts.update(zip(chosen, encoded, strict=True))
    flat = iter(encode_texts(loaded, [text for group in texts for text in group], special=False))
    prefix = loaded.prefix_token
    found = []
    for number, group in enumerate(texts):
        prompt = prompts[number]
        if not items[number].prompt.text and prefix is not None:
            prompt = [prefix]
        found.append((prompt, [next(flat)[-loaded.max_length :] for _ in group]))
    return found


def _scores(source: _Source, prompt: Sequence[int], continuations: Sequence[Sequence[int]]) -> Scores:
    found = [source.continuations[tuple(continuation)] for continuation in continuations]
    notes = (CUT_NOTE,) if len(source.tokens) < len(prompt) else ()
    return Scores(tuple(item for item in found if item is not None), len(prompt), notes)


def _start_token(loaded: Loaded) -> int:
    """The token with which the decoder begins."""
    configs: Sequence[Any] = (loaded.model.generation_config, loaded.config)
    names = ("decoder_start_token_id", "bos_token_id")
    found = (getattr(config, name, None) for name in names for config in configs)
    token = next((token for token in found if token is not None), None)
    if token is None:
        raise CallError(
            f"{loaded.name}: its configuration names no token with which the decoder begins",
            kind="unsupported",
            action="stop_model",
        )
    return int(token[0] if isinstance(token, list) else token)


def _fork(memory: EncoderDecoderCache, rows: torch.Tensor) -> EncoderDecoderCache:
    """The keys and values of these rows, in a cache of their own."""
    parts = []
    for cache in (memory.self_attention_cache, memory.cross_attention_cache):
        part = DynamicCache()
        layers: Sequence[Any] = cache.layers
        for number, layer in enumerate(layers):
            part.update(layer.keys[rows], layer.values[rows], number)
        parts.append(part)
    return EncoderDecoderCache(*parts)
