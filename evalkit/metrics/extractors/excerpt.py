"""A piece of a response on its way to the answer, which never forgets where it stands in the response."""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterable
from dataclasses import dataclass

__all__ = ["Excerpt", "Found", "Step", "fold"]

# The zeros of the scripts whose digits models write: Arabic, Persian, Indian scripts, Thai, Lao, Tibetan,
# Burmese, Khmer, and the full-width forms.
_ZEROS = (0x660, 0x6F0, 0x966, 0x9E6, 0xA66, 0xAE6, 0xB66, 0xBE6, 0xC66, 0xCE6, 0xD66, 0xE50, 0xED0, 0xF20,
          0x1040, 0x17E0, 0xFF10)  # fmt: skip
_FOLD: dict[int, int | str] = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
_FOLD |= {zero + value: str(value) for zero in _ZEROS for value in range(10)}
_FOLD |= dict.fromkeys((0x3000, 0xA0, 0x2007, 0x2009, 0x202F), " ")
_FOLD |= dict.fromkeys((0x2010, 0x2011, 0x2012, 0x2013, 0x2212, 0xFE63), "-")
_FOLD[0x2236] = ":"
del _FOLD[0xFF0C]  # the Chinese comma: it never groups digits


def fold(text: str) -> str:
    """The text with full-width letters and signs, foreign digits and dashes as ASCII, character by character:
    positions in the folded text are positions in the text."""
    return text.translate(_FOLD)


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A text, and where its characters stand in the response."""

    text: str
    """What the next step works on."""
    pieces: tuple[tuple[int, int], ...] = ((0, 0),)
    """(position in `text`, position in the response) of each literal piece; ignored when `place` is set."""
    place: tuple[int, int] | None = None
    """The span in the response when `text` is no literal part of it; None when it is."""
    options: tuple[str, ...] = ()
    """The texts of the options in the order in which they were listed; empty where there are none."""

    @property
    def span(self) -> tuple[int, int]:
        """Where the text, or what it was made from, begins and ends in the response."""
        if self.place is not None:
            return self.place
        if not self.text:
            return (self.pieces[0][1], self.pieces[0][1])
        return (self._origin(0), self._origin(len(self.text) - 1) + 1)

    def part(self, start: int, end: int) -> Excerpt:
        """The characters from `start` to `end` (exclusive) of this excerpt."""
        if self.place is not None:
            return Excerpt(self.text[start:end], place=self.place, options=self.options)
        first = bisect.bisect_right(self.pieces, start, key=_position) - 1
        last = max(first + 1, bisect.bisect_left(self.pieces, end, key=_position))
        shift = self.pieces[first]
        pieces = [(0, shift[1] + start - shift[0])]
        pieces += [(position - start, origin) for position, origin in self.pieces[first + 1 : last]]
        return Excerpt(self.text[start:end], tuple(pieces), options=self.options)

    def without(self, spans: Iterable[tuple[int, int]]) -> Excerpt:
        """The excerpt without these spans, which are in order and apart; the rest is joined as it is."""
        kept: list[tuple[int, int]] = []
        at = 0
        for start, end in spans:
            if start > at:
                kept.append((at, start))
            at = end
        if at < len(self.text):
            kept.append((at, len(self.text)))
        if not kept:
            return self.part(len(self.text), len(self.text))
        if len(kept) == 1:
            return self.part(*kept[0])
        text = "".join(self.text[start:end] for start, end in kept)
        if self.place is not None:
            return Excerpt(text, place=self.place, options=self.options)
        pieces: list[tuple[int, int]] = []
        position = 0
        for start, end in kept:
            piece = self.part(start, end)
            pieces += [(position + offset, origin) for offset, origin in piece.pieces]
            position += end - start
        return Excerpt(text, tuple(pieces), options=self.options)

    def rewritten(self, text: str) -> Excerpt:
        """An excerpt that reads `text` and stands where this one stands."""
        return self if text == self.text else Excerpt(text, place=self.span, options=self.options)

    def stripped(self) -> Excerpt:
        """The excerpt without white space around it."""
        start = len(self.text) - len(self.text.lstrip())
        return self.part(start, max(start, len(self.text.rstrip())))

    def _origin(self, position: int) -> int:
        start, origin = self.pieces[bisect.bisect_right(self.pieces, position, key=_position) - 1]
        return origin + position - start


def _position(piece: tuple[int, int]) -> int:
    return piece[0]


@dataclass(frozen=True, slots=True)
class Found:
    """What a step found: an excerpt and the name of its rule, empty to keep the name from before."""

    excerpt: Excerpt
    rule: str = ""


Step = Callable[[Excerpt], Found | None]
"""One step of an extractor: None when it finds nothing."""
