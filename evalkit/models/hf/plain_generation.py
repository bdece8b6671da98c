"""Generation by transformers' own `generate`, batch by batch: for architectures and settings of every kind.

Each row ends by its own stop strings and its own most tokens, and draws with its own randomness; beams are
transformers' alone. Encoder-decoder models are padded on the right, decoders on the left.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from transformers import LogitsProcessor, LogitsProcessorList, StoppingCriteria, StoppingCriteriaList

from evalkit.models.hf.batching import BatchSize
from evalkit.models.hf.loading import Loaded
from evalkit.models.hf.rows import Row, end_tokens
from evalkit.models.hf.sampling import choose

__all__ = ["generate_plainly", "pad_token"]


def generate_plainly(loaded: Loaded, size: BatchSize, rows: Sequence[Row]) -> Iterator[Row]:
    """The rows as their batches are finished."""
    groups: dict[tuple[int, int, float, int], list[Row]] = {}
    together = len({len(row.prompt) for row in rows}) < 2 or _pads(loaded)
    for row in rows:
        if row.limit <= 0:
            row.reason = "length"
            yield row
            continue
        beams = row.sampling.num_beams
        own = (row.limit, row.sampling.repetition_penalty) if beams > 1 else (0, 1.0)
        groups.setdefault((beams, *own, 0 if together else len(row.prompt)), []).append(row)
    for (beams, _, penalty, _), group in groups.items():
        group.sort(key=lambda row: (-len(row.prompt), row.prompt))

        def length(row: Row, beams: int = beams) -> int:
            return (len(row.prompt) + row.limit) * beams

        def compute(batch: Sequence[Row], beams: int = beams, penalty: float = penalty) -> None:
            _compute(loaded, batch, beams, penalty)

        for batch, _ in size.compute(group, length, compute):
            yield from batch


def _compute(loaded: Loaded, rows: Sequence[Row], beams: int, penalty: float) -> None:
    """Nothing; the rows are finished. The penalty on repetition is that of a beam search."""
    for row in rows:
        row.begin(loaded.tokenizer)
    on_left = loaded.family == "decoder"
    longest = max(len(row.prompt) for row in rows)
    pad = pad_token(loaded)
    tokens = torch.full((len(rows), longest), pad, dtype=torch.long)
    mask = torch.zeros((len(rows), longest), dtype=torch.long)
    for number, row in enumerate(rows):
        place = slice(longest - len(row.prompt), longest) if on_left else slice(0, len(row.prompt))
        tokens[number, place] = torch.tensor(row.prompt)
        mask[number, place] = 1
    ends = sorted(end_tokens(loaded))
    settings: dict[str, Any] = {
        "do_sample": False,
        "num_beams": beams,
        "max_new_tokens": max(row.limit for row in rows),
        "pad_token_id": pad,
        "repetition_penalty": penalty,
        "use_cache": True,
    }
    if ends:
        settings["eos_token_id"] = ends
    if beams == 1:
        settings["logits_processor"] = LogitsProcessorList([_Choice(rows)])
        settings["stopping_criteria"] = StoppingCriteriaList([_Ends(rows)])
    with torch.inference_mode():
        found = loaded.model.generate(
            input_ids=tokens.to(loaded.device), attention_mask=mask.to(loaded.device), **settings
        )
    if beams == 1:
        return
    begin = longest if on_left else 1
    for row, written in zip(rows, found[:, begin:].tolist(), strict=True):
        _finish(row, written)


_PADS: weakref.WeakKeyDictionary[Any, bool] = weakref.WeakKeyDictionary()


def _pads(loaded: Loaded) -> bool:
    """Whether a decoder says after a padded prompt what it says after the prompt alone; tried once.

    Some models with a recurrent state read their padding, too: only prompts of one length go together then.
    """
    if loaded.family != "decoder":
        return True
    if loaded.model not in _PADS:
        size, pad = len(loaded.tokenizer), pad_token(loaded)
        text = [(7 * n + 3) % size for n in range(1, 6)]
        found = []
        for n_padding in (0, 4):
            tokens = torch.tensor([[pad] * n_padding + text], device=loaded.device)
            mask = torch.tensor([[0] * n_padding + [1] * len(text)], device=loaded.device)
            with torch.inference_mode():
                output = loaded.model.generate(
                    input_ids=tokens,
                    attention_mask=mask,
                    do_sample=False,
                    max_new_tokens=1,
                    pad_token_id=pad,
                    return_dict_in_generate=True,
                    output_logits=True,
                )
            found.append(output.logits[0][0].float())
        alone, padded = found
        tolerance = (1e-3 if loaded.dtype == "float32" else 0.1) * float(alone.std()) + 1e-6
        _PADS[loaded.model] = float((padded - alone).abs().max()) <= tolerance
    return _PADS[loaded.model]


def _finish(row: Row, written: Sequence[int]) -> None:
    """Nothing; the row takes the tokens that a beam search found for it."""
    for token in written:
        if row.take(token):
            return
    row.reason = "length"


def pad_token(loaded: Loaded) -> int:
    """What fills the rows; any token will do, since it is masked."""
    for token in (loaded.tokenizer.pad_token_id, loaded.config.pad_token_id, loaded.tokenizer.eos_token_id):
        if token is not None:
            return int(token)
    return 0


class _Choice(LogitsProcessor):
    """Chooses the next token of each row as elsewhere, and leaves no other possible."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = rows

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Scores at which only the chosen tokens are finite."""
        going = [number for number, row in enumerate(self._rows) if row.reason is None]
        tokens = choose(scores[going].float(), [self._rows[number].draw() for number in going])
        chosen = torch.full_like(scores, float("-inf"))
        chosen[:, 0] = 0.0
        for number, token in zip(going, tokens, strict=True):
            chosen[number, 0] = float("-inf")
            chosen[number, token] = 0.0
            self._rows[number].take(token)
        return chosen


class _Ends(StoppingCriteria):
    """Says which rows are finished."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = rows

    def __call__(self, input_ids: torch.Tensor, scores: Any, **kwargs: Any) -> torch.Tensor:
        """Whether each row is finished."""
        done = [row.reason is not None for row in self._rows]
        return torch.tensor(done, dtype=torch.bool, device=input_ids.device)
