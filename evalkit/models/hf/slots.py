"""The keys and values of the rows that are being generated, in one buffer per layer.

Rows stand right-aligned: all end at the same column, and what stands left of a shorter row is masked. A
finished row is replaced by the last one, a new row is written beside the others, and what a new row shares
with a row under way is copied instead of computed. transformers sees an ordinary cache with left padding.

    rows      |..aaaaaaaaa|
              |....bbbbbbb|      start: the first column that any row uses
              |cccccccccccc      end: one past the last column, the same for all rows
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from transformers import Cache, DynamicCache, DynamicLayer

from evalkit.models.hf._transformers import cache_name

__all__ = ["Slots", "has_slots"]


@dataclass
class _Window:
    """The part of the buffers that a forward pass reads and writes."""

    rows: int
    """Rows of the buffers."""
    columns: int
    """Columns of the buffers."""
    first: int = 0
    """The first row of the pass."""
    start: int = 0
    """The first column that is read."""
    end: int = 0
    """The column where the pass begins to write."""


class _SlotLayer(DynamicLayer):  # type: ignore[no-untyped-call]
    """The buffers of one layer. A sliding window is kept whole: the mask alone limits what is seen."""

    def __init__(self, window: _Window, sliding: bool) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.window = window
        self.is_sliding = sliding
        self.buffers: tuple[torch.Tensor, torch.Tensor] | None = None

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        """Nothing; makes the buffers, filled with zeros: what is masked must be finite."""
        rows, columns = self.window.rows, self.window.columns
        self.buffers = (
            key_states.new_zeros((rows, key_states.shape[1], columns, key_states.shape[3])),
            value_states.new_zeros((rows, value_states.shape[1], columns, value_states.shape[3])),
        )
        self.is_initialized = True

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The keys and values of the rows of the pass, the new ones included."""
        if self.buffers is None:
            self.lazy_initialization(key_states, value_states)
        place = self.window
        rows = slice(place.first, place.first + key_states.shape[0])
        end = place.end + key_states.shape[2]
        found = []
        for buffer, states in zip(self.buffers or (), (key_states, value_states), strict=True):
            buffer[rows, :, place.end : end] = states
            found.append(buffer[rows, :, place.start : end])
        return found[0], found[1]

    def get_seq_length(self) -> int:
        """How many columns the pass finds filled."""
        return self.window.end - self.window.start


@dataclass
class Slots:
    """Room for some rows, and the rows in it."""

    model: Any
    device: Any
    rows: int
    columns: int
    lengths: list[int] = field(default_factory=list)
    """Tokens of each row in use whose keys and values are here."""
    end: int = 0
    """One past the last column in use."""

    def __post_init__(self) -> None:
        """Make the layers; their buffers come with the first forward pass."""
        self._window = _Window(self.rows, self.columns)
        layers: list[Any] = list(DynamicCache(config=self.model.config).layers)
        self._layers = [_SlotLayer(self._window, layer.is_sliding) for layer in layers]
        self._cache = Cache(layers=list(self._layers))
        self._cache_name = cache_name(self.model)
        self._takes = frozenset(inspect.signature(self.model.forward).parameters)
        self._mask = torch.zeros((self.rows, self.columns), dtype=torch.bool, device=self.device)

    @property
    def free(self) -> int:
        """Rows that are not in use."""
        return self.rows - len(self.lengths)

    @torch.inference_mode()
    def extend(self, prompts: Sequence[Sequence[int]], sources: Sequence[tuple[int, int]]) -> torch.Tensor:
        """The logits after each prompt; the prompts take the next rows.

        `sources` says for each prompt (row under way, how many first tokens they share); what is shared is
        copied. Every prompt feeds as many of its last tokens as the one with most to compute, so that no
        column is left empty.
        """
        self._make_room(max(map(len, prompts)))
        first, count = len(self.lengths), len(prompts)
        width = max(len(prompt) - shared for prompt, (_, shared) in zip(prompts, sources, strict=True))
        for number, (prompt, (source, shared)) in enumerate(zip(prompts, sources, strict=True)):
            row, begin = first + number, self.end - len(prompt)
            self._mask[row] = False
            self._mask[row, begin:] = True
            if shared:
                self._copy(source, self.end - self.lengths[source], row, begin, shared)
        tokens = torch.zeros((count, width), dtype=torch.long)
        positions = torch.zeros((count, width), dtype=torch.long)
        for number, prompt in enumerate(prompts):
            fed = min(width, len(prompt))
            tokens[number, width - fed :] = torch.tensor(prompt[len(prompt) - fed :])
            positions[number, width - fed :] = torch.arange(len(prompt) - fed, len(prompt))
        start = self.end - max(width, *map(len, prompts))
        logits = self._forward(tokens, positions, first, start, self.end - width)
        self.lengths += [len(prompt) for prompt in prompts]
        return logits

    @torch.inference_mode()
    def fork(self, source: int, count: int) -> None:
        """Nothing; further rows that begin as the row does."""
        for _ in range(count):
            row, length = len(self.lengths), self.lengths[source]
            begin = self.end - length
            self._mask[row] = False
            self._mask[row, begin:] = True
            self._copy(source, begin, row, begin, length)
            self.lengths.append(length)

    @torch.inference_mode()
    def step(self, tokens: Sequence[int]) -> torch.Tensor:
        """The logits after one more token for every row in use."""
        if self.end == self.columns:
            self._shift(-self._padding())
        start = self._padding()
        positions = torch.tensor(self.lengths)[:, None]
        logits = self._forward(torch.tensor(tokens)[:, None], positions, 0, start, self.end)
        self.end += 1
        self.lengths = [length + 1 for length in self.lengths]
        return logits

    @torch.inference_mode()
    def drop(self, row: int) -> None:
        """Nothing; the last row takes the place of this one."""
        last = len(self.lengths) - 1
        if row != last:
            begin = self.end - self.lengths[last]
            self._copy(last, begin, row, begin, self.lengths[last])
            self._mask[row] = self._mask[last]
            self.lengths[row] = self.lengths[last]
        self.lengths.pop()

    def _forward(
        self, tokens: torch.Tensor, positions: torch.Tensor, first: int, start: int, end: int
    ) -> torch.Tensor:
        """The logits of the last column, in float32."""
        count, width = tokens.shape
        place = self._window
        place.first, place.start, place.end = first, start, end
        mask = self._mask[first : first + count, start : end + width]
        extra: dict[str, Any] = {}
        if "position_ids" in self._takes:
            extra["position_ids"] = positions.to(self.device)
        if width > 1 and "logits_to_keep" in self._takes:
            extra["logits_to_keep"] = 1
        output = self.model(
            input_ids=tokens.to(self.device),
            attention_mask=mask.long(),
            use_cache=True,
            **{self._cache_name: self._cache},
            **extra,
        )
        return output.logits[:, -1].float()  # type: ignore[no-any-return]

    def _padding(self) -> int:
        """The columns that no row uses, from the left."""
        return self.end - max(self.lengths, default=0)

    def _make_room(self, length: int) -> None:
        """Nothing; the rows in use end where a row of this length can end, too."""
        if not self.lengths:
            self.end = length
        elif length > self.end:
            self._shift(length - self.end)

    def _shift(self, by: int) -> None:
        """Nothing; moves the rows in use by so many columns."""
        start = self._padding()
        rows = slice(0, len(self.lengths))
        old, new = slice(start, self.end), slice(start + by, self.end + by)
        for layer in self._layers:
            for buffer in layer.buffers or ():
                buffer[rows, :, new] = buffer[rows, :, old].clone()
        self.end += by
        for row, length in enumerate(self.lengths):
            self._mask[row] = False
            self._mask[row, self.end - length :] = True

    def _copy(self, source: int, source_begin: int, row: int, begin: int, count: int) -> None:
        old, new = slice(source_begin, source_begin + count), slice(begin, begin + count)
        for layer in self._layers:
            for buffer in layer.buffers or ():
                buffer[row, :, new] = buffer[source, :, old]


def has_slots(model: Any) -> bool:
    """Whether all that the model remembers of a text are keys and values, which can be kept in slots.

    Those of models with a recurrent state, or with layers that share keys, are more; a cache of a model's own
    shows in the trial that follows.
    """
    config = model.config.get_text_config(decoder=True)
    if getattr(config, "is_encoder_decoder", False):
        return False
    try:
        layers = DynamicCache(config=config).layers
    except (AttributeError, KeyError, TypeError, ValueError):
        return False
    return bool(layers) and all(map(_is_plain, layers))


def _is_plain(layer: Any) -> bool:
    """Whether a layer keeps keys and values alone: all of them, or those of a sliding window."""
    kind = type(layer)
    return kind is DynamicLayer or (kind.__bases__ == (DynamicLayer,) and layer.is_sliding)
