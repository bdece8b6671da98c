"""Encoder-only models (BERT): pseudo-log-likelihoods, each token predicted from all others.

Definition: Salazar et al. 2020, "Masked Language Model Scoring" (arXiv:1910.14659), equation 1: the sum over
the tokens of log P(token | all other tokens), one masked copy of the text for each. Of a continuation, the
sum goes over its own tokens only, and the prompt is seen by each. With `pll: within_word_l2r`, the later
tokens of the same word are masked too (Kauf and Ivanova 2023, arXiv:2305.10588), so that a long word's first
tokens are not told by its last ones. Neither is a probability of the text: the numbers do not compare with
those of models that read from left to right, and signatures say `pll`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from evalkit.core.errors import CallError
from evalkit.core.records import Loglikelihood
from evalkit.models.hf.batching import BatchSize
from evalkit.models.hf.engine import ChoiceItem, Generated, GenerationItem, Scores, TextItem
from evalkit.models.hf.loading import Loaded
from evalkit.models.hf.plain_generation import pad_token
from evalkit.models.hf.rows import CUT_NOTE
from evalkit.models.protocol import unsupported

__all__ = ["MaskedEngine"]

_MOST_TOKENS = 4_000_000
"""Tokens of the masked copies that are held at a time."""


@dataclass(frozen=True, slots=True)
class _Text:
    """A text as the model reads it, and which of its tokens are scored."""

    tokens: tuple[int, ...]
    """Special tokens included."""
    scored: tuple[int, ...]
    """Positions."""
    words: tuple[int | None, ...]
    """Which word each token belongs to; None for special tokens."""
    cut: bool = False
    """Whether the beginning was left out."""


@dataclass(frozen=True, slots=True)
class _Copy:
    """A text with some tokens masked, of which one is predicted."""

    tokens: tuple[int, ...]
    position: int


@dataclass(slots=True)
class _Sum:
    """A likelihood that is being added up."""

    left: int
    logprob: float = 0.0
    greedy: bool = True
    n_tokens: int = 0


class MaskedEngine:
    """The engine of masked language models."""

    notes = ("pseudo-log-likelihoods (Salazar et al. 2020): they compare with other masked models' only",)
    """What a reader must know of all its numbers."""

    def __init__(self, loaded: Loaded, size: BatchSize) -> None:
        self._loaded = loaded
        self._size = size
        self._frame = _frame(loaded.tokenizer)
        self._mask = loaded.tokenizer.mask_token_id
        if self._mask is None:
            raise CallError(
                f"{loaded.name}: its tokenizer has no mask token", kind="unsupported", action="stop_model"
            )

    def loglikelihood(self, items: Sequence[ChoiceItem]) -> Iterator[tuple[int, Scores | CallError]]:
        """The pseudo-log-likelihoods of the continuations of each item."""
        groups: list[list[_Text]] = []
        failed = {}
        for number, item in enumerate(items):
            try:
                groups.append([self._read(item.prompt.text, text) for text in item.continuations])
            except CallError as error:
                groups.append([])
                failed[number] = error
        yield from failed.items()
        for number, found in self._sums(groups):
            if number in failed:
                continue
            texts = groups[number]
            notes = (CUT_NOTE,) if any(text.cut for text in texts) else ()
            n_input = max((len(text.tokens) - len(text.scored) for text in texts), default=0)
            yield number, Scores(tuple(found), n_input, notes)

    def rolling(self, items: Sequence[TextItem]) -> Iterator[tuple[int, Scores | CallError]]:
        """The pseudo-log-likelihood of each text, in disjoint windows as long as the model takes."""
        groups = [self._windows(item.text) for item in items]
        for number, found in self._sums(groups):
            whole = Loglikelihood(
                min(0.0, sum(part.logprob for part in found)),
                sum(part.n_tokens or 0 for part in found),
                all(part.is_greedy for part in found),
            )
            yield number, Scores((whole,), whole.n_tokens or 0)

    def generate(self, items: Sequence[GenerationItem]) -> Iterator[tuple[int, Generated | CallError]]:
        """Nothing but errors: a masked model writes no text."""
        for number in range(len(items)):
            yield number, unsupported(self._loaded.name, "generate", "it is a masked language model")

    def _read(self, prompt: str, continuation: str) -> _Text:
        """The prompt and its continuation as one text, of which the continuation's tokens are scored.

        A token that begins in the prompt and ends in the continuation is the continuation's. A text that is
        too long loses the beginning of its prompt. Raises CallError when the continuation alone is too long.
        """
        kept = prompt.rstrip()
        text = f"{prompt}{continuation}"
        tokens, words, ends = self._tokenise(text)
        first = next((at for at, end in enumerate(ends) if end > len(kept)), len(tokens))
        room = self._room
        if len(tokens) - first > room:
            raise CallError(
                f"{self._loaded.name}: a continuation of {len(tokens) - first} tokens does not fit into "
                f"{self._loaded.max_length}",
                kind="context_length",
                action="fail_sample",
            )
        start = max(0, len(tokens) - room)
        return self._framed(tokens[start:], words[start:], first - start, cut=start > 0)

    def _windows(self, text: str) -> list[_Text]:
        """The text in disjoint pieces that fit, all their tokens scored."""
        tokens, words, _ = self._tokenise(text)
        room = self._room
        return [
            self._framed(tokens[at : at + room], words[at : at + room], 0)
            for at in range(0, len(tokens), room)
        ]

    @property
    def _room(self) -> int:
        """Tokens of a text beside the special ones."""
        return max(1, self._loaded.max_length - sum(map(len, self._frame)))

    def _tokenise(self, text: str) -> tuple[list[int], list[int | None], list[int]]:
        """(tokens, word of each, where each ends in the text), without special tokens."""
        tokenizer = self._loaded.tokenizer
        if not tokenizer.is_fast:
            raise CallError(
                f"{self._loaded.name}: its tokenizer does not tell where tokens stand in the text; convert "
                "it with transformers (tokenizer.json)",
                kind="unsupported",
                action="stop_model",
            )
        found = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
        return list(found["input_ids"]), list(found.word_ids()), [end for _, end in found["offset_mapping"]]

    def _framed(
        self, tokens: Sequence[int], words: Sequence[int | None], first: int, cut: bool = False
    ) -> _Text:
        """The tokens between the model's special ones; from `first` on they are scored."""
        before, after = self._frame
        scored = range(len(before) + first, len(before) + len(tokens))
        framed_words = (*[None] * len(before), *words, *[None] * len(after))
        return _Text((*before, *tokens, *after), tuple(scored), framed_words, cut)

    def _sums(self, groups: Sequence[Sequence[_Text]]) -> Iterator[tuple[int, list[Loglikelihood]]]:
        """(number, likelihood of each text) of each group, as they come, some groups at a time."""
        begin = size = 0
        for end, group in enumerate(groups, start=1):
            size += sum(len(text.tokens) * len(text.scored) for text in group)
            if size >= _MOST_TOKENS or end == len(groups):
                for number, found in self._sums_of(groups[begin:end]):
                    yield begin + number, found
                begin, size = end, 0

    def _sums_of(self, groups: Sequence[Sequence[_Text]]) -> Iterator[tuple[int, list[Loglikelihood]]]:
        """The same for groups whose copies are in memory together; equal copies are computed once."""
        sums = [[_Sum(len(text.scored), n_tokens=len(text.scored)) for text in group] for group in groups]
        wanted: dict[_Copy, list[tuple[int, int, int]]] = {}
        for number, group in enumerate(groups):
            for place, text in enumerate(group):
                for position in text.scored:
                    owner = (number, place, text.tokens[position])
                    wanted.setdefault(self._copy(text, position), []).append(owner)
        left = [sum(part.left for part in parts) for parts in sums]
        for number, remaining in enumerate(left):
            if not remaining:
                yield number, [_likelihood(part) for part in sums[number]]
        copies = sorted(wanted, key=lambda copy: (-len(copy.tokens), copy.tokens, copy.position))
        for batch, logprobs in self._size.compute(copies, lambda copy: len(copy.tokens), self._predict):
            likeliest = logprobs.argmax(-1).tolist()
            rows, targets, owners = [], [], []
            for row, copy in enumerate(batch):
                for number, place, target in wanted[copy]:
                    rows.append(row)
                    targets.append(target)
                    owners.append((number, place))
            values = logprobs[rows, targets].double().tolist()
            for row, target, value, (number, place) in zip(rows, targets, values, owners, strict=True):
                part = sums[number][place]
                part.logprob += value
                part.greedy = part.greedy and likeliest[row] == target
                left[number] -= 1
                if not left[number]:
                    yield number, [_likelihood(part) for part in sums[number]]

    def _copy(self, text: _Text, position: int) -> _Copy:
        """The text with this token masked; and, within a word from left to right, those after it."""
        tokens = list(text.tokens)
        tokens[position] = self._mask
        if self._loaded.options.pll == "within_word_l2r":
            later = position + 1
            while later < len(tokens) and text.words[later] is not None:
                if text.words[later] != text.words[position]:
                    break
                tokens[later] = self._mask
                later += 1
        return _Copy(tuple(tokens), position)

    @torch.inference_mode()
    def _predict(self, copies: Sequence[_Copy]) -> torch.Tensor:
        """The log-probabilities of the vocabulary at the position of each copy, in float32."""
        loaded = self._loaded
        longest = max(len(copy.tokens) for copy in copies)
        tokens = torch.full((len(copies), longest), pad_token(loaded), dtype=torch.long)
        mask = torch.zeros((len(copies), longest), dtype=torch.long)
        for row, copy in enumerate(copies):
            tokens[row, : len(copy.tokens)] = torch.tensor(copy.tokens)
            mask[row, : len(copy.tokens)] = 1
        positions = torch.tensor([copy.position for copy in copies], device=loaded.device)
        rows = torch.arange(len(copies), device=loaded.device)
        last = loaded.model.get_output_embeddings()
        hook = None
        if last is not None:  # the vocabulary is large: it is scored at one position of each row only

            def select(_: Any, inputs: tuple[torch.Tensor, ...]) -> Any:
                states = inputs[0]
                return (states[rows, positions][:, None], *inputs[1:]) if states.dim() == 3 else None

            hook = last.register_forward_pre_hook(select)
        try:
            output = loaded.model(input_ids=tokens.to(loaded.device), attention_mask=mask.to(loaded.device))
        finally:
            if hook is not None:
                hook.remove()
        logits = output.logits
        logits = logits[:, 0] if logits.shape[1] == 1 else logits[rows, positions]
        return torch.log_softmax(logits.float(), -1)


def _likelihood(part: _Sum) -> Loglikelihood:
    return Loglikelihood(min(0.0, part.logprob), part.n_tokens, part.greedy)


def _frame(tokenizer: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The special tokens that stand before a text, and those after it."""
    found = tokenizer("a", return_special_tokens_mask=True)
    tokens, special = list(found["input_ids"]), list(found["special_tokens_mask"])
    first = special.index(0)
    last = len(special) - special[::-1].index(0)
    return tuple(tokens[:first]), tuple(tokens[last:])
