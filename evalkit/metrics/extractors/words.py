"""Numbers that are written in English words: seven, twenty-five, one hundred and five, a dozen."""

from __future__ import annotations

import re
from collections.abc import Iterator

__all__ = ["english_numbers"]

_SMALL = {
    word: value
    for value, word in enumerate(
        """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen
        sixteen seventeen eighteen nineteen""".split()  # noqa: SIM905 - twenty strings read no better
    )
}
_TENS = {
    word: 10 * value
    for value, word in enumerate(
        "twenty thirty forty fifty sixty seventy eighty ninety".split(),  # noqa: SIM905
        start=2,
    )
}
_SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_NAME = "|".join(sorted([*_SMALL, *_TENS, "hundred", "dozen", *_SCALES], key=len, reverse=True))
_RUN = re.compile(
    rf"(?<![\w-])(?P<sign>(?:minus|negative)[ ])?(?P<run>(?:(?:a|an)[ ](?=hundred|dozen|thousand|million"
    rf"|billion))?"
    rf"(?:{_NAME})(?:(?:[ -]|[ ]and[ ])(?:{_NAME}))*)(?:[ ]and[ ]a[ ](?P<half>half))?(?![\w]|-[a-z])",
    re.IGNORECASE,
)
_PARTS = {
    "half": 2,
    "halves": 2,
    "third": 3,
    "quarter": 4,
    "fourth": 4,
    "fifth": 5,
    "sixth": 6,
    "eighth": 8,
    "tenth": 10,
}
_FRACTION = re.compile(
    r"(?<![\w-])(?:(?P<sign>(?:minus|negative)[ ])?(?P<above>one|two|three|four|five|six|seven|eight"
    r"|nine)[ -](?P<below>half|halves|third|quarter|fourth|fifth"
    r"|sixth|eighth|tenth)s?|(?P<half>half)(?=[ ](?:of|an?|the)\b))(?!\w)",
    re.IGNORECASE,
)
_NO_NUMBER_BEFORE = re.compile(
    r"\b(?:no|any|every|some|each|this|that|which|the|another|other|only|at|last|next|step|option)[ -]$", re.I
)
_PRONOUN_AFTER = re.compile(
    r"[ ](?:of|can|could|must|may|might|should|would|has|is|way|day|more[ ]time|another)\b"
)


def english_numbers(text: str, start: int = 0, end: int | None = None) -> Iterator[tuple[str, int, int]]:
    """(value, start, end) of each, in order; `one` as a pronoun (no one, one of them) is none."""
    end = len(text) if end is None else end
    at = start
    for match in _FRACTION.finditer(text, start, end):
        yield from _whole_numbers(text, at, match.start())
        at = match.end()
        above = _SMALL[match["above"].lower()] if match["above"] else 1
        minus = "-" if match["sign"] else ""
        yield f"{minus}{above}/{_PARTS[(match['below'] or 'half').lower()]}", match.start(), match.end()
    yield from _whole_numbers(text, at, end)


def _whole_numbers(text: str, start: int, end: int) -> Iterator[tuple[str, int, int]]:
    for match in _RUN.finditer(text, start, end):
        words = re.split(r"[ -]+", match["run"].lower())
        if words == ["one"] and (
            _NO_NUMBER_BEFORE.search(text, max(0, match.start() - 9), match.start())
            or _PRONOUN_AFTER.match(text, match.end())
        ):
            continue
        value = _value(words)
        if value is None:
            continue
        shown = f"{value}.5" if match["half"] else str(value)
        yield f"-{shown}" if match["sign"] and value else shown, match.start(), match.end()


def _value(words: list[str]) -> int | None:
    """The number that the words spell; None where they do not make one (three four)."""
    total = section = 0
    free = 10**18  # what the next word may add at most
    for word in words:
        if word in ("a", "an"):
            section = 1
        elif word == "and":
            continue
        elif word in ("hundred", "dozen"):
            section = (section or 1) * (100 if word == "hundred" else 12)
            free = 100
        elif word in _SCALES:
            total += (section or 1) * _SCALES[word]
            section, free = 0, 10**18
        else:
            value = _SMALL.get(word, _TENS.get(word, 0))
            if value >= free:
                return None
            section += value
            free = 10 if word in _TENS else 0
    return total + section
