"""What becomes of generate requests: rows, each a prompt in tokens and how it is to be continued."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from evalkit.core.errors import CallError
from evalkit.models.hf.encoding import encode_texts
from evalkit.models.hf.engine import Generated, GenerationItem
from evalkit.models.hf.loading import Loaded
from evalkit.models.hf.sampling import Draw, Sampling, parse_params
from evalkit.models.hf.stopping import StopMatcher, cut, stop_tokens

__all__ = ["CUT_NOTE", "Row", "end_tokens", "make_rows"]

CUT_NOTE = "the prompt was longer than the model can take beside its answer: its beginning was left out"
_SHORT_ANSWER_NOTE = "max_tokens does not fit into the model's context: the answer may be shorter"


@dataclass
class Row:
    """One text on its way: a prompt, how it is continued, and what has come so far."""

    numbers: list[int]
    """The items that get this text: equal greedy requests are generated once."""
    prompt: list[int]
    sampling: Sampling
    limit: int
    """Most tokens of the answer."""
    stops: tuple[str, ...]
    ends: frozenset[int]
    """Tokens that end the text."""
    seed: str
    n_input: int
    """Tokens of the prompt before any were left out."""
    notes: tuple[str, ...] = ()
    written: list[int] = field(default_factory=list)
    reason: str | None = None
    """stop or length, once finished."""
    rng: random.Random = field(default_factory=random.Random)
    matcher: StopMatcher | None = None

    def begin(self, tokenizer: Any) -> None:
        """Nothing; the text starts anew, with the same randomness."""
        self.written, self.reason = [], None
        self.rng = random.Random(self.seed)
        self.matcher = StopMatcher(tokenizer, self.stops)

    def draw(self) -> Draw:
        """What is needed to choose the next token."""
        chance = self.rng.random() if self.sampling.temperature > 0 else 0.0
        return Draw(self.sampling, chance, self.prompt, self.written)

    def take(self, token: int) -> bool:
        """Whether the text is finished with this token."""
        self.written.append(token)
        if token in self.ends or (self.matcher is not None and self.matcher.push(token)):
            self.reason = "stop"
        elif len(self.written) >= self.limit:
            self.reason = "length"
        return self.reason is not None

    def result(self, tokenizer: Any, notes: Sequence[str] = ()) -> Generated:
        """The finished text, cut at the first stop string."""
        tokens = self.written
        if tokens and tokens[-1] in self.ends:
            tokens = tokens[:-1]
        text, stopped = cut(str(tokenizer.decode(tokens, skip_special_tokens=True)), self.stops)
        reason = "stop" if stopped else self.reason or "length"
        return Generated(text, reason, self.n_input, len(self.written), (*self.notes, *notes))


def make_rows(
    loaded: Loaded, items: Sequence[GenerationItem]
) -> tuple[list[Row], list[tuple[int, CallError]]]:
    """The rows to generate, equal greedy ones once; and the items that cannot be asked, with why.

    A prompt that does not fit beside its answer keeps its end: max_length - max_tokens tokens, as lm_eval
    0.4.13 does. Where the answer alone would take more than half of the context, the prompt keeps a half.
    """
    tokens: dict[int, list[int]] = {}
    for templated in (False, True):
        chosen = [n for n, item in enumerate(items) if item.prompt.templated == templated]
        texts = [items[number].prompt.text for number in chosen]
        encoded = encode_texts(loaded, texts, special=False if templated else None)
        tokens.update(zip(chosen, encoded, strict=True))
    own, ends = own_settings(loaded), end_tokens(loaded)
    rows: dict[Any, Row] = {}
    failed: list[tuple[int, CallError]] = []
    for number, item in enumerate(items):
        try:
            sampling, limit, stops, notes = parse_params(item.params, own, loaded.name)
        except CallError as error:
            failed.append((number, error))
            continue
        prompt = tokens[number]
        if not prompt and loaded.prefix_token is not None:
            prompt = [loaded.prefix_token]
        if not prompt:
            failed.append((number, _empty(loaded)))
            continue
        kept, limit, cuts = _fit(prompt, limit, loaded)
        seed = item.seed if sampling.temperature > 0 else ""
        key = (tuple(kept), sampling, limit, stops, seed, len(prompt), notes)
        if key in rows:
            rows[key].numbers.append(number)
            continue
        marks = ends | stop_tokens(loaded.tokenizer, stops)
        rows[key] = Row(
            [number], kept, sampling, limit, stops, marks, item.seed, len(prompt), (*notes, *cuts)
        )
    for row in rows.values():
        row.begin(loaded.tokenizer)
    return list(rows.values()), failed


def _fit(prompt: list[int], limit: int, loaded: Loaded) -> tuple[list[int], int, tuple[str, ...]]:
    """(prompt, most tokens of the answer, notes) that fit into the model together."""
    whole = loaded.max_length
    if loaded.family != "decoder":
        return (prompt, limit, ()) if len(prompt) <= whole else (prompt[-whole:], limit, (CUT_NOTE,))
    if len(prompt) + limit <= whole:
        return prompt, limit, ()
    room = whole - limit
    if room >= len(prompt) or room >= whole // 2:
        return prompt[-room:], limit, (CUT_NOTE,)
    room = min(len(prompt), max(whole // 2, 1))
    notes = (_SHORT_ANSWER_NOTE,) if room == len(prompt) else (CUT_NOTE, _SHORT_ANSWER_NOTE)
    return prompt[-room:], max(whole - room, 1), notes


def _empty(loaded: Loaded) -> CallError:
    return CallError(
        f"{loaded.name}: the prompt is empty, and the tokenizer has no token to begin with",
        kind="bad_request",
        action="fail_sample",
    )


def end_tokens(loaded: Loaded) -> frozenset[int]:
    """The tokens that end a text: the generation configuration's and the tokenizer's."""
    found = getattr(loaded.model.generation_config, "eos_token_id", None)
    ends = set(found) if isinstance(found, list | tuple) else {found}
    return frozenset(int(token) for token in {*ends, loaded.tokenizer.eos_token_id} if token is not None)


def own_settings(loaded: Loaded) -> Mapping[str, Any]:
    """What generation_config.json says and transformers applies to greedy texts, too."""
    config = loaded.model.generation_config
    names = ("repetition_penalty", "num_beams")
    found = {name: getattr(config, name, None) for name in names}
    return {name: value for name, value in found.items() if value is not None}
